"""The real `promtool`: what Prometheus itself thinks of rules, expressions and made-up time series."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

__all__ = ["ROOT", "RULES", "needs_promtool", "promtool"]

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "paretogate.rules.yaml"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool in PATH; Debian's package `prometheus` has it"
)


def promtool(folder: Path, *command: str, asked: dict[str, Any]) -> str:
    """What it complains about, if anything; `asked` is written to a file that the command is given (JSON is YAML)."""
    file = folder / "asked.yaml"
    file.write_text(json.dumps(asked))
    done = subprocess.run(["promtool", *command, str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
