import json
from pathlib import Path

import polars as pl
import pytest

from eval.errors import InvalidReplayError, MissingDataError, MissingFileError
from eval.tools.tables import public_registries, read_labelled, read_registry, read_usage

from .tool_files import write_tool_files


def test_one_file_of_requests_is_divided_by_its_split(tmp_path: Path) -> None:
    tools, queries = write_tool_files(tmp_path)
    labelled = read_labelled(tools, queries, queries)
    assert (len(labelled.train), len(labelled.test)) == (4, 2)
    assert labelled.test_ids == ("q4", "q5")
    assert labelled.uses == {"w": 2, "c": 1, "f": 1}


def test_two_files_are_taken_whole(tmp_path: Path) -> None:
    tools, queries = write_tool_files(tmp_path)
    further = tmp_path / "further.parquet"
    pl.read_parquet(queries).drop("split").write_parquet(further)
    assert len(read_labelled(tools, queries, further).test) == 6


def test_missing_names_and_schemas_are_read_as_empty(tmp_path: Path) -> None:
    flight = read_registry(write_tool_files(tmp_path)[0]).tools[2]
    assert (flight.name, flight.parameters) == ("", "")


def test_requests_without_labels_are_read_all_the_same(tmp_path: Path) -> None:
    tools, queries = write_tool_files(tmp_path)
    unlabelled = tmp_path / "unlabelled.parquet"
    pl.read_parquet(queries).select("query_id", "query").write_parquet(unlabelled)
    assert read_labelled(tools, queries, unlabelled).test.tool_ids == ((),) * 6


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    tools, _ = write_tool_files(tmp_path)
    with pytest.raises(InvalidReplayError, match=r"lacks the column\(s\) query, tool_ids"):
        read_labelled(tools, tools, tmp_path / "x.parquet")


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tools.parquet").write_text("tool_id,name")
    with pytest.raises(InvalidReplayError, match=r"tools\.parquet is no Parquet file"):
        read_registry(tmp_path / "tools.parquet")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.parquet does not exist; name a file"):
        read_usage(tmp_path / "nothing.parquet")
    for name in ("tools.parquet", "tools.json"):
        with pytest.raises(MissingFileError, match=rf"{name} does not exist; name a file"):
            read_registry(tmp_path / name)
    with pytest.raises(MissingDataError, match="the folder that holds `tools`"):
        list(public_registries(tmp_path))


def test_an_openai_array_of_tools_is_a_registry(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps({"tools": [{"type": "function", "function": {"name": "f"}}]}))
    assert [tool.tool_id for tool in read_registry(path)] == ["f"]
    path.write_text('{"nothing": 1}')
    with pytest.raises(InvalidReplayError, match="no array of tools"):
        read_registry(path)


def test_only_folders_with_labelled_requests_are_measured(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "tools" / name).mkdir(parents=True)
        write_tool_files(tmp_path / "tools" / name)
    (tmp_path / "tools" / "catalogue-only").mkdir()
    assert [folder.name for folder in public_registries(tmp_path)] == ["a", "b"]
