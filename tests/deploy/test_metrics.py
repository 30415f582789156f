"""Rules and board speak of metrics and labels that a running gateway has, asked over a socket in good days and bad."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from catalog.capability.canary import Canary
from catalog.capability.canary_file import Fingerprint, write_fingerprint
from gateway.keys import KeyFile, issue
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway import running as gateways
from tests.gateway.running import CHAT, HI, RunningGateway, backend, running
from tests.gateway.small_servers import serving
from tests.gateway.tools.offers import function, functions
from tests.waiting import AT_MOST_S

from .promtool import needs_promtool, promtool
from .queries import BOARD, board_queries, labels_named, rule_queries, selectors

pytestmark = pytest.mark.loopback

FROM_PROMETHEUS = {"job", "instance", "namespace"}
QUERIES = [*rule_queries(), *board_queries()]
BUSY = "vllm:num_requests_running 2.0\nvllm:num_requests_waiting 5.0\nvllm:kv_cache_usage_perc 0.5\n"


@asynccontextmanager
async def busy_server() -> AsyncIterator[str]:
    """A server that tells its load and answers nothing else: whoever asks it for an answer falls back."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=BUSY)

    async with serving(web.get("/metrics", metrics)) as url:
        yield f"{url}/v1"


def a_key(folder: Path, **limits: float) -> dict[str, str]:
    key, token = issue(random_bytes=os.urandom, now_s=0.0, tenant="acme", **limits)  # type: ignore[arg-type]
    KeyFile(folder / "keys.json").change(lambda keys: (*keys, key))
    return {"authorization": f"Bearer {token}"}


def canaries(folder: Path) -> dict[str, object]:
    asked = tuple(Canary(prompt=f"Begin {k}:", answer="Strong words") for k in range(10))
    file = folder / "canaries.json"
    write_fingerprint(
        file, Fingerprint(model="maker/strong", recorded="2026-01-02", self_mismatch=0.05, canaries=asked)
    )
    return {"files": (file,), "every_s": 0.05, "calls_per_day": 100_000}


async def days_pass(
    gateway: RunningGateway, strong: FakeProvider, hurried: Mapping[str, str], poor: Mapping[str, str]
) -> None:
    """Whatever can happen to a request that a metric tells of."""
    assert (await gateway.chat(stream=True)).status_code == 200
    fallen_back = await gateway.chat(model="auto:cheap")
    assert fallen_back.headers["x-paretogate-fallback-from"] == "cheap"
    assert (await gateway.chat(routing={"require": {"max_cost_usd": 1e-12}})).status_code == 422
    cut = await gateway.chat(model="strong", tools=functions(30))
    assert cut.headers["x-paretogate-tools"] == "30->10"
    called = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "search", "arguments": "{}"}}]}
    strong.answer_with(called, finish_reason="tool_calls")
    await gateway.chat(model="strong", tools=[function("search")], routing={"tools": {"repair": "repair"}})
    strong.answers_as = "strong-raw-but-dearer"  # which is nobody that was asked, at nobody knows what price
    assert (await gateway.chat(model="strong")).status_code == 200
    strong.answers_as = None
    strong.usage = {"prompt_tokens": 9, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}
    answer = await gateway.chat(model="strong")
    judged = {"decision_id": answer.headers["x-paretogate-decision-id"], "value": 1.0}
    assert (await gateway.client.post("/v1/feedback", json=judged)).is_success
    asked = {"model": "strong", "messages": HI}
    assert [(await gateway.client.post(CHAT, json=asked, headers=hurried)).status_code for _ in range(2)] == [200, 429]
    strong.usage = {"prompt_tokens": 20_000, "completion_tokens": 2}
    assert [(await gateway.client.post(CHAT, json=asked, headers=poor)).status_code for _ in range(2)] == [200, 402]
    strong.always_misbehave("strong-raw", Misbehaviour(fault="status", status=500))
    assert (await gateway.chat()).status_code == 502


async def told(gateway: RunningGateway, line: str) -> None:
    async with asyncio.timeout(AT_MOST_S):
        while line not in (await gateway.client.get("/metrics")).text:  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.02)


async def exposed(gateway: RunningGateway) -> dict[str, Metric]:
    """Families by the names of their samples."""
    text = (await gateway.client.get("/metrics")).text
    families = list(text_string_to_metric_families(text))
    return {sample.name: family for family in families for sample in family.samples}


def complaints(families: Mapping[str, Metric], queries: Iterable[tuple[str, str, str]]) -> list[str]:
    """Metrics that are not there, and labels that theirs do not have."""
    found = []
    for where, query, legend in queries:
        have = set(FROM_PROMETHEUS)
        for selector in selectors(query):
            family = families.get(selector.metric)
            labels = {label for sample in family.samples for label in sample.labels} if family else set()
            have |= labels
            missing = {label for label, _ in selector.wanted} - labels - FROM_PROMETHEUS
            if family is None or missing:
                found.append(f"{where}: {selector.metric} {sorted(missing)}")
        if list(selectors(query)) and (unknown := labels_named(query, legend) - have):
            found.append(f"{where}: nothing in it has {sorted(unknown)}")
    return found


async def test_every_metric_and_label_is_one_of_a_running_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = replace(gateways.STRONG, capabilities=frozenset({"streaming", "tools"}))
    monkeypatch.setattr(gateways, "STRONG", able)
    hurried, poor = a_key(tmp_path, requests_per_minute=1), a_key(tmp_path, budget_usd_per_day=0.21)
    settings = {"canaries": canaries(tmp_path), "scraping": {"every_s": 0.05}, "tools": {"deadline_ms": 60_000}}
    async with (
        FakeProvider(words=("strong", " words")) as strong,
        busy_server() as busy,
        running(
            backend("strong", strong.url),
            replace(backend("cheap", busy), kind="vllm"),
            tmp_path=tmp_path,
            settings=settings,
        ) as gateway,
    ):
        await told(gateway, "paretogate_canary_differs{")
        await told(gateway, 'paretogate_server_load{backend="cheap",fact="running"} 2.0')
        gateway.journal.stream_records, gateway.journal.stream_limit = 5, 10  # as one in Redis tells
        await days_pass(gateway, strong, hurried, poor)
        families = await exposed(gateway)
    assert complaints(families, QUERIES) == []


def test_a_metric_or_label_that_does_not_exist_would_be_noticed() -> None:
    (family,) = text_string_to_metric_families(
        '# TYPE paretogate_x_total counter\nparetogate_x_total{door="chat"} 1.0\n'
    )
    families = {"paretogate_x_total": family}
    wrong = [
        ("metric", "sum(rate(paretogate_y_total[5m]))", ""),
        ("matcher", 'paretogate_x_total{dor="chat"}', ""),
        ("grouping", "sum by (job, dor) (paretogate_x_total)", ""),
        ("legend", "paretogate_x_total", "{{dor}}"),
    ]
    right = ("right", 'sum by (job, door) (rate(paretogate_x_total{job=~".*", door="chat"}[5m]))', "{{door}}")
    assert [complaint.split(":")[0] for complaint in complaints(families, [*wrong, right])] == [n for n, _, _ in wrong]


def test_rules_read_only_what_other_rules_record() -> None:
    recorded = {name for name, _, _ in rule_queries() if ":" in name}
    read = {
        name for _, query, _ in rule_queries() for name in re.findall(r"\w+:paretogate\w*:\w+|paretogate:\w+", query)
    }
    assert read - recorded == set()


@needs_promtool
def test_prometheus_reads_every_query_of_the_board(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{k}", "expr": query} for k, (_, query, _) in enumerate(board_queries())]
    assert len(rules) > 30
    assert promtool(tmp_path, "check", "rules", asked={"groups": [{"name": "board", "rules": rules}]}) == ""


def test_the_board_belongs_to_no_installation_and_each_panel_says_what_it_shows() -> None:
    board = json.loads(BOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert "id" not in board
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


def test_no_panel_lies_upon_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads(BOARD.read_text())["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"]
