"""The README keeps its word: every command in its shell blocks runs, and every file it names is there."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import AT_MOST_S

from .conftest import Gateway, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.loopback
@pytest.mark.local_model
@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("paretogate ")])
def test_a_command_of_the_readme_runs(command: str, gateway: Gateway, tmp_path: Path) -> None:
    program = f'paretogate() {{ {shlex.quote(sys.executable)} -m gateway.cli "$@"; }}\n{command}'
    env = {**environment(gateway.state), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.loopback
@pytest.mark.local_model
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl in PATH")
def test_the_request_of_the_readme_is_answered(gateway: Gateway) -> None:
    (command,) = [c for c in commands() if c.startswith("curl ")]
    asked = command.replace("http://127.0.0.1:8321", gateway.url)
    done = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=False, timeout=AT_MOST_S)
    assert "HTTP/1.1 200 OK" in done.stdout
    for header in re.findall(r"^(x-paretogate-[\w-]+):", README, re.MULTILINE):
        assert header in done.stdout


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {c.removeprefix("make ") for c in commands() if c.startswith("make ")} == {"serve", "test"} & targets


def test_every_file_that_the_readme_names_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert [link for link in links if not (ROOT / link).exists()] == []
