"""Commands print to terminals and pipes of any encoding, and run where there is nothing to print to."""

import os
import subprocess
import sys

import pytest

ASKED = (sys.executable, "-m", "gateway", "explain", "Wie heißt 東京?", "--pool", "openai/gpt-4.1*")
WHERE = (
    "import os, sys\n"
    "from gateway.standard_streams import make_usable\n"
    "make_usable()\n"
    "print(1), print(2, file=sys.stderr)\n"
    "open(sys.argv[1], 'w').write(' '.join([os.readlink(f'/proc/self/fd/{n}') for n in range(3)]) + sys.stdin.read())"
)


@pytest.mark.parametrize(("encoding", "arrow"), [("latin-1", r"\u2192"), ("cp1252", r"\u2192"), ("utf-8", "→")])
def test_what_an_encoding_has_no_character_for_is_written_as_its_number(encoding: str, arrow: str) -> None:
    """It was a traceback: in a German terminal of Latin-1, and in a file that Windows writes."""
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(ASKED, capture_output=True, env=environ, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert f"{arrow} chosen" in done.stdout.decode(encoding)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_closed_leads_nowhere_and_lends_its_number_to_nobody(tmp_path) -> None:
    """Connections of the gateway had the numbers of standard output and error, and `doctor` ended in a traceback."""
    script = f'exec "{sys.executable}" -c "$0" "$1" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", script, WHERE, str(tmp_path / "where")], check=False)
    assert done.returncode == 0
    assert (tmp_path / "where").read_text(encoding="utf-8").split() == ["/dev/null"] * 3
