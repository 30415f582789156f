import os
import resource
from pathlib import Path

from catalog.discovery.digests import watch_digests


def test_a_name_whose_weights_changed_is_told_once(tmp_path: Path) -> None:
    kept = tmp_path / "state" / "digests.json"
    assert watch_digests(kept, {"ollama@here:qwen3": "sha256:aa"}) == ()
    (finding,) = watch_digests(kept, {"ollama@here:qwen3": "sha256:bb"})
    assert (finding.entry, finding.field) == ("ollama@here:qwen3", "digest")
    assert "sha256:aa became sha256:bb" in finding.problem
    assert "served still" in finding.problem
    assert "paretogate catalog diff OLD NEW --outcomes FILE" in finding.problem
    assert watch_digests(kept, {"ollama@here:qwen3": "sha256:bb"}) == ()


def test_what_is_not_seen_today_is_not_forgotten(tmp_path: Path) -> None:
    kept = tmp_path / "digests.json"
    watch_digests(kept, {"a": "1", "b": "2"})
    assert watch_digests(kept, {"b": "2"}) == ()
    assert len(watch_digests(kept, {"a": "9"})) == 1


def test_a_broken_memory_starts_anew(tmp_path: Path) -> None:
    kept = tmp_path / "digests.json"
    kept.write_text("{")
    assert watch_digests(kept, {"a": "1"}) == ()
    assert watch_digests(kept, {"a": "2"}) != ()


def test_nobody_waits_for_a_pipe_in_its_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "digests.json")
    assert watch_digests(tmp_path / "digests.json", {"a": "1"}) == ()
    assert len(watch_digests(tmp_path / "digests.json", {"a": "9"})) == 1  # a file has taken its place


def test_a_place_that_cannot_be_written_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = watch_digests(tmp_path / "file" / "digests.json", {"a": "1"})
    assert (finding.entry, finding.field) == ("digests.json", "(file)")
    assert "cannot be written" in finding.problem
    assert "state.dir" in finding.problem


def test_a_disk_that_is_full_leaves_what_was_seen_before(tmp_path: Path) -> None:
    kept = tmp_path / "digests.json"
    watch_digests(kept, {"a": "1"})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, limits[1]))
    try:
        changed, unwritten = watch_digests(kept, {"a": "2"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (changed.entry, "cannot be written" in unwritten.problem) == ("a", True)
    assert [path.name for path in tmp_path.iterdir()] == ["digests.json"]
    assert len(watch_digests(kept, {"a": "2"})) == 1  # it is told again, until it can be remembered
