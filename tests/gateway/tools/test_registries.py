import os
from pathlib import Path

import pytest

from gateway.tools import RegistryStore, StoredTool
from gateway.tools.errors import DamagedRegistryError, InvalidRegistryError, UnknownRegistryError


def a_tool(name: str, **more: object) -> StoredTool:
    return StoredTool(name=name, **more)  # type: ignore[arg-type]


def test_each_change_makes_a_version_and_old_ones_stay(tmp_path: Path) -> None:
    store = RegistryStore(tmp_path)
    store.save("office", [a_tool("a")], source="test", now_s=1.0)
    store.save("office", [a_tool("a"), a_tool("b")], source="test", now_s=2.0)
    fresh = RegistryStore(tmp_path)
    assert (fresh.load("office").label, len(fresh.load("office@1").tools)) == ("office@2", 1)
    assert fresh.names() == ("office",)


def test_of_many_versions_the_last_three_that_were_read_are_at_hand(tmp_path: Path) -> None:
    """All were, so that a registry that comes anew every hour filled the memory."""
    store = RegistryStore(tmp_path)
    for n in range(1, 5):
        store.save("office", [a_tool(f"tool_{n}")], source="test", now_s=1.0)
        store.load("office")
    assert [store.is_read(f"office@{n}") for n in range(1, 5)] == [False, True, True, True]
    assert store.load("office@1").tools == (a_tool("tool_1"),)


def test_the_same_tools_again_are_the_same_version(tmp_path: Path) -> None:
    store = RegistryStore(tmp_path)
    labels = [store.save("office", [a_tool("a")], source="test", now_s=float(n)).label for n in (1, 2)]
    assert labels == ["office@1", "office@1"]


def test_a_number_that_is_taken_while_a_version_is_written_is_left_to_whoever_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, store = os.link, RegistryStore(tmp_path)

    def link_last(temporary: Path, path: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        RegistryStore(tmp_path).save("office", [a_tool("of another")], source="test", now_s=1.0)
        link(temporary, path)

    monkeypatch.setattr(os, "link", link_last)
    assert store.save("office", [a_tool("a")], source="test", now_s=2.0).label == "office@2"
    assert [store.load(label).tools[0].name for label in ("office@1", "office@2")] == ["of another", "a"]


def test_a_registry_whose_newest_version_is_damaged_can_be_imported_again(tmp_path: Path) -> None:
    store = RegistryStore(tmp_path)
    store.save("office", [a_tool("a")], source="test", now_s=1.0)
    (tmp_path / "office" / "1.json").write_bytes(b"{")
    assert store.save("office", [a_tool("a")], source="test", now_s=2.0).label == "office@2"
    assert store.load("office").tools == (a_tool("a"),)


def test_everything_about_a_tool_comes_back(tmp_path: Path) -> None:
    tool = a_tool("a", description="A", schema={"type": "object"}, annotations={"readOnlyHint": True}, risk="writes")
    RegistryStore(tmp_path).save("office", [tool], source="test", now_s=1.0, server={"url": "http://h/mcp"})
    back = RegistryStore(tmp_path).load("office")
    assert (back.tools, back.server) == ((tool,), {"url": "http://h/mcp"})


def test_no_half_written_file_is_left_behind(tmp_path: Path) -> None:
    RegistryStore(tmp_path).save("office", [a_tool("a")], source="test", now_s=1.0)
    assert [p.name for p in (tmp_path / "office").iterdir()] == ["1.json"]


@pytest.mark.parametrize("label", ["nowhere", "office@2", "office@x", "../office", "@1", f"office@{'9' * 5_000}"])
def test_an_unknown_registry_is_named(tmp_path: Path, label: str) -> None:
    store = RegistryStore(tmp_path)
    store.save("office", [a_tool("a")], source="test", now_s=1.0)
    with pytest.raises(UnknownRegistryError):
        store.load(label)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRegistryError):
        RegistryStore(tmp_path).save(name, [a_tool("a")], source="test", now_s=1.0)


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRegistryError, match="twice"):
        RegistryStore(tmp_path).save("office", [a_tool("a"), a_tool("a")], source="test", now_s=1.0)


def test_a_registry_holds_at_least_one_tool(tmp_path: Path) -> None:
    with pytest.raises(InvalidRegistryError, match="no tools"):
        RegistryStore(tmp_path).save("office", [], source="test", now_s=1.0)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    RegistryStore(tmp_path).save("office", [a_tool("a")], source="test", now_s=1.0)
    (tmp_path / "office" / "1.json").write_text("{")
    with pytest.raises(
        DamagedRegistryError, match=r"^tools/registries/office/1\.json in the state directory is damaged"
    ):
        RegistryStore(tmp_path).load("office")  # clients hear it: not where that directory is
    (tmp_path / "office" / "1.json").unlink()
    (tmp_path / "office" / "1.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DamagedRegistryError) as refused:
        RegistryStore(tmp_path).load("office")
    assert str(tmp_path) not in str(refused.value)
