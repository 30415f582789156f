"""How many files may be open."""

import subprocess
import sys

from gateway.server.open_files import too_few


def test_all_files_that_the_system_allows_are_taken() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200));"
        "from gateway.server.open_files import raise_limit;"
        "print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["200", "200", "200"]


def test_fewer_files_than_requests_at_once_need_are_told_with_the_remedy() -> None:
    (told,) = too_few(1_024, max_concurrency=1_024)
    assert told.warning
    assert "1024 are allowed, enough for some 480 requests" in told.detail  # two each, and 64 of ours
    assert "ulimit" in told.detail
    assert too_few(2 * 1_024 + 64, max_concurrency=1_024) == ()
