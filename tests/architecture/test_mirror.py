"""Tests mirror the rooms: a reader finds the tests of a module by its name."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("catalog", "predictors", "router", "gateway", "eval")


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py")}
    assert sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()) == []


def test_no_module_hides_the_standard_library_or_says_nothing() -> None:
    empty_names = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "types", "typing", "logging"}
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert sorted(str(p.relative_to(ROOT)) for p in modules if p.stem in empty_names) == []
