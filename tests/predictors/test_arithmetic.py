"""The same sums on every machine."""

import os
import platform
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from predictors.arithmetic import settings_of_common_arithmetic
from predictors.quality.model import QualityModel

umath: Any = import_module("numpy._core._multiarray_umath")
needs_avx2 = pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"} or not umath.__cpu_features__["AVX2"],
    reason="arithmetic that other machines share needs an x86-64 processor with AVX2",
)

TOLD = """
import os, numpy, scipy.linalg, threadpoolctl
from predictors.arithmetic import settings_of_common_arithmetic
print(settings_of_common_arithmetic(os.environ), {lib["architecture"] for lib in threadpoolctl.threadpool_info()})
"""


@needs_avx2
def test_a_process_with_the_settings_has_the_common_arithmetic() -> None:
    settings = settings_of_common_arithmetic({})
    assert settings["OPENBLAS_CORETYPE"] == "Haswell"
    told = subprocess.run(
        [sys.executable, "-c", TOLD], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "{} {'Haswell'}"


@needs_avx2
def test_the_shipped_model_is_what_train_makes_of_the_public_data() -> None:
    folder = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))
    if not (folder / "routing").is_dir():
        pytest.skip("the public datasets are not here: set PARETOGATE_DATA")
    made_with = QualityModel.load().manifest["libraries"]
    if (here := {name: version(name) for name in made_with}) != made_with:
        pytest.skip(f"it was made with {made_with}, here are {here}")
    command = [sys.executable, "-c", "import typer; from predictors.cli import train; typer.run(train)"]
    made = subprocess.run([*command, "--check", "--data", str(folder)], capture_output=True, text=True, check=False)
    assert made.stdout.splitlines()[-2:] == ["arrays.npz: the same", "manifest.json: the same"], made.stderr
