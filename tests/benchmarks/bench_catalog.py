"""How the catalog bears its size: `python -m tests.benchmarks.bench_catalog [--records N] [--json]`.

Loads the shipped catalog and 3,000 generated profiles, looks models up, then generates N records as a model hub lists
them, imports them in a process of its own (its peak memory is reported) and filters them.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from catalog import Catalog, ModelProfile
from catalog.importers.hub_records import find_records, import_records

PROFILES = 3_000


def best_ms(call: Callable[[], object], *, repeats: int = 5) -> float:
    """The fastest of some calls, milliseconds."""
    taken = []
    for _ in range(repeats):
        started = perf_counter()
        call()
        taken.append(perf_counter() - started)
    return round(min(taken) * 1e3, 3)


def loading(folder: Path) -> dict[str, float]:
    """Milliseconds to load the shipped catalog and a larger one, microseconds to look up."""
    shipped = tuple(Catalog.load())
    path = folder / "catalog.json"
    more = Catalog.of(
        ModelProfile(
            id=f"maker{k}/{shipped[k % len(shipped)].name.split()[0].strip()}-{k}",
            name=f"model {k}",
            aliases=(f"alias-{k}",),
            context_tokens=8_192 + k,
            price=shipped[k % len(shipped)].price,
            ability=shipped[k % len(shipped)].ability,
        )
        for k in range(PROFILES)
    )
    path.write_bytes(more.pack())
    known = Catalog.load(path)
    wanted = known.ids[1_234]
    known.resolve("alias-7")
    return {
        "shipped_models": len(shipped),
        "shipped_load_ms": best_ms(Catalog.load),
        "load_3000_ms": best_ms(lambda: Catalog.load(path)),
        "load_and_build_3000_ms": best_ms(lambda: tuple(Catalog.load(path))),
        "lookup_id_us": best_ms(lambda: [known.get(wanted) for _ in range(1_000)]),  # ms per 1,000 are us per one
        "lookup_alias_us": best_ms(lambda: [known.resolve("alias-7") for _ in range(1_000)]),
    }


def write_records(path: Path, n: int) -> None:
    """Records like those of a hub: long-tailed downloads, half without a licence, a third without a size."""
    rng = np.random.default_rng(0)
    downloads = rng.pareto(1.0, n) * 10
    with path.open("w", encoding="utf-8") as lines:
        for k in range(n):
            record: dict[str, object] = {
                "id": f"owner{k % 90_000}/model-{k}-{'gguf' if k % 7 == 0 else 'instruct'}",
                "downloads": int(min(downloads[k], 1e9)),
                "likes": k % 50,
                "pipeline_tag": "text-generation" if k % 3 else "text-classification",
                "created_at": f"202{k % 6}-0{1 + k % 9}-15T10:00:00.000Z",
                "tags": ["transformers", "safetensors"],
            }
            if k % 2:
                record["license"] = ("apache-2.0", "mit", "llama3.1")[k % 3]
            if k % 3:
                record["params"] = int(10 ** (8 + 3 * (k % 97) / 97))
            lines.write(json.dumps(record) + "\n")


def importing(source: str, out: str, told: "multiprocessing.Queue[tuple[float, float, int]]") -> None:
    """Runs in a process of its own: seconds, peak memory beyond the libraries in MiB, records."""
    import polars as pl  # noqa: F401, PLC0415 - its own memory is no part of the import's

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = perf_counter()
    done = import_records(Path(source), Path(out))
    seconds = perf_counter() - started
    told.put((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, done.imported))


def hub(folder: Path, n: int) -> dict[str, float]:
    """Import and filter n records."""
    source, out = folder / "hub.jsonl", folder / "hub.parquet"
    write_records(source, n)
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[tuple[float, float, int]] = context.Queue()
    process = context.Process(target=importing, args=(str(source), str(out), told))
    process.start()
    seconds, peak_mib, imported = told.get(timeout=300)
    process.join()
    return {
        "records": imported,
        "source_mib": round(source.stat().st_size / 2**20, 1),
        "parquet_mib": round(out.stat().st_size / 2**20, 1),
        "import_s": round(seconds, 2),
        "import_peak_mib": round(peak_mib, 1),
        "filter_licence_size_ms": best_ms(lambda: find_records(out, licenses=["mit", "apache-2.0"], max_params_b=8)),
        "filter_name_ms": best_ms(lambda: find_records(out, name="model-1234", sort="likes")),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=850_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = loading(Path(folder)) | hub(Path(folder), args.records)
    if args.json:
        print(json.dumps(told))  # noqa: T201
        return
    for name, value in told.items():
        print(f"{name:>24}  {value:,}")  # noqa: T201


if __name__ == "__main__":
    main()
