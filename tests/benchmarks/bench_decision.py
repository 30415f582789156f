"""How long a decision takes, forecast excluded: `python -m tests.benchmarks.bench_decision [--json]`."""

import json
import sys
from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

from catalog import Backend, ModelProfile, Pool, PoolEntry
from predictors import Query
from router import Constraints, FixedForecasts, Router, RoutingOptions, decision_record, forecast_of, read_options

SIZES = (10, 30, 100, 1_000, 3_000)
ASKED = Query(text="Why is the sky blue?", input_tokens=200, max_output_tokens=300)
OPTIONS = RoutingOptions(require=Constraints(max_cost_usd=0.05, privacy="no_training"))


def a_router(n: int) -> Router:
    """A pool in which the dearer tends to be better, as in life, and a third breaks a constraint."""
    rng = np.random.default_rng(n)
    pool = Pool(
        PoolEntry(
            profile=ModelProfile(id=f"maker/m{i}", name=f"m{i}", context_tokens=8_000),
            backend=Backend(
                id=f"b{i}",
                profile_id=f"maker/m{i}",
                kind="fake",
                provider="maker",
                model_name=f"m{i}",
                privacy="local" if i % 3 else "any",
            ),
        )
        for i in range(n)
    )
    worth = rng.random(n)
    forecast = forecast_of(
        pool,
        quality=(0.3 + 0.5 * worth + 0.1 * rng.random(n)).tolist(),
        quality_se=0.05,
        cost_usd=(10 ** (-5 + 3 * worth + rng.normal(0, 0.5, n))).tolist(),
        latency_s=rng.uniform(0.5, 5.0, n).tolist(),
        output_tokens=300.0,
    )
    return Router(FixedForecasts(pool=pool, fixed=forecast))


def percentiles_us(call: Callable[[], object], *, calls: int) -> tuple[float, float]:
    """Median and 99th percentile of one call, microseconds."""
    for _ in range(20):
        call()
    taken = np.empty(calls)
    for k in range(calls):
        started = perf_counter_ns()
        call()
        taken[k] = perf_counter_ns() - started
    p50, p99 = np.percentile(taken, [50, 99]) / 1e3
    return round(float(p50), 1), round(float(p99), 1)


def rows() -> list[dict[str, object]]:
    """One row per size and step."""
    found: list[dict[str, object]] = []
    for n in SIZES:
        router, rng, calls = a_router(n), np.random.default_rng(0), 2_000 if n <= 100 else 300
        quality = router.source.forecast(ASKED).quality
        decision = router.decide(ASKED, OPTIONS, rng=rng)

        def record(decision: object = decision) -> object:
            who = {"decision_id": "d", "time": 0.0, "tenant": None, "key_id": None, "session": None}
            return decision_record(decision, query=ASKED, options=OPTIONS, **who)  # type: ignore[arg-type]

        steps: dict[str, Callable[[], object]] = {
            "decide": lambda router=router, rng=rng: router.decide(ASKED, OPTIONS, rng=rng),  # type: ignore[misc]
            "record": record,
            "argmax": lambda quality=quality: int(np.argmax(quality)),  # type: ignore[misc]
        }
        for step, call in steps.items():
            p50, p99 = percentiles_us(call, calls=calls)
            found.append({"step": step, "candidates": n, "front": len(decision.front), "p50_us": p50, "p99_us": p99})
    body: dict[str, object] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {f"x-header-{i}": "value" for i in range(12)}
    said = {"policy": "cheap", "require": {"max_cost_usd": 0.1, "regions": ["eu"]}}
    for step, request in (("read_nothing", body), ("read_routing", {**body, "routing": said})):
        p50, p99 = percentiles_us(
            lambda request=request: read_options(model="auto", body=request, headers=headers),  # type: ignore[misc]
            calls=5_000,
        )
        found.append({"step": step, "candidates": 0, "front": 0, "p50_us": p50, "p99_us": p99})
    return found


def table(measured: list[dict[str, object]]) -> str:
    """The same for people."""
    lines = [f"{'step':<14}{'candidates':>12}{'front':>8}{'p50 us':>10}{'p99 us':>10}"]
    lines += [
        f"{row['step']:<14}{row['candidates']:>12}{row['front']:>8}{row['p50_us']:>10}{row['p99_us']:>10}"
        for row in measured
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    measured = rows()
    sys.stdout.write((json.dumps(measured) if "--json" in sys.argv else table(measured)) + "\n")
