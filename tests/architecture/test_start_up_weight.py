"""Heavy libraries are paid for by those who use them, never at start-up."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "sentence_transformers",
    "transformers",
    "litellm",
    "sklearn",
    "scipy",
    "polars",
    "pyarrow",
    "openai",
}


def modules_after(statement: str) -> set[str]:
    program = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import catalog, predictors, router",
        "import gateway.app",
        "import gateway.cli",
        "from importlib import import_module; import_module('eval')",
    ],
)
def test_starting_up_loads_no_heavy_library(statement: str) -> None:
    assert modules_after(statement) & HEAVY == set()


def test_deciding_loads_no_web_framework() -> None:
    assert (
        modules_after("import catalog, predictors, router") & {"fastapi", "starlette", "aiohttp", "pydantic"} == set()
    )


def test_the_journals_own_process_loads_next_to_nothing() -> None:
    heavy = {"numpy", "pydantic", "structlog", "asyncio", "aiohttp", "catalog", "router", "gateway.errors"}
    assert modules_after("import gateway.journal_store.__main__") & heavy == set()
