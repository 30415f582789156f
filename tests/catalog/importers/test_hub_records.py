import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog import ImportFailedError
from catalog.cli import commands
from catalog.importers.hub_records import HubImport, find_records, import_records

RECORDS = (
    {"id": "Acme/Small", "license": "mit", "downloads": 10, "params": 1e9, "created_at": "2025-03-01T00:00:00.000Z"},
    {"id": "acme/large", "license": "apache-2.0", "downloads": 90, "params": 7e10, "created_at": "2024-03-01"},
    {"id": "other/unsaid", "downloads": 50, "surprise": [1, {"a": 2}]},
    {"id": "no-owner", "downloads": 1},
    {"downloads": 1},
)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    source = tmp_path / "hub.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    assert import_records(source, tmp_path / "hub.parquet") == HubImport(imported=3, left_out=2)
    return tmp_path / "hub.parquet"


def ids(records: list[dict[str, object]]) -> list[object]:
    return [record["id"] for record in records]


def test_records_are_found_the_most_downloaded_first(hub: Path) -> None:
    assert ids(find_records(hub)) == ["acme/large", "other/unsaid", "acme/small"]
    assert ids(find_records(hub, name="ACME", sort="params_b")) == ["acme/small", "acme/large"]


def test_an_unknown_fact_does_not_pass_a_filter_on_it(hub: Path) -> None:
    assert ids(find_records(hub, max_params_b=8)) == ["acme/small"]
    assert ids(find_records(hub, released_after=date(2024, 6, 1))) == ["acme/small"]
    assert ids(find_records(hub, licenses=["Apache-2.0"])) == ["acme/large"]


def test_an_order_that_does_not_exist_or_another_file_is_refused(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match="choose from"):
        find_records(hub, sort="beauty")
    (tmp_path / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(ImportFailedError, match=r"x\.parquet"):
        find_records(tmp_path / "x.parquet")
    with pytest.raises(ImportFailedError, match="absent"):
        import_records(tmp_path / "absent.jsonl", tmp_path / "y.parquet")


def test_the_command_imports_records_and_lists_them(tmp_path: Path) -> None:
    source, out = tmp_path / "hub.jsonl", tmp_path / "hub.parquet"
    source.write_text(json.dumps(RECORDS[0]) + "\n")
    done = CliRunner().invoke(commands, ["import", str(source), "--out", str(out)])
    assert "1 records" in done.stderr
    listed = CliRunner().invoke(commands, ["list", "small", "--records", str(out), "--json"])
    assert json.loads(listed.stdout)[0]["params_b"] == 1.0
    assert "acme/small" in CliRunner().invoke(commands, ["list", "--records", str(out)]).stdout
