"""What cutting tools does for a real model: the same questions with all tools, and with those that are found.

    python -m tests.benchmarks.bench_tools_end_to_end [--questions 20] [--offered 30] [--top-k 5] [--max-tokens 96]

Questions of bfcl's test split (PARETOGATE_DATA) go through `paretogate serve` to SmolLM2-135M behind llama.cpp. Each
offers the tools it needs among others drawn at random. The model's own chat template knows no tools, so llama.cpp is
given one that does, with a worked example (`chatml_with_tools.jinja`). A valid call names an offered tool with
arguments that its schema admits; a right one names tools that the question is labelled with.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import numpy as np
import polars as pl
import xllamacpp

from gateway.upstreams.embedded import find_weights

_MODEL = "SmolLM2-135M-Instruct"
_TEMPLATE = Path(__file__).parent / "chatml_with_tools.jinja"
_CONFIG = """
[[backends]]
id = "smollm2"
kind = "llama_cpp"
profile = "SmolLM2-135M-Instruct"
model = "smollm2"
base_url = "{url}/v1"
limits = {{ timeout_s = 600.0, first_token_timeout_s = 600.0 }}
[embedded]
enabled = "off"
[state]
dir = "{folder}"
"""
_JSON_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": None}
_DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data")) / "tools" / "bfcl"


@dataclass(frozen=True, kw_only=True)
class Question:
    text: str
    wanted: frozenset[str]
    tools: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Answered:
    status: int
    prompt_tokens: int
    seconds: float
    sent: str
    holds_wanted: bool
    called: bool
    valid: bool
    right: bool


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--offered", type=int, default=30)
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=96)
    args = parser.parse_args()
    questions = _questions(args.questions, args.offered, np.random.default_rng(0))
    ways: dict[str, Mapping[str, Any]] = {"all": {"select": "off"}, "found": {"select": "auto", "top_k": args.top_k}}
    results: dict[str, list[Answered]] = {name: [] for name in ways}
    model = _language_model()  # ends when it is let go
    with _gateway(model.listening_address) as url, httpx.Client(base_url=url, timeout=600) as client:
        for number, question in enumerate(questions):
            for name in (list(ways), list(ways)[::-1])[number % 2]:  # by turns: a busy machine disturbs both alike
                results[name].append(_ask(client, question, ways[name], args.max_tokens))
            for name, answers in results.items():
                _say(f"{number + 1}/{len(questions)} {_row(name, answers)}", file=sys.stderr)
    heads = ("tools", "prompt tokens", "latency p50, s", "wanted tools sent", "calls", "valid", "right", "refused")
    _say(f"| {' | '.join(heads)} |")
    _say("| --- |" + " ---: |" * (len(heads) - 1))
    for name, answers in results.items():
        _say(_row(name, answers))


def _say(line: str, file: Any = None) -> None:
    (file or sys.stdout).write(line + "\n")


def _row(name: str, answers: list[Answered]) -> str:
    ok = [a for a in answers if a.status == 200]
    n = len(answers)
    tokens = np.mean([a.prompt_tokens for a in ok]) if ok else float("nan")
    latency_s = np.median([a.seconds for a in ok]) if ok else float("nan")
    facts = [sum(getattr(a, what) for a in answers) for what in ("holds_wanted", "called", "valid", "right")]
    shares = " | ".join(f"{count}/{n}" for count in facts)
    return f"| {name} ({answers[0].sent}) | {tokens:,.0f} | {latency_s:.1f} | {shares} | {n - len(ok)}/{n} |"


def _questions(count: int, offered: int, rng: np.random.Generator) -> list[Question]:
    tools = {row["tool_id"]: row for row in pl.read_parquet(_DATA / "tools.parquet").to_dicts()}
    asked = pl.read_parquet(_DATA / "queries.parquet").filter(pl.col("split") == "test")
    rows = asked.sample(count, seed=0, shuffle=True).to_dicts()
    found = []
    for row in rows:
        wanted = set(row["tool_ids"])
        others = [t for t in tools if t not in wanted]
        drawn = [others[i] for i in rng.choice(len(others), offered - len(wanted), replace=False)]
        mixed = [[*wanted, *drawn][i] for i in rng.permutation(offered)]
        declared = [_declared(tools[tool_id]) for tool_id in mixed]
        found.append(Question(text=row["query"], wanted=frozenset(map(_name, wanted)), tools=declared))
    return found


def _declared(row: Mapping[str, Any]) -> dict[str, Any]:
    schema = _as_json_schema(json.loads(row["parameters_json"] or '{"type": "object", "properties": {}}'))
    return {
        "type": "function",
        "function": {"name": _name(row["tool_id"]), "description": row["description"] or "", "parameters": schema},
    }


def _name(tool_id: str) -> str:
    """As OpenAI admits names."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in tool_id)[:64]


def _as_json_schema(value: Any) -> Any:
    """bfcl writes types as Python and Java do."""
    if isinstance(value, list):
        return [_as_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _as_json_schema(item) for key, item in value.items() if not (key == "required" and not item)}
    if isinstance(kind := kept.get("type"), str):
        plain = _JSON_TYPES.get(kind.lower(), kind.lower())
        known = plain in {"object", "array", "string", "number", "integer", "boolean", "null"}
        kept = kept | {"type": plain} if known else {k: v for k, v in kept.items() if k != "type"}
    return kept


def _ask(client: httpx.Client, question: Question, wishes: Mapping[str, Any], max_tokens: int) -> Answered:
    began_s = time.perf_counter()
    response = client.post(
        "/v1/chat/completions",
        json={
            "model": _MODEL,
            "messages": [{"role": "user", "content": question.text}],
            "tools": question.tools,
            "tool_choice": "auto",
            "temperature": 0,
            "max_tokens": max_tokens,
            "routing": {"tools": wishes},
        },
    )
    seconds = time.perf_counter() - began_s
    body = response.json()
    if response.status_code != 200:
        _say(response.text[:300], file=sys.stderr)
    message = body["choices"][0]["message"] if response.status_code == 200 else {}
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in question.tools}
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return Answered(
        status=response.status_code,
        prompt_tokens=body.get("usage", {}).get("prompt_tokens", 0),
        seconds=seconds,
        sent=response.headers.get("x-paretogate-tools", ""),
        holds_wanted=_holds(client, question, wishes),
        called=bool(calls),
        valid=bool(calls) and all(_is_valid(call, schemas) for call in calls),
        right=bool(calls) and {call["name"] for call in calls} <= question.wanted,
    )


def _holds(client: httpx.Client, question: Question, wishes: Mapping[str, Any]) -> bool:
    """Whether what would be sent holds every tool that the question is labelled with."""
    decided = client.post(
        "/routing/v1/chat/completions",
        json={
            "model": _MODEL,
            "messages": [{"role": "user", "content": question.text}],
            "tools": question.tools,
            "routing": {"tools": wishes},
        },
    ).json()
    return question.wanted <= set(decided.get("tools", {}).get("names", ()))


def _is_valid(call: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    try:
        return call["name"] in schemas and bool(
            jsonschema_rs.is_valid(schemas[call["name"]], json.loads(call["arguments"]))
        )
    except ValueError:
        return False


def _language_model() -> xllamacpp.Server:
    """Ends with this process."""
    params = xllamacpp.CommonParams()
    params.model.path = str(find_weights())
    params.chat_template = _TEMPLATE.read_text(encoding="utf-8")
    params.n_parallel, params.n_ctx, params.verbosity = 1, 8192, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        params.port = free.getsockname()[1]
    return xllamacpp.Server(params)


@contextmanager
def _gateway(model_url: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "paretogate.toml"
        config.write_text(_CONFIG.format(url=model_url, folder=folder), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--port", str(port), "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/v1/models", timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit("the gateway did not start")


if __name__ == "__main__":
    main()
