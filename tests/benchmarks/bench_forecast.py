# ruff: noqa: T201 - a command prints
"""What a forecast costs: `python -m tests.benchmarks.bench_forecast`.

Every figure is also a multiple of a reference measured in the same run, a 256 x 256 matrix-vector product in numpy
repeated a hundred times, so that runs on busy or different machines can be compared.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal

import numpy as np

from catalog import ModelProfile, Pool, PoolEntry, Price
from predictors import Forecaster, Query, read_query

SENTENCE = (
    "A train leaves the station at 9:40 and covers 210 km in 2.5 hours; how fast was it, and when did it arrive? "
)
PROMPTS = {"20 tokens": SENTENCE[:70], "200 tokens": SENTENCE * 6, "500 tokens": SENTENCE * 15}
POOLS = (10, 30, 100, 1000)


def percentiles(work: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """p50 and p99 in microseconds."""
    for _ in range(max(3, repeats // 20)):
        work()
    took = np.empty(repeats)
    for i in range(repeats):
        started = time.perf_counter()
        work()
        took[i] = time.perf_counter() - started
    p50, p99 = np.quantile(took, (0.5, 0.99)) * 1e6
    return float(p50), float(p99)


def pool_of(n: int) -> Pool:
    price = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(4))
    return Pool(
        PoolEntry(profile=ModelProfile(id=f"bench/m{i}", name=f"m{i}", params_total_b=1.0 + i, price=price))
        for i in range(n)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    started = time.perf_counter()
    forecaster = Forecaster.load()
    print(f"loaded in {(time.perf_counter() - started) * 1e3:.0f} ms", file=sys.stderr)
    matrix, vector = np.ones((256, 256), dtype=np.float32), np.ones(256, dtype=np.float32)
    work: dict[str, Callable[[], object]] = {"reference": lambda: [matrix @ vector for _ in range(100)]}
    for size, prompt in PROMPTS.items():
        work[f"encode, {size}"] = lambda prompt=prompt: forecaster.features.encoder.encode([prompt])  # type: ignore[misc]
        work[f"features, {size}"] = lambda prompt=prompt: forecaster.features.extract([prompt])  # type: ignore[misc]
    body = {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPTS["200 tokens"]}]
    }
    work["read a chat body, 200 tokens"] = lambda: read_query(body)
    query = Query.from_prompt(PROMPTS["200 tokens"])
    for n in POOLS:
        bound = forecaster.bind(pool_of(n))
        work[f"whole forecast, 200 tokens, {n} models"] = lambda bound=bound: bound.forecast(query)  # type: ignore[misc]
    thirty = pool_of(30)
    work["bind a pool of 30"] = lambda: forecaster.bind(thirty)
    table = {name: percentiles(doing, repeats=args.repeats) for name, doing in work.items()}
    base = table["reference"][0]
    if args.json:
        print(
            json.dumps({k: {"p50_us": a, "p99_us": b, "p50_over_reference": a / base} for k, (a, b) in table.items()})
        )
        return 0
    print(f"{'':44}{'p50 us':>10}{'p99 us':>10}{'x reference':>13}")
    for name, (p50, p99) in table.items():
        print(f"{name:44}{p50:10.0f}{p99:10.0f}{p50 / base:13.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
