# ruff: noqa: T201 - a command prints
"""What finding tools costs: `python -m tests.benchmarks.bench_tools [--sizes N ...] [--chart FILE.svg] [--json]`.

Whole retrieval for 1,000 tools (read, encode, score, shortlist, second look) by the static encoder, on public
requests where PARETOGATE_DATA has them, else on made-up ones; the same among very many tools, of which all but the
1,000 are made up from their words; adding, changing and removing a tool while serving; what others wait for while a
gateway reads ten thousand tools of one request; and an index of very many tools against exact search. Latencies of the
whole retrieval are also a multiple of a reference measured in the same run, a 256 x 256 matrix-vector product in numpy
repeated a hundred times.
"""

import argparse
import asyncio
import json
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from eval.tools.scale_chart import ScalePoint, scale_chart
from eval.tools.tables import read_labelled
from gateway.upstreams.fake import FakeProvider
from predictors.encoders import StaticEncoder
from predictors.tools import StackedRetriever, Tool, ToolRegistry, ToolUsage
from predictors.tools.text.lexical import LexicalIndex
from predictors.tools.vector_index import VectorIndex
from tests.end_to_end.conftest import start

N_TOOLS = 1_000
TOP_K = 10


def took_ms(work: Callable[[int], object], *, repeats: int) -> np.ndarray:
    """Milliseconds of each repetition, after a warm-up."""
    for i in range(max(3, repeats // 10)):
        work(i)
    times = np.empty(repeats)
    for i in range(repeats):
        started = time.perf_counter()
        work(i)
        times[i] = time.perf_counter() - started
    return times * 1e3


def public_tools() -> tuple[ToolRegistry, ToolUsage, tuple[str, ...]] | None:
    """The first 1,000 tools of bfcl, those in use first, its train requests and its test requests."""
    folder = Path(os.environ.get("PARETOGATE_DATA", "../shared/data")) / "tools" / "bfcl"
    if not folder.is_dir():
        return None
    labelled = read_labelled(folder / "tools.parquet", folder / "queries.parquet", folder / "queries.parquet")
    ordered = sorted(labelled.registry, key=lambda tool: tool.tool_id not in labelled.uses)
    return ToolRegistry(tools=tuple(ordered[:N_TOOLS])), labelled.train, labelled.test.queries


def made_up_tools() -> tuple[ToolRegistry, ToolUsage, tuple[str, ...]]:
    """Pairs of a verb and a noun, and requests that name one."""
    verbs = [f"verb{i}" for i in range(20)]
    nouns = [f"noun{i}" for i in range(50)]
    tools = tuple(
        Tool(tool_id=f"{v}-{n}", name=f"{v}_{n}", description=f"Will {v} the {n}.") for v in verbs for n in nouns
    )
    rng = np.random.default_rng(0)
    used = [tools[int(i)] for i in rng.integers(len(tools), size=1_200)]
    queries = [f"please {tool.name.replace('_', ' the ')} for me" for tool in used]
    usage = ToolUsage.of(queries, [[tool.tool_id] for tool in used])
    return ToolRegistry(tools=tools), usage, tuple(queries[:300])


def whole_retrieval(repeats: int) -> dict[str, float]:
    """Latency of one request, of a fit, and of one change of the registry."""
    registry, usage, queries = public_tools() or made_up_tools()
    matrix, vector = np.ones((256, 256), dtype=np.float32), np.ones(256, dtype=np.float32)
    reference = float(np.median(took_ms(lambda _: [matrix @ vector for _ in range(100)], repeats=repeats)))
    started = time.perf_counter()
    retriever = StackedRetriever(StaticEncoder.load()).fit(registry, usage)
    fit_s = time.perf_counter() - started
    times = took_ms(lambda i: retriever.rank([queries[i % len(queries)]], TOP_K), repeats=repeats)
    fresh = [Tool(tool_id=f"fresh{i}", name=f"fresh_{i}", description="Comes and goes.") for i in range(20)]
    added = took_ms(lambda i: retriever.update(registry.with_tools([fresh[i % 20]])), repeats=20)
    p50, p99 = float(np.median(times)), float(np.quantile(times, 0.99))
    return {
        "tools": len(registry),
        "usage_requests": len(usage.within(registry)),
        "p50_ms": p50,
        "p99_ms": p99,
        "p50_over_reference": p50 / reference,
        "fit_s": fit_s,
        "swap_one_tool_ms": float(np.median(added)),
    }


def resident_mib() -> float:
    """Memory this process holds now; NaN where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if statm.exists() else float("nan")


def clustered(n_centres: int, n: int, dim: int, *, seed: int) -> np.ndarray:
    """Unit vectors around centres: tools of one provider describe themselves alike."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(n_centres, dim)).astype(np.float32)
    rows = centres[rng.integers(len(centres), size=n)]
    rows += 0.7 * rng.normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def padded(registry: ToolRegistry, n: int) -> ToolRegistry:
    """The registry with made-up tools up to n: a name of one tool, half a description of each of two others."""
    rng = np.random.default_rng(0)
    tools = registry.tools
    made = []
    for number, (a, b, c) in enumerate(rng.integers(len(tools), size=(max(0, n - len(tools)), 3)).tolist()):
        halves = tools[b].description.split(), tools[c].description.split()
        words = [*halves[0][: len(halves[0]) // 2], *halves[1][len(halves[1]) // 2 :]]
        made.append(Tool(tool_id=f"made{number}", name=f"{tools[a].name}_{number}", description=" ".join(words)))
    return ToolRegistry(tools=tools + tuple(made))


def whole_retrieval_among(n: int, repeats: int) -> dict[str, float]:
    """The whole retrieval with an index, and its share of the ten tools that scoring all of them finds."""
    small, usage, queries = public_tools() or made_up_tools()
    registry = padded(small, n)
    started = time.perf_counter()
    retriever = StackedRetriever(StaticEncoder.load(), boosted=False).fit(registry, usage)
    fit_s = time.perf_counter() - started
    exact = StackedRetriever(retriever.encoder, exact_up_to=n)
    exact.restore(retriever.evidence_, retriever.channels_, retriever.stage_)
    asked = queries[: min(repeats, 100)]
    shared = [
        len(set(retriever.rank([q], TOP_K)[0].tool_ids) & set(exact.rank([q], TOP_K)[0].tool_ids)) / TOP_K
        for q in asked
    ]
    times = took_ms(lambda i: retriever.rank([asked[i % len(asked)]], TOP_K), repeats=len(asked))
    all_times = took_ms(lambda i: exact.rank([asked[i % len(asked)]], TOP_K), repeats=20)
    fresh = Tool(tool_id="fresh", name="fresh", description="Comes and goes.")
    started = time.perf_counter()
    retriever.update(registry.with_tools([fresh]))
    return {
        "tools": n,
        "fit_s": fit_s,
        "p50_ms": float(np.median(times)),
        "p50_ms_scoring_all": float(np.median(all_times)),
        "shared_of_top_10": float(np.mean(shared)),
        "swap_one_tool_s": time.perf_counter() - started,
    }


def others_meanwhile(n_tools: int) -> dict[str, float]:
    """What somebody else waits for a small answer while a gateway of one worker chooses among the tools of a request.

    The first of the requests also has its tools read and indexed; the second only chosen.
    """
    many = [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": _SCHEMA}}
        for t in padded(made_up_tools()[0], n_tools)
    ]
    body = json.dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "tools": many})
    found: dict[str, float] = {"tools": n_tools, "body_mb": len(body) / 1e6}
    with tempfile.TemporaryDirectory() as folder, fake_provider() as provider_url:
        backend = {"id": "fake", "profile": "openai/gpt-4o-mini", "kind": "openai", "base_url": provider_url}
        more = {
            "PARETOGATE_BACKENDS": json.dumps([backend]),
            "PARETOGATE_EMBEDDED__ENABLED": "off",
            "PARETOGATE_TOOLS__DEADLINE_MS": "60000",
        }
        gateway = start(Path(folder) / "state", more=more)
        try:
            with httpx.Client(base_url=gateway.url, timeout=60) as client:
                alone = took_ms(lambda _: client.get("/healthz").raise_for_status(), repeats=200)
                found["alone_p50_ms"] = float(np.median(alone))
                for name in ("first", "again"):
                    large = threading.Thread(target=_ask_for_tools, args=(gateway.url, body, n_tools))
                    waits = []
                    started = time.perf_counter()
                    large.start()
                    while large.is_alive():
                        asked = time.perf_counter()
                        client.get("/healthz").raise_for_status()
                        waits.append(1e3 * (time.perf_counter() - asked))
                    found[f"{name}_took_s"] = time.perf_counter() - started
                    found[f"{name}_others"] = len(waits)
                    found[f"{name}_others_p50_ms"] = float(np.median(waits))
                    found[f"{name}_others_longest_ms"] = max(waits)
        finally:
            gateway.stop()
    return found


def _ask_for_tools(url: str, body: str, n_tools: int) -> None:
    answer = httpx.post(f"{url}/v1/chat/completions", content=body, headers=_JSON, timeout=60)
    if answer.headers.get("x-paretogate-tools") != f"{n_tools}->10":
        raise SystemExit(f"{answer.status_code} {answer.headers.get('x-paretogate-tools')}: {answer.text[:300]}")


_SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
_JSON = {"content-type": "application/json"}


@contextmanager
def fake_provider() -> Iterator[str]:
    """A provider that answers at once, on a loop of its own thread."""
    ready, stop = queue.Queue[str](), threading.Event()

    async def serve() -> None:
        async with FakeProvider() as provider:
            ready.put(provider.url)
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield ready.get(timeout=30)
    finally:
        stop.set()
        thread.join()


def very_many(n: int, dim: int, repeats: int) -> dict[str, float]:
    """Build, search against exact search, add and remove, for n tools."""
    vectors = clustered(n // 50, n, dim, seed=1)
    queries = clustered(n // 50, repeats, dim, seed=2)
    before = resident_mib()
    started = time.perf_counter()
    index = VectorIndex(dim=dim)
    index.put([str(i) for i in range(n)], vectors)
    build_s, memory = time.perf_counter() - started, resident_mib() - before
    exact = [set(np.argpartition(-(vectors @ query), TOP_K)[:TOP_K].tolist()) for query in queries]
    found = [{int(tool) for tool, _ in index.search(query[None], TOP_K)[0]} for query in queries]
    search = took_ms(lambda i: index.search(queries[i % len(queries)][None], TOP_K), repeats=repeats)
    swap = took_ms(lambda i: index.put([str(i)], vectors[i : i + 1]), repeats=20)
    return {
        "tools": n,
        "build_s": build_s,
        "recall_at_10": float(np.mean([len(a & b) / TOP_K for a, b in zip(exact, found, strict=True)])),
        "p50_ms": float(np.median(search)),
        "p99_ms": float(np.quantile(search, 0.99)),
        "replace_one_ms": float(np.median(swap)),
        "memory_mib": memory,
        "vectors_alone_mib": n * dim * 4 / 2**20,
    }


def words_of_many(n: int, repeats: int) -> dict[str, float]:
    """The lexical index for n documents of twelve words from a vocabulary in which words are as rare as in text."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(20_000)])
    drawn = words[np.minimum(rng.zipf(1.3, size=(n, 12)), 20_000) - 1]
    started = time.perf_counter()
    index = LexicalIndex()
    index.add([document] for document in drawn.tolist())
    build_s = time.perf_counter() - started
    search = took_ms(lambda i: index.scores(drawn[i % n].tolist()), repeats=repeats)
    return {"tools": n, "build_s": build_s, "p50_ms": float(np.median(search))}


def points_of(rows: list[dict[str, float]]) -> list[ScalePoint]:
    """The measured sizes as points of the chart."""
    return [
        ScalePoint(
            n_tools=int(row["tools"]),
            recall=row["recall_at_10"],
            latency_ms=row["p50_ms"],
            memory_mib=row["memory_mib"],
            build_s=row["build_s"],
        )
        for row in rows
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--retrieval-sizes", type=int, nargs="*", default=[30_000])
    parser.add_argument("--offered", type=int, nargs="*", default=[10_000], help="tools of one request to a gateway")
    parser.add_argument("--chart", type=Path, help="write recall, latency, memory and build time of the index (SVG)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    dim = StaticEncoder.load().dim
    report: dict[str, object] = {"whole_retrieval": whole_retrieval(args.repeats)}
    print(f"whole retrieval: {report['whole_retrieval']}", file=sys.stderr)
    report["whole_retrieval_among"] = [whole_retrieval_among(n, args.repeats) for n in args.retrieval_sizes]
    print(f"among many: {report['whole_retrieval_among']}", file=sys.stderr)
    report["others_meanwhile"] = [others_meanwhile(n) for n in args.offered]
    print(f"others meanwhile: {report['others_meanwhile']}", file=sys.stderr)
    report["vector_index"] = []
    report["lexical_index"] = []
    for size in args.sizes:
        report["vector_index"].append(very_many(size, dim, args.repeats))  # type: ignore[attr-defined]
        print(f"vectors: {report['vector_index'][-1]}", file=sys.stderr)  # type: ignore[index]
        if size <= 100_000:
            report["lexical_index"].append(words_of_many(size, 50))  # type: ignore[attr-defined]
            print(f"words: {report['lexical_index'][-1]}", file=sys.stderr)  # type: ignore[index]
    if args.chart is not None:
        args.chart.write_text(scale_chart("An index of tools, one thread", points_of(report["vector_index"])))  # type: ignore[arg-type]
    if args.json:
        print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
