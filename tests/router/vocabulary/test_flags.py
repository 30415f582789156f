from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Constraints, InvalidRoutingError, Reading, RoutingOptions, read_options, routing_record


def read(
    model: str = "auto",
    *,
    headers: dict[str, str] | None = None,
    prompt: str | None = None,
    policies: tuple[str, ...] = (),
    **body: object,
) -> Reading:
    messages = [{"role": "user", "content": prompt or "hi"}]
    return read_options(
        model=model,
        body={"model": model, "messages": messages, **body},
        headers=headers or {},
        policies=policies,
        allow_prompt_flags=prompt is not None,
    )


def test_a_request_that_says_nothing_gets_the_defaults() -> None:
    assert read() == Reading(options=RoutingOptions(), target=None)


def test_a_concrete_model_bypasses_routing() -> None:
    assert read("openai/gpt-4o").target == "openai/gpt-4o"
    assert read("llama3:8b").target == "llama3:8b"  # a colon alone is no suffix of ours


def test_the_whole_routing_object_is_read() -> None:
    reading = read(
        routing={
            "policy": "cheap",
            "weights": {"size": 0.5},
            "require": {
                "max_cost_usd": 0.002,
                "max_price_usd_per_mtok": {"input": 1, "output": 2},
                "released_after": "2024-06-01",
                "licenses": ["mit"],
                "capabilities": ["tools"],
                "min_context": 8000,
                "privacy": "local",
            },
            "models": {"allow": ["openai/*"], "deny": ["*mini*"]},
            "on_infeasible": "closest",
            "allow_fallbacks": False,
            "explore": False,
            "explain": True,
            "route_only": True,
            "tools": {"select": "auto", "top_k": 5},
            "session_id": "s1",
        }
    )
    assert reading.options == RoutingOptions(
        policy="cheap",
        weights={"size": 0.5},
        require=Constraints(
            max_cost_usd=0.002,
            max_input_usd_per_mtok=1,
            max_output_usd_per_mtok=2,
            released_after=date(2024, 6, 1),
            licenses=frozenset({"mit"}),
            capabilities=frozenset({"tools"}),
            min_context=8000,
            privacy="local",
        ),
        allow=("openai/*",),
        deny=("*mini*",),
        on_infeasible="closest",
        allow_fallbacks=False,
        explore=False,
        explain=True,
        route_only=True,
        tools={"select": "auto", "top_k": 5},
        session_id="s1",
    )
    assert reading.consumed == {"routing"}


@pytest.mark.parametrize(
    ("model", "policy", "allow"),
    [
        ("auto", "balanced", ()),
        ("paretogate/auto", "balanced", ()),
        ("auto:cheap", "cheap", ()),
        ("paretogate/auto:fast", "fast", ()),
        ("auto:floor", "cheap", ()),
        ("openai/gpt-4o:floor", "cheap", ("openai/gpt-4o",)),
        ("openai/gpt-4o:nitro", "fast", ("openai/gpt-4o",)),
    ],
)
def test_an_alias_names_a_policy(model: str, policy: str, allow: tuple[str, ...]) -> None:
    reading = read(model)
    assert (reading.target, reading.options.policy, reading.options.allow) == (None, policy, allow)


@given(st.floats(0, 100, allow_nan=False).map(lambda x: round(x, 6)))
def test_every_way_of_saying_a_price_gives_the_same_options(usd: float) -> None:
    said = [
        read(routing={"require": {"max_cost_usd": usd}}),
        read(headers={"x-paretogate-require": f"max_cost_usd={usd!r}"}),
        read(prompt=f"hi [Flag: max_cost_usd={usd!r}]"),
        read(max_cost=usd),
    ]
    assert all(reading.options == said[0].options for reading in said)
    assert said[0].options.require.max_cost_usd == usd


@pytest.mark.parametrize(
    "ways",
    [
        [{"routing": {"policy": "cheap"}}, {"headers": {"x-paretogate-policy": "cheap"}}, {"model": "auto:cheap"},
         {"provider": {"sort": "price"}}, {"prompt": "[Flag: policy=cheap] hi"}],
        [{"routing": {"policy": "fast"}}, {"provider": {"sort": {"by": "throughput"}}}, {"model": "auto:nitro"}],
        [{"routing": {"require": {"providers": ["a", "b"]}}}, {"provider": {"only": ["b", "a"]}},
         {"headers": {"x-paretogate-require": "providers=a, b"}}],
        [{"routing": {"require": {"exclude_providers": ["a"]}}}, {"provider": {"ignore": ["a"]}}],
        [{"routing": {"require": {"privacy": "no_training"}}}, {"provider": {"data_collection": "deny"}},
         {"headers": {"x-paretogate-require": "privacy=no_training"}}],
        [{"routing": {"require": {"privacy": "no_retention"}}}, {"provider": {"zdr": True, "data_collection": "deny"}}],
        [{"routing": {"require": {"quantizations": ["fp8"]}}}, {"provider": {"quantizations": ["fp8"]}}],
        [{"routing": {"require": {"max_price_usd_per_mtok": {"input": 1, "output": 2}}}},
         {"provider": {"max_price": {"prompt": 1, "completion": "2"}}},
         {"headers": {"x-paretogate-require": "max_price_usd_per_mtok.input=1; max_price_usd_per_mtok.output=2"}}],
        [{"routing": {"allow_fallbacks": False}}, {"provider": {"allow_fallbacks": False}}],
        [{"routing": {"route_only": True}}, {"route_only": True}],
        [{"routing": {"cost_quality_tradeoff": 7, "models": {"allow": ["x/*"]}}},
         {"plugins": [{"id": "auto-router", "cost_quality_tradeoff": 7, "allowed_models": ["x/*"]}]}],
        [{"routing": {"require": {"min_quality": 0.8}}},
         {"plugins": [{"id": "pareto-router", "min_coding_score": 0.8}]}],
        [{"routing": {"order": ["x/a", "y/b"]}}, {"models": ["x/a", "y/b"]}, {"provider": {"order": ["x/a", "y/b"]}}],
        [{"routing": {"willingness_to_pay_usd": 0.1}}, {"willingness_to_pay": 0.1}],
        [{"routing": {"weights": {"size": 1.0}}}, {"prompt": "hi [Flag: Smallest  Model]"}],
        [{"routing": {"weights": {"cost": 1.0, "verbosity": 1.0}}}, {"prompt": "[flag: cheapest]\n[flag: concise] hi"}],
        [{"routing": {"require": {"released_after": "2024-06-01", "regions": ["eu"]}}},
         {"headers": {"x-paretogate-require": "released_after=2024-06-01; regions=eu"}}],
    ],
)  # fmt: skip
def test_ways_of_saying_the_same_thing_give_the_same_options(ways: list[dict[str, object]]) -> None:
    said = [read(**way).options for way in ways]
    assert said[0] != RoutingOptions()
    assert all(options == said[0] for options in said)


def test_the_body_beats_the_header_beats_the_alias_beats_the_prompt() -> None:
    everywhere: dict[str, object] = {
        "routing": {"policy": "best"},
        "headers": {"x-paretogate-policy": "fast"},
        "model": "auto:cheap",
        "prompt": "[Flag: policy=small]",
    }
    order = []
    for key in ("routing", "headers", "model", "prompt"):
        order.append(read(**everywhere).options.policy)
        del everywhere[key]
    assert order == ["best", "fast", "cheap", "small"]


def test_sources_add_up_key_by_key() -> None:
    reading = read(
        "auto:cheap", headers={"x-paretogate-require": "max_ttft_s=1"}, routing={"require": {"max_cost_usd": 0.01}}
    )
    assert reading.options == RoutingOptions(policy="cheap", require=Constraints(max_cost_usd=0.01, max_ttft_s=1.0))


def test_a_stronger_word_on_money_silences_a_flag_in_the_prompt_but_not_its_other_goals() -> None:
    reading = read(prompt="[Flag: cheapest][Flag: smallest model] hi", routing={"cost_quality_tradeoff": 2})
    assert reading.options == RoutingOptions(cost_quality_tradeoff=2, weights={"size": 1.0})


def test_flags_are_taken_out_of_every_part_of_the_prompt_and_nothing_else_is_touched() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Look. [Flag: concise]"}, image], "name": "ada"},
        {"role": "user", "content": "[Flag: newest model] And now?"},
    ]
    reading = read_options(model="auto", body={"messages": messages}, headers={}, allow_prompt_flags=True)
    assert reading.messages == [
        messages[0],
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image], "name": "ada"},
        {"role": "user", "content": "And now?"},
    ]
    assert dict(reading.options.weights) == {"verbosity": 1.0, "recency": 1.0}


def test_flags_are_mere_text_where_they_are_not_allowed() -> None:
    body = {"messages": [{"role": "user", "content": "[Flag: cheapest] hi"}]}
    reading = read_options(model="auto", body=body, headers={})
    assert (reading.options, reading.messages) == (RoutingOptions(), None)


def test_a_model_with_a_fallback_list_is_tried_first() -> None:
    reading = read("x/a", models=["x/a", "y/b"])
    assert (reading.target, reading.options.order) == (None, ("x/a", "y/b"))


def test_what_is_consumed_is_named_and_a_providers_own_plugins_pass() -> None:
    reading = read(routing=None, provider={}, max_cost=1, plugins=[{"id": "web"}], temperature=0.5)
    assert reading.consumed == {"routing", "provider", "max_cost"}


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        ({"routing": {"polcy": "cheap"}}, "routing.polcy", "unknown key; choose from"),
        ({"routing": {"policy": "nice"}}, "policy", "there is no policy 'nice'"),
        ({"model": "auto:nice"}, "model", "there is no policy 'nice'"),
        ({"routing": []}, "routing", "must be an object"),
        ({"routing": {"require": {"max_cost": 1}}}, "routing.require.max_cost", "max_cost_usd"),
        ({"routing": {"require": {"max_cost_usd": "1"}}}, "routing.require.max_cost_usd", "must be a number"),
        ({"routing": {"require": {"max_cost_usd": True}}}, "routing.require.max_cost_usd", "must be a number"),
        ({"routing": {"require": {"max_cost_usd": -1}}}, "routing.require.max_cost_usd", "at least 0"),
        ({"routing": {"require": {"max_cost_usd": float("nan")}}}, "routing.require.max_cost_usd", "must be a number"),
        ({"routing": {"require": {"min_quality": 80}}}, "routing.require.min_quality", "between 0 and 1"),
        ({"routing": {"require": {"confidence": 1}}}, "routing.require.confidence", "strictly between 0 and 1"),
        ({"routing": {"require": {"released_after": "June"}}}, "routing.require.released_after", "such as 2024-06-01"),
        ({"routing": {"require": {"licenses": []}}}, "routing.require.licenses", "must not be empty"),
        ({"routing": {"require": {"capabilities": ["fly"]}}}, "routing.require.capabilities[0]", "vision"),
        ({"routing": {"require": {"privacy": "total"}}}, "routing.require.privacy", "no_training"),
        ({"routing": {"weights": {"beauty": 1}}}, "routing.weights.beauty", "readability"),
        ({"routing": {"cost_quality_tradeoff": 11}}, "routing.cost_quality_tradeoff", "between 0 and 10"),
        ({"routing": {"on_infeasible": "pray"}}, "routing.on_infeasible", "cheapest, closest, fail"),
        ({"routing": {"explore": "no"}}, "routing.explore", "true or false"),
        ({"routing": {"tools": {"top": 3}}}, "routing.tools.top", "top_k"),
        ({"headers": {"x-paretogate-require": "max_cost_usd"}}, "x-paretogate-require", "key=value"),
        ({"headers": {"x-paretogate-require": "max_cost_usd=cheap"}}, "x-paretogate-require.max_cost_usd", "number"),
        ({"headers": {"x-paretogate-require": "max_cost=1"}}, "x-paretogate-require.max_cost", "unknown key"),
        ({"headers": {"x-paretogate-polcy": "x"}}, "x-paretogate-polcy", "x-paretogate-policy"),
        ({"provider": "openai"}, "provider", "must be an object"),
        ({"provider": {"sort": "beauty"}}, "provider.sort", "latency, price, throughput"),
        ({"provider": {"prefer": 1}}, "provider.prefer", "unknown key"),
        ({"provider": {"enforce_distillable_text": True}}, "provider.enforce_distillable_text", "licenses"),
        ({"plugins": [{"id": "auto-router"}, {"id": "web"}]}, "plugins", "mixes"),
        ({"willingness_to_pay": 0}, "willingness_to_pay", "above 0"),
        ({"prompt": "[Flag: prettiest]"}, "[Flag: prettiest]", "smallest model"),
        ({"routing": {"require": {"max_cost_usd": 1}}, "max_cost": 2}, "require.max_cost_usd", "routing says 1.0"),
        ({"routing": {"require": {"providers": ["a"], "exclude_providers": ["a"]}}}, "require.providers", "both"),
        ({"routing": {"weights": {"cost": 1}, "cost_quality_tradeoff": 5}}, "cost_quality_tradeoff", "weights.cost"),
    ],
)  # fmt: skip
def test_what_is_malformed_unknown_or_contradictory_is_refused_by_name(
    request_: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(InvalidRoutingError) as caught:
        read(**request_)
    assert caught.value.field == field
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "routing", [{"policy": "p" * 100_000}, {"k" * 100_000: 1}, {"weights": {"cost": "c" * 100_000}}]
)
def test_a_refusal_quotes_no_more_than_can_be_read(routing: dict[str, object]) -> None:
    with pytest.raises(InvalidRoutingError) as caught:
        read(routing=routing)
    assert len(str(caught.value)) < 3_000
    assert "choose from" in str(caught.value) or "must be a number" in str(caught.value)


def test_an_operators_policy_can_be_named() -> None:
    assert read("auto:frugal", policies=("frugal",)).options.policy == "frugal"


def test_two_dialects_may_say_the_same_thing_twice() -> None:
    assert read(routing={"require": {"max_cost_usd": 1}}, max_cost=1).options.require.max_cost_usd == 1.0


def test_a_recorded_routing_object_reads_back_as_the_same_options() -> None:
    options = read(
        routing={
            "policy": "fast",
            "weights": {"size": 2},
            "require": {"max_price_usd_per_mtok": {"input": 3}, "released_after": "2024-01-01", "tiers": ["edge"]},
            "models": {"deny": ["x/*"]},
            "order": ["y/z"],
        }
    ).options
    assert read(routing=routing_record(options)).options == options


def test_the_same_words_are_read_into_the_same_options() -> None:
    said = {"policy": "cheap", "require": {"max_cost_usd": 0.1}}
    first = read(headers={"x-paretogate-require": "regions=eu"}, routing=said)
    assert read(headers={"x-paretogate-require": "regions=eu"}, routing=said).options is first.options
    assert read(headers={"x-paretogate-require": "regions=us"}, routing=said).options != first.options
    assert read("auto:best", routing={"explain": True}).options != read("auto:cheap", routing={"explain": True}).options


def test_what_a_policys_name_means_is_not_remembered_for_those_who_lack_it() -> None:
    assert read(policies=("ours",), routing={"policy": "ours"}).options.policy == "ours"
    with pytest.raises(InvalidRoutingError, match="ours"):
        read(routing={"policy": "ours"})


def test_wishes_that_are_longer_than_anybody_repeats_are_read_all_the_same() -> None:
    globs = [f"maker/model-{i}" for i in range(300)]
    assert read(routing={"models": {"deny": globs}}).options.deny == tuple(globs)


def test_a_number_that_json_cannot_hold_is_still_named() -> None:
    with pytest.raises(InvalidRoutingError, match="cost_quality_tradeoff"):
        read(routing={"cost_quality_tradeoff": 10**30})
