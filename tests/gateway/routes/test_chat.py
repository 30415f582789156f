"""The chat door over real sockets, before fake providers."""

import asyncio
import gzip
import socket
from pathlib import Path

import httpx
import openai
import orjson
import pytest

from gateway.upstreams.fake import Misbehaviour
from tests.gateway.running import CHAT, HI, RunningGateway, backend, pair, running
from tests.waiting import until

pytestmark = pytest.mark.loopback


async def test_the_best_model_answers_and_says_who_it_is(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.chat(routing={"policy": "best"})
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "strong words"
    assert answer.json()["model"] == "maker/strong"
    assert answer.headers["x-paretogate-model"] == "maker/strong"
    assert answer.headers["x-paretogate-predicted-quality"] == "0.9000"
    assert strong.requests[0] == {"model": "strong-raw", "messages": HI}


async def test_the_cheap_alias_asks_the_cheap_model(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        answer = await gateway.chat(model="auto:cheap")
    assert answer.json()["model"] == "maker/cheap"
    assert len(cheap.requests) == 1


async def test_a_constraint_excludes_the_dear_model(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.chat(routing={"policy": "best", "require": {"max_cost_usd": 0.01}})
    assert answer.json()["model"] == "maker/cheap"
    assert strong.requests == []


async def test_constraints_in_several_lines_of_a_header_all_hold(tmp_path: Path) -> None:
    """Of repeated headers the last counts elsewhere: a boundary would be lost without a word."""

    async def asked(gateway: RunningGateway, *lines: tuple[str, str]) -> httpx.Response:
        body = {"model": "auto", "messages": HI, "routing": {"policy": "best"}}
        return await gateway.client.post(CHAT, json=body, headers=list(lines))

    cheap, slow = ("x-paretogate-require", "max_cost_usd=0.01"), ("x-paretogate-require", "max_ttft_s=100")
    async with pair(tmp_path) as (gateway, _, __):
        assert (await asked(gateway, cheap, slow)).json()["model"] == "maker/cheap"
        assert (await asked(gateway, slow, cheap, slow)).json()["model"] == "maker/cheap"
        twice = await asked(gateway, cheap, ("x-paretogate-require", "max_cost_usd=1"))
        assert (twice.status_code, twice.json()["error"]["code"]) == (400, "invalid_routing")
        both = [("x-paretogate-policy", name) for name in ("cheap", "best")]
        refused = await gateway.client.post(CHAT, json={"model": "auto", "messages": HI}, headers=both)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_routing")


async def test_the_answer_says_which_constraints_whoever_gave_it_breaks(tmp_path: Path) -> None:
    require = {"max_cost_usd": 1e-9, "min_quality": 0.9}
    wish = {"policy": "best", "require": require, "on_infeasible": "cheapest"}
    async with pair(tmp_path) as (gateway, _, cheap):
        first = await gateway.chat(routing=wish)
        cheap.misbehave(Misbehaviour(fault="status", status=500))
        second = await gateway.chat(routing=wish)
        kept = await gateway.chat(routing={"policy": "best"})
    assert (first.headers["x-paretogate-model"], second.headers["x-paretogate-model"]) == (
        "maker/cheap",
        "maker/strong",
    )
    assert first.headers["x-paretogate-relaxed"] == "max_cost_usd, min_quality"
    assert second.headers["x-paretogate-relaxed"] == "max_cost_usd"
    assert "x-paretogate-relaxed" not in kept.headers


@pytest.mark.parametrize("name", ["maker/strong", "strong", "Strong", "strong-raw"])
async def test_a_concrete_name_bypasses_the_choice(tmp_path: Path, name: str) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(model=name)
    assert answer.headers["x-paretogate-model"] == "maker/strong"
    assert answer.headers["x-paretogate-reason"] == "named"
    assert gateway.journal.of("decision")[0]["propensity"] == 1.0


async def test_a_named_model_still_obeys_what_is_required_of_it(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, __):
        answer = await gateway.chat(model="strong", routing={"require": {"max_cost_usd": 0.01}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_eligible_model")
    assert strong.requests == []


@pytest.mark.parametrize("suffix", ["floor", "nitro"])
async def test_a_suffix_stays_with_its_model(tmp_path: Path, suffix: str) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(model=f"strong:{suffix}")
    assert answer.json()["model"] == "maker/strong"


async def test_every_byte_that_need_not_change_reaches_the_backend(tmp_path: Path) -> None:
    content = b'[{"type": "text", "text": "\\u00e9"}]'
    raw = b'{"model": "auto", "odd": [1.50, {"x": null}], "messages": [{"role": "user", "content": ' + content + b"}]}"
    async with pair(tmp_path) as (gateway, strong, _):
        await gateway.client.post(CHAT, content=raw, headers={"x-paretogate-policy": "best"})
    assert strong.raw_requests == [raw.replace(b'"auto"', b'"strong-raw"')]


async def test_a_stream_arrives_whole_and_hides_what_was_not_asked_for(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.chat(stream=True)
    events = answer.text.strip().split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-paretogate-model"] == "maker/strong"
    assert events[-1] == "data: [DONE]"
    assert "prompt_tokens" not in answer.text
    assert strong.requests[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("in_last_choice", [False, True])
async def test_a_streamed_answer_costs_what_a_whole_one_costs(tmp_path: Path, in_last_choice: bool) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.usage_in_last_choice = in_last_choice
        await gateway.chat(stream=True)
        await gateway.chat()
    streamed, whole = gateway.journal.of("outcome")
    # 6 plain tokens at $10/M, 4 cached ones at $5/M, 2 out at $20/M
    assert streamed["cost_usd"] == whole["cost_usd"] == pytest.approx(0.00012)


async def test_late_facts_come_with_the_token_counts(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(stream=True, stream_options={"include_usage": True})
    last = orjson.loads(answer.text.strip().split("\n\n")[-2].removeprefix("data: "))
    assert last["usage"]["prompt_tokens"] == 10
    assert last["routing"]["cost_usd"] == pytest.approx(0.00012)


async def test_an_explanation_comes_with_the_answer_where_asked_for(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(routing={"explain": True})
    explained = answer.json()["routing"]
    assert explained["chosen"] == "maker/strong"
    assert explained["front"] == ["maker/strong", "maker/cheap"]
    assert explained["attempts"] == 1


async def test_the_decision_is_kept_before_the_backend_is_asked(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        go_on = asyncio.Event()
        strong.misbehave(Misbehaviour(fault="slow_first_token", until=go_on))
        asking = asyncio.create_task(gateway.chat())
        await strong.wait_until_asked()
        assert [kind for kind, _ in gateway.journal.records] == ["decision"]
        go_on.set()
        answer = await asking
    outcome = gateway.journal.of("outcome")[0]
    assert outcome["decision_id"] == answer.headers["x-paretogate-decision-id"]
    assert (outcome["status"], outcome["response_id"]) == ("ok", "chatcmpl-fake")


async def test_a_decision_alone_asks_nobody_and_leaves_no_trace(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        for path, wish in ((CHAT, {"route_only": True}), ("/routing" + CHAT, {})):
            answer = await gateway.client.post(path, json={"messages": HI, "routing": {"policy": "best", **wish}})
            assert answer.json()["models"] == ["maker/strong", "maker/cheap"]
            assert answer.json()["dry_run"] is True
    assert strong.requests == cheap.requests == []
    assert gateway.journal.records == []


async def test_a_decision_may_be_about_models_without_a_backend(tmp_path: Path) -> None:
    wish = {"policy": "best", "models": {"allow": ["all"]}}
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post("/routing" + CHAT, json={"messages": HI, "routing": wish})
    assert "other/lonely" in answer.json()["models"]
    assert answer.json()["without_backend"] == ["other/lonely"]


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"messages": []}, 400, "invalid_request", "messages"),
        ({"messages": HI, "routing": {"polcy": "best"}}, 400, "invalid_routing", "routing.polcy"),
        ({"messages": HI, "model": "auto:nonsense"}, 400, "invalid_routing", "model"),
        ({"messages": HI, "model": "gpt-99"}, 404, "unknown_model", "model"),
        ({"messages": HI, "routing": {"require": {"min_quality": 0.99}}}, 422, "no_eligible_model", None),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(
    tmp_path: Path, body: dict[str, object], status: int, code: str, param: str | None
) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(CHAT, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


async def test_the_impossible_is_explained(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(routing={"require": {"min_quality": 0.95}})
    assert answer.json()["error"]["rejections"] == {"min_quality": 2}
    assert answer.json()["error"]["closest"]["id"] == "maker/strong"


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"messages": "\x00"}'])
async def test_what_is_not_json_is_a_400(tmp_path: Path, raw: bytes) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(CHAT, content=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_a_413(tmp_path: Path, chunked: bool) -> None:
    async def pieces():
        for _ in range(30):
            yield b"x" * 1000

    content = pieces() if chunked else b"x" * 30_000
    async with pair(tmp_path, settings={"server": {"max_body_bytes": 20_000}}) as (gateway, _, __):
        answer = await gateway.client.post(CHAT, content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_door_that_does_not_exist_is_a_json_404(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        missing = await gateway.client.post("/v1/nothing", json={})
        wrong_method = await gateway.client.get(CHAT)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong_method.status_code, wrong_method.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [CHAT, f"/routing{CHAT}", "/v1/messages/count_tokens"])
async def test_too_many_requests_at_once_are_told_to_come_back(tmp_path: Path, path: str) -> None:
    async with pair(tmp_path, settings={"server": {"max_concurrency": 1}}) as (gateway, strong, _):
        go_on = asyncio.Event()
        strong.misbehave(Misbehaviour(fault="slow_first_token", until=go_on))
        slow = asyncio.create_task(gateway.chat())
        await strong.wait_until_asked()
        refused = await gateway.client.post(path, json={"messages": HI})
        go_on.set()
        assert (await slow).status_code == 200
        assert (await gateway.client.post(path, json={"messages": HI})).status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_backends_work(tmp_path: Path, stream: bool) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="stall" if stream else "slow_first_token", delay_s=600.0))
        body = orjson.dumps({"messages": HI, "stream": stream})
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        await strong.wait_until_asked()
        if stream:
            await reader.readuntil(b"strong")
        writer.close()
        await until(lambda: strong.cancelled == 1 and gateway.journal.of("outcome"))
    assert gateway.journal.of("outcome")[0]["status"] == "cancelled"


async def test_a_key_reaches_its_backend_and_nothing_else(tmp_path: Path) -> None:
    secret = "sk-planted-0123456789abcdef"
    async with pair(tmp_path, api_keys={"strong": secret}) as (gateway, strong, cheap):
        strong.misbehave(Misbehaviour(fault="status", status=401), times=2)
        answer = await gateway.chat(routing={"policy": "best"})
        refused = await gateway.chat(model="strong")
        metrics = await gateway.client.get("/metrics")
    assert strong.request_headers[0]["authorization"] == f"Bearer {secret}"
    assert "authorization" not in cheap.request_headers[0]
    assert answer.json()["model"] == "maker/cheap"
    assert refused.status_code == 502
    told = answer.text + refused.text + metrics.text + str(answer.headers) + repr(gateway.journal.records)
    assert secret not in told


async def test_the_official_client_needs_only_another_address(tmp_path: Path) -> None:
    async with (
        pair(tmp_path) as (gateway, _, __),
        openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="x") as client,
    ):
        answer = await client.chat.completions.create(model="auto", messages=HI)  # type: ignore[arg-type]
        words = ""
        async for chunk in await client.chat.completions.create(model="auto:cheap", messages=HI, stream=True):  # type: ignore[arg-type, call-overload]
            words += chunk.choices[0].delta.content or ""
        models = [model.id async for model in client.models.list()]
        with pytest.raises(openai.UnprocessableEntityError, match="min_quality"):
            await client.chat.completions.create(
                model="auto",
                messages=HI,
                extra_body={"routing": {"require": {"min_quality": 1}}},  # type: ignore[arg-type]
            )
    assert answer.choices[0].message.content == "strong words"
    assert words == "cheap words here"
    assert models[0] == "auto"
    assert "maker/strong" in models


async def test_no_backend_at_all_is_a_clear_refusal(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        async with running(backend("strong", url), tmp_path=tmp_path) as gateway:
            answer = await gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")


async def test_with_no_backend_decisions_are_made_and_answers_refused(tmp_path: Path) -> None:
    wish = {"policy": "best", "models": {"allow": ["maker/*"]}}
    async with running(tmp_path=tmp_path) as gateway:
        refused = await gateway.chat()
        decided = await gateway.client.post("/routing" + CHAT, json={"messages": HI, "routing": wish})
        listed = await gateway.client.get("/v1/models")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "no_eligible_model")
    assert decided.json()["models"] == ["maker/strong", "maker/cheap"]
    assert decided.json()["callable"] is False
    assert listed.json()["data"][0]["id"] == "auto"


async def test_a_compressed_body_is_refused_by_name(tmp_path: Path) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(CHAT, content=gzip.compress(b'{"messages":[]}'), headers=headers)
        plain = await gateway.client.post(CHAT, json={"messages": HI}, headers={"content-encoding": "identity"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "content-encoding")
    assert plain.status_code == 200
