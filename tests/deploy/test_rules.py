"""Each alert fires in a story where somebody should be called, and keeps silent in those that look like it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.errors import (
    AllBackendsFailedError,
    GatewayError,
    InvalidRequestError,
    OverloadedError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    reply_to,
)

from .promtool import ROOT, RULES, needs_promtool, promtool

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
FAILED = 'outcome="upstream_failed"'


@dataclass(frozen=True, kw_only=True)
class Story:
    """Series in Prometheus's notation (`0+6x20` is 0, 6, 12 ... 120), one value each `every`, and when to look."""

    at: str
    series: Mapping[str, str]
    every: str = "1m"


def requests(*, ok: str, failed: str) -> dict[str, str]:
    return {'requests_total{outcome="ok"}': ok, f"requests_total{{{FAILED}}}": failed}


def overhead(*, below_25_ms: str, all_of_them: str) -> dict[str, str]:
    return {
        'overhead_seconds_bucket{le="0.025"}': below_25_ms,
        'overhead_seconds_bucket{le="0.05"}': all_of_them,
        'overhead_seconds_bucket{le="+Inf"}': all_of_them,
        'requests_total{outcome="ok"}': all_of_them,
    }


def paid_over_predicted(**counts: str) -> dict[str, str]:
    """Cumulative counts, by the buckets' bounds times 100."""
    bounds = {f"{int(name.removeprefix('le_')) / 100:g}": values for name, values in counts.items()}
    most = list(bounds.values())[-1]
    buckets = {f'prediction_error_bucket{{le="{bound}"}}': values for bound, values in bounds.items()}
    return {**buckets, 'prediction_error_bucket{le="+Inf"}': most, "prediction_error_count": most}


FIRES = {
    "ParetoGateAbsent": [Story(at="10m", series={"other": "1x20"})],
    "ParetoGateReplicaDown": [Story(at="20m", series={"up": "1x5 0x20", "inflight": "0x5 _x20"})],
    "ParetoGateNoBackendAnswers": [
        Story(at="10m", series=requests(ok="100x20", failed="0+6x20")),
        Story(at="10m", series={f"requests_total{{{FAILED}}}": "0+6x20"}),  # and never was
    ],
    "ParetoGateAllBreakersOpen": [
        Story(
            at="10m",
            series={
                'breaker_state{backend="a"}': "2x20",
                'breaker_state{backend="b"}': "1 2 1 2x20",
                "requests_total": "0+6x20",
            },
        )
    ],
    "ParetoGateErrorBudgetBurnsFast": [
        Story(at="70m", series=requests(ok="0+90x80", failed="0+10x80")),  # 10 %, more than 14.4 times half a percent
        Story(at="70m", series={f"requests_total{{{FAILED}}}": "0+10x80"}),
    ],
    "ParetoGateErrorBudgetBurns": [Story(at="7h", every="5m", series=requests(ok="0+960x90", failed="0+40x90"))],
    "ParetoGateErrorBudgetLeaks": [Story(at="75h", every="15m", series=requests(ok="0+990x310", failed="0+10x310"))],
    "ParetoGateBreakerOpenForLong": [Story(at="25m", series={'breaker_state{backend="a"}': "2 2 1 2x30"})],
    "ParetoGateFallsBackOften": [
        Story(at="40m", series={**requests(ok="0+10x60", failed="0x60"), "fallbacks_total": "0+3x60"})
    ],
    "ParetoGateModelAnswersUnderAnotherName": [
        Story(at="15m", series={'model_drift_total{backend="a"}': "_x10 1x60"}),  # its first event
        Story(at="80m", series={'model_drift_total{backend="a"}': "4x70 5x60"}),
    ],
    "ParetoGateBackendIsNotItsModel": [Story(at="5m", series={'canary_differs{backend="a"}': "0 1x20"})],
    "ParetoGateOverheadHigh": [Story(at="25m", series=overhead(below_25_ms="0+80x60", all_of_them="0+100x60"))],
    "ParetoGateMemoryHigh": [Story(at="20m", series={"resident_memory_bytes": "2000000000x30"})],
    "ParetoGateJournalLosesRecords": [Story(at="6m", series={'journal{fact="lost"}': "0x4 1x30"})],
    "ParetoGateJournalSpoolFills": [
        Story(at="10m", series={'journal{fact="pending_bytes"}': "300x20", 'journal{fact="limit_bytes"}': "500x20"})
    ],
    "ParetoGateJournalStoreFails": [Story(at="25m", series={'journal{fact="store_failures"}': "0+1x40"})],
    "ParetoGateJournalIsNotCollected": [
        Story(at="20m", series={'journal_stream{fact="records"}': "600x30", 'journal_stream{fact="limit"}': "1000x30"})
    ],
    "ParetoGatePredictorRefused": [Story(at="10m", series={'predictor_behind{place="replicas"}': "1x20"})],
    "ParetoGateLimitsPerReplica": [Story(at="10m", series={"state_degraded": "1x20"})],
    "ParetoGateBudgetsSpent": [
        Story(at="10m", series={'quota_refusals_total{limit="budget_usd_per_day"}': "_x5 1x30"}),
        Story(at="80m", series={'quota_refusals_total{limit="budget_usd_per_month"}': "2x70 9x30"}),
    ],
    "ParetoGateBudgetsRunLow": [
        Story(at="10m", series={'budgets_low_total{limit="budget_usd_per_day"}': "_x5 1x30"}),
        Story(at="80m", series={'budgets_low_total{limit="budget_usd_per_month"}': "2x70 3x30"}),
    ],
    "ParetoGateSpendingJumped": [  # from $6 to $60 an hour
        Story(at="52h", every="10m", series={'cost_usd_total{model="m"}': "0+1x300 310+10x15"})
    ],
    "ParetoGateCostForecastDrifts": [
        Story(at="8h", every="5m", series=paid_over_predicted(le_200="0+1x100", le_400="0+10x100")),
        Story(at="8h", every="5m", series=paid_over_predicted(le_10="0+1x100", le_25="0+10x100")),
    ],
    "ParetoGateCostsUnknown": [
        Story(at="90m", series={"unpriced_calls_total": "0+1x100", "prediction_error_count": "0+9x100"}),
        Story(at="90m", series={"unpriced_calls_total": "0+1x100"}),
    ],
}
KEEPS_SILENT = {
    "ParetoGateAbsent": [Story(at="10m", series={"inflight": "0x20"})],
    "ParetoGateReplicaDown": [Story(at="20m", series={"up": "1x5 0x20"})],  # no gateway ever lived there
    "ParetoGateNoBackendAnswers": [
        Story(at="10m", series=requests(ok="0+1x20", failed="0+60x20")),
        Story(at="10m", series={'requests_total{outcome="unknown_model"}': "0+6x20"}),  # the clients' fault
    ],
    "ParetoGateAllBreakersOpen": [
        Story(
            at="10m",
            series={
                'breaker_state{backend="a"}': "2x20",
                'breaker_state{backend="b"}': "0x20",
                "requests_total": "0+6x20",
            },
        ),
        Story(at="10m", series={'breaker_state{backend="a"}': "1x20", "requests_total": "6x20"}),  # nobody asks
    ],
    "ParetoGateErrorBudgetBurnsFast": [
        Story(at="70m", series=requests(ok="0+95x80", failed="0+5x80")),
        Story(at="70m", series=requests(ok="0+90x80", failed="0+10x60 600x20")),  # it is over
        Story(at="70m", series=requests(ok="0+0.5x80", failed="0+0.1x80")),  # six failures in a quiet hour
    ],
    "ParetoGateErrorBudgetBurns": [Story(at="7h", every="5m", series=requests(ok="0+980x90", failed="0+20x90"))],
    "ParetoGateErrorBudgetLeaks": [Story(at="75h", every="15m", series=requests(ok="0+997x310", failed="0+3x310"))],
    "ParetoGateBreakerOpenForLong": [
        Story(at="30m", series={'breaker_state{backend="a"}': "2x9 0 2x9 0 2x9 0 2x9"}),  # it comes and goes
        Story(at="40m", series={'breaker_state{backend="a"}': "2x3 1x40"}),  # nobody has asked it since
    ],
    "ParetoGateFallsBackOften": [
        Story(at="40m", series={**requests(ok="0+10x60", failed="0x60"), "fallbacks_total": "0+1x60"})
    ],
    "ParetoGateModelAnswersUnderAnotherName": [Story(at="2h", series={'model_drift_total{backend="a"}': "5x200"})],
    "ParetoGateBackendIsNotItsModel": [Story(at="5m", series={'canary_differs{backend="a"}': "1 0x20"})],
    "ParetoGateOverheadHigh": [
        Story(at="25m", series=overhead(below_25_ms="0+99x60", all_of_them="0+100x60")),
        Story(at="25m", series=overhead(below_25_ms="0+0x60", all_of_them="0+1x60")),  # one slow request a minute
    ],
    "ParetoGateMemoryHigh": [Story(at="20m", series={"resident_memory_bytes": "300000000x30"})],
    "ParetoGateJournalLosesRecords": [Story(at="30m", series={'journal{fact="lost"}': "7x60"})],
    "ParetoGateJournalSpoolFills": [
        Story(at="10m", series={'journal{fact="pending_bytes"}': "100x20", 'journal{fact="limit_bytes"}': "500x20"})
    ],
    "ParetoGateJournalIsNotCollected": [
        Story(at="20m", series={'journal_stream{fact="records"}': "400x30", 'journal_stream{fact="limit"}': "1000x30"}),
        Story(  # a collector that was away for ten minutes
            at="20m",
            series={'journal_stream{fact="records"}': "0x4 600x9 0x30", 'journal_stream{fact="limit"}': "1000x40"},
        ),
    ],
    "ParetoGateJournalStoreFails": [
        Story(at="14m", series={'journal{fact="store_failures"}': "0x10 1x40"}),  # once
        Story(at="25m", series={'journal{fact="store_failures"}': "0x10 1x40"}),
    ],
    "ParetoGatePredictorRefused": [
        Story(at="10m", series={'predictor_behind{place="replicas"}': "1x3 0x20"})  # taken back at once
    ],
    "ParetoGateLimitsPerReplica": [Story(at="10m", series={"state_degraded": "1x3 0x20"})],
    "ParetoGateBudgetsSpent": [
        Story(at="10m", series={'quota_refusals_total{limit="requests_per_minute"}': "0+5x30"}),
        Story(at="2h", series={'quota_refusals_total{limit="budget_usd_per_day"}': "3x200"}),
    ],
    "ParetoGateBudgetsRunLow": [Story(at="2h", series={'budgets_low_total{limit="budget_usd_per_day"}': "3x200"})],
    "ParetoGateSpendingJumped": [
        Story(at="52h", every="10m", series={'cost_usd_total{model="m"}': "0+0.1x300 31+1x15"}),  # to $6 an hour
        Story(at="52h", every="10m", series={'cost_usd_total{model="m"}': "0+10x320"}),  # as always
    ],
    "ParetoGateCostForecastDrifts": [
        Story(at="8h", every="5m", series=paid_over_predicted(le_80="0+1x100", le_125="0+10x100")),
        Story(at="8h", every="5m", series=paid_over_predicted(le_200="0+0x100", le_400="0+0.5x100")),  # of 36 answers
    ],
    "ParetoGateCostsUnknown": [
        Story(at="90m", series={"unpriced_calls_total": "0+1x100", "prediction_error_count": "0+99x100"})
    ],
}  # fmt: skip
EVERY = sorted({story.every for few in (*FIRES.values(), *KEEPS_SILENT.values()) for story in few})


def told(story: Story) -> list[dict[str, str]]:
    """Its series, all of one replica of one installation."""
    replica = 'job="gateway",namespace="prod",instance="replica-1"'
    found = []
    for name, values in story.series.items():
        metric, _, labels = name.removesuffix("}").partition("{")
        metric = metric if metric in {"up", "other"} else f"paretogate_{metric}"
        found.append({"series": f"{metric}{{{replica}{',' * bool(labels)}{labels}}}", "values": values})
    return found


def judged(*stories: Mapping[str, Any], every: str) -> dict[str, Any]:
    order = [group["name"] for group in GROUPS]
    return {"rule_files": [str(RULES)], "group_eval_order": order, "evaluation_interval": every, "tests": stories}


def written(story: Story, *, name: str, **expected: Any) -> dict[str, Any]:
    return {"name": name, "interval": story.every, "input_series": told(story), **expected}


def firing(alert: str, story: Story, *, n: int) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": n}] if n else []
    expr = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    expected = {"expr": expr, "eval_time": story.at, "exp_samples": samples}
    return written(story, name=f"{alert}, {dict(story.series)}", promql_expr_test=[expected])


def all_firing(stories: Mapping[str, list[Story]], *, every: str, n: int) -> dict[str, Any]:
    """All in one file: to start promtool takes longer than to judge a story."""
    told = [firing(alert, story, n=n) for alert, few in stories.items() for story in few if story.every == every]
    return judged(*told, every=every)


@needs_promtool
@pytest.mark.parametrize("every", EVERY)
def test_each_alert_fires_where_somebody_should_be_called(tmp_path: Path, every: str) -> None:
    assert promtool(tmp_path, "test", "rules", asked=all_firing(FIRES, every=every, n=1)) == ""


@needs_promtool
@pytest.mark.parametrize("every", EVERY)
def test_no_alert_fires_where_nobody_needs_to_come(tmp_path: Path, every: str) -> None:
    assert promtool(tmp_path, "test", "rules", asked=all_firing(KEEPS_SILENT, every=every, n=0)) == ""


def test_every_alert_has_stories_of_both_kinds() -> None:
    names = {alert["alert"] for alert in ALERTS}
    assert names == {name for name, few in FIRES.items() if few} == {name for name, few in KEEPS_SILENT.items() if few}


@needs_promtool
def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    assert promtool(tmp_path, "check", "rules", asked={"groups": GROUPS}) == ""


@needs_promtool
def test_ratios_and_rates_are_what_a_reader_reckons(tmp_path: Path) -> None:
    story = Story(
        at="90m",
        series={
            **requests(ok="0+57x90", failed="0+3x90"),  # one a second, 5 % of them in vain
            'requests_total{outcome="unknown_model"}': "0+60x90",
            "fallbacks_total": "0+12x90",
            'cost_usd_total{model="m"}': "0+0.5x90",
            **{
                f'overhead_seconds_bucket{{le="{le}"}}': f"0+{n}x90"
                for le, n in (("0.001", 50), ("0.002", 100), ("+Inf", 100))
            },
        },
    )
    by = 'job="gateway",namespace="prod"'
    reckoned = {
        "job:paretogate_requests:rate5m": (by, 2),
        "job:paretogate_error_ratio:rate5m": (by, 0.05),
        "job:paretogate_fallback_ratio:rate15m": (by, 0.1),
        "1000 * job:paretogate_overhead_seconds:p50_5m": (by, 1),
        "job_model:paretogate_cost_usd_per_hour:rate1h": (f'{by},model="m"', 30),
    }
    tests = [
        {
            "expr": f"round({name}, 0.001)",
            "eval_time": story.at,
            "exp_samples": [{"labels": f"{{{on}}}", "value": value}],
        }
        for name, (on, value) in reckoned.items()
    ]
    assert (
        promtool(
            tmp_path, "test", "rules", asked=judged(written(story, name="figures", promql_expr_test=tests), every="1m")
        )
        == ""
    )


@needs_promtool
def test_what_is_said_names_the_replica_and_the_figure(tmp_path: Path) -> None:
    (rule,) = [alert for alert in ALERTS if alert["alert"] == "ParetoGateMemoryHigh"]
    says = {**rule["annotations"], "description": "replica-1 of gateway holds 1.863GiB."}
    labels = {"severity": "ticket", "job": "gateway", "namespace": "prod", "instance": "replica-1"}
    expected = {
        "eval_time": "20m",
        "alertname": rule["alert"],
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": says}],
    }
    (story,) = FIRES["ParetoGateMemoryHigh"]
    assert (
        promtool(
            tmp_path,
            "test",
            "rules",
            asked=judged(written(story, name="words", alert_rule_test=[expected]), every="1m"),
        )
        == ""
    )


def test_every_alert_says_how_urgent_it_is_and_where_the_operations_manual_speaks_of_it() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    for alert in ALERTS:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
        assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['alert'].lower()}"
        assert f"\n#### {alert['alert']}\n" in manual


def test_requests_count_as_failed_where_their_status_is_of_ours_or_their_stream_broke() -> None:
    one = UpstreamStatusError(backend_id="b", status=503)
    late = UpstreamTimeoutError(backend_id="b", phase="answer", after_s=1)
    failures = (
        AllBackendsFailedError([one]),
        AllBackendsFailedError([UpstreamUnreachableError("is away", backend_id="b")]),
        AllBackendsFailedError([late]),
        OverloadedError("busy"),
        UnavailableError("full"),
        GatewayError("ours"),
        RuntimeError("a mistake"),
    )
    others = (
        AllBackendsFailedError([UpstreamStatusError(backend_id="b", status=422)]),
        InvalidRequestError("no"),
        UnauthenticatedError("no"),
        RateLimitedError("no", limit="requests_per_minute"),
    )
    assert all(reply_to(error).status >= 500 for error in failures)
    assert all(reply_to(error).status < 500 for error in others)
    counted = {"interrupted", *(reply_to(error).outcome for error in failures)}
    named = re.findall(r'outcome=~"([^"]+)"', RULES.read_text())
    assert len(named) == 5  # windows
    assert {frozenset(words.split("|")) for words in named} == {frozenset(counted)}
