"""Other gateways' words, translated; and the same constraint in every dialect is the same decision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors import Query
from router import read_options
from router.errors import InvalidRoutingError
from router.vocabulary.dialects import foreign_wish
from tests.router.examples import three_model_router


def test_openrouters_provider_object_is_understood() -> None:
    ((key, wish),) = foreign_wish({"provider": {"only": ["a"], "zdr": True, "sort": "price", "order": ["a", "b"]}})
    assert key == "provider"
    assert wish == {
        "require.providers": {"a"},
        "require.privacy": "no_retention",
        "policy": "cheap",
        "order": ("a", "b"),
    }


def test_prices_may_be_strings_as_openrouter_writes_them() -> None:
    ((_, wish),) = foreign_wish({"provider": {"max_price": {"prompt": "1.5", "completion": 2}}})
    assert wish == {"require.max_input_usd_per_mtok": 1.5, "require.max_output_usd_per_mtok": 2.0}


def test_a_providers_own_plugins_are_not_about_routing() -> None:
    assert foreign_wish({"plugins": [{"id": "web"}]}) == ()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider": {"enforce_distillable_text": True}}, "provider.enforce_distillable_text"),
        ({"provider": {"fastest": True}}, "provider.fastest"),
        ({"plugins": [{"id": "web"}, {"id": "auto-router"}]}, "plugins"),
        ({"max_cost": "much"}, "max_cost"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRoutingError) as refused:
        foreign_wish(body)
    assert refused.value.field == field


@settings(max_examples=40)
@given(usd=st.floats(0.0005, 0.1).map(lambda x: round(x, 6)), quality=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_same_limit_in_every_dialect_gives_the_same_decision(usd: float, quality: list[float]) -> None:
    router = three_model_router(quality=quality)
    ways: list[tuple[dict[str, object], dict[str, str]]] = [
        ({"routing": {"require": {"max_cost_usd": usd}}}, {}),
        ({"max_cost": usd}, {}),
        ({}, {"x-paretogate-require": f"max_cost_usd={usd:.6f}"}),
    ]
    decisions = [
        router.decide(
            Query(text="x", input_tokens=10),
            read_options(model="auto", body=body, headers=headers).options,
            rng=np.random.default_rng(0),
        )
        for body, headers in ways
    ]
    assert len({(d.ranking, d.front, d.reason) for d in decisions}) == 1
