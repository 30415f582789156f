"""The tests pass on any machine: behind a proxy, with keys in the environment, in deep temporary folders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEARD = {
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "COLUMNS": "40",
    "GITHUB_ACTIONS": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",  # where nobody listens
    "OPENAI_API_KEY": "sk-of-the-user",
    "PARETOGATE_SERVER__PORT": "9",
    "all_proxy": "http://127.0.0.1:9",
}
TRIED = (
    "tests/catalog/importers/test_hub_records.py::test_the_command_imports_records_and_lists_them",
    "tests/catalog/importers/test_price_download.py::test_a_price_map_is_read_from_an_address",
    "tests/gateway/journal_store/test_stream.py::test_many_lines_go_in_several_scripts",
)


@pytest.mark.loopback
def test_what_a_user_has_in_the_environment_reaches_no_test(tmp_path: Path) -> None:
    deep = tmp_path / ("folder " * 12)  # deeper than a socket's path may be long
    deep.mkdir()
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=60", *TRIED]
    done = subprocess.run(
        asked,
        cwd=ROOT,
        env={**os.environ, **HEARD, "TMPDIR": str(deep)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
