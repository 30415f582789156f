from dataclasses import replace
from datetime import date

import numpy as np
import orjson

from predictors import Query
from predictors.journal.records import with_candidate_rows
from router import (
    CandidateRows,
    Constraints,
    FixedForecasts,
    Router,
    RoutingOptions,
    decision_record,
    routing_record,
)
from tests.router.examples import three_forecasts, three_model_router, three_models

ASKED = Query(text="a secret", input_tokens=100, max_output_tokens=200, needs=frozenset({"tools"}))


def test_a_record_holds_what_replay_and_learning_need_and_no_prompt() -> None:
    options = RoutingOptions(policy="best", require=Constraints(max_cost_usd=0.002))
    decision = three_model_router(latency_s=[1.0, np.nan, 4.0]).decide(ASKED, options, rng=np.random.default_rng(0))
    record = decision_record(
        decision,
        decision_id="d1",
        time="2026-01-01T00:00:00Z",
        tenant="t",
        key_id="k",
        session="s",
        query=ASKED,
        options=options,
        versions={"catalog": "1"},
    )
    plain = {**record, "candidates": list(record["candidates"])}
    assert orjson.loads(orjson.dumps(plain)) == plain
    assert b"secret" not in orjson.dumps(plain)
    assert record["routing"] == {"policy": "best", "require": {"max_cost_usd": 0.002}}
    assert (record["chosen"], record["backend"]) == ("hill/middle", "hill/middle@here")
    assert record["front"] == ["hill/middle"]
    assert record["ranking"] == ["hill/middle@here"]
    assert (record["propensity"], record["explored"]) == (1.0, False)
    assert record["candidates"][1] == {
        "id": "hill/middle",
        "backend": "hill/middle@here",
        "quality": 0.8,
        "quality_se": 0.0,
        "cost_usd": 0.001,
        "latency_s": None,
        "eligible": True,
    }
    assert [c["eligible"] for c in record["candidates"]] == [False, True, False]


def test_how_long_answers_to_the_prompt_get_is_kept_where_a_forecast_tells() -> None:
    pool, options = three_models(), RoutingOptions()
    fixed = replace(three_forecasts(pool), length_ratio=0.25)
    decision = Router(FixedForecasts(pool=pool, fixed=fixed)).decide(ASKED, options, rng=np.random.default_rng(0))
    record = decision_record(
        decision, decision_id="d", time=0.0, tenant=None, key_id=None, session=None, query=ASKED, options=options
    )
    assert record["query"]["length_ratio"] == 0.25


def test_the_prompt_is_kept_only_where_it_is_given() -> None:
    options = RoutingOptions()
    decision = three_model_router().decide(ASKED, options, rng=np.random.default_rng(0))
    record = decision_record(
        decision, decision_id="d", time=0.0, tenant=None, key_id=None, session=None, query=ASKED, options=options,
        text="a secret",
    )  # fmt: skip
    assert record["query"]["text"] == "a secret"


def test_routing_at_its_defaults_is_recorded_as_its_policy() -> None:
    assert routing_record(RoutingOptions()) == {"policy": "balanced"}


def test_dates_and_sets_are_recorded_as_json_has_them() -> None:
    require = Constraints(released_after=date(2024, 6, 1), licenses=frozenset({"mit", "apache-2.0"}))
    assert routing_record(RoutingOptions(require=require))["require"] == {
        "released_after": "2024-06-01",
        "licenses": ["apache-2.0", "mit"],
    }


def test_candidates_are_the_same_by_rows_and_by_columns() -> None:
    decision = three_model_router(latency_s=[1.0, np.nan, 4.0]).decide(
        ASKED, RoutingOptions(), rng=np.random.default_rng(0)
    )
    rows = CandidateRows(decision)
    kept = orjson.loads(orjson.dumps({"candidates": rows.columns()}, option=orjson.OPT_SERIALIZE_NUMPY))
    assert with_candidate_rows(kept)["candidates"] == list(rows)
    assert rows[1]["latency_s"] is None
    assert rows[1:] == [rows[1], rows[2]]
    assert rows[-1] == rows[2]
    assert len(orjson.dumps(kept)) < len(orjson.dumps({"candidates": list(rows)}))


def test_records_that_have_rows_or_no_candidates_are_left_alone() -> None:
    for record in ({"candidates": [{"id": "a/b"}]}, {"metric": "thumbs"}):
        assert with_candidate_rows(record) is record


def test_a_record_tells_with_which_probability_everybody_would_have_been_chosen() -> None:
    decision = three_model_router(explore=0.5, quality=0.8, quality_se=0.0, cost_usd=0.001).decide(
        ASKED, RoutingOptions(policy="best"), rng=np.random.default_rng(0)
    )
    told = [row["propensity"] for row in CandidateRows(decision)]
    assert sorted(told) == [0.0, 0.25, 0.75]  # half of the choices are drawn, evenly among the two that may answer
    assert told[decision.ranking[0]] == decision.propensity
    kept = orjson.loads(
        orjson.dumps({"candidates": CandidateRows(decision).columns()}, option=orjson.OPT_SERIALIZE_NUMPY)
    )
    assert kept["candidates"]["propensity"] == told
    certain = three_model_router(explore=0.5).decide(ASKED, RoutingOptions(explore=False), rng=np.random.default_rng(0))
    assert "propensity" not in CandidateRows(certain)[0]


def test_a_record_tells_whom_the_conversation_was_with() -> None:
    options = RoutingOptions()
    decision = three_model_router().decide(ASKED, options, rng=np.random.default_rng(0))
    record = decision_record(
        decision, decision_id="d", time=0.0, tenant=None, key_id=None, session="chat-7", last_backend="b", query=ASKED,
        options=options,
    )  # fmt: skip
    assert (record["session"], record["last_backend"]) == ("chat-7", "b")
