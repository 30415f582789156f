import csv
import json
import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from catalog import Catalog, ImportFailedError
from catalog.cli import commands
from catalog.importers.overlay import read_overlay
from catalog.importers.red_team import read_red_team, red_team_overlay
from catalog.profiles.measurement import Measurement

DAY = date(2026, 11, 28)


def table(tmp_path: Path, rows: list[dict[str, object]]) -> Path:
    path = tmp_path / "results.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def told(path: Path, model: str = "m") -> dict[str, Measurement]:
    return {found.name: found for found in read_red_team(path, today=DAY)[model]}


def test_answers_tell_the_mean_harm_and_the_tail_of_the_log_risk(tmp_path: Path) -> None:
    harms = [0.0] * 19 + [0.5]  # of twenty prompts one is bad on one of two dimensions
    rows: list[dict[str, object]] = [
        {"model": "m", "prompt": f"p{i}", "dimension": d, "harm": harm if d == "bias" else 0.0}
        for i, harm in enumerate(harms)
        for d in ("bias", "ethics")
    ]
    found = told(table(tmp_path, rows))
    assert found["harm"].value == pytest.approx(0.025)  # 0.5 / 20
    assert found["risk_cvar95"].value == pytest.approx(math.log(2), abs=1e-6)  # -ln(1 - 0.5), the one in the tail
    assert "worst 1 of 20 prompts on bias, ethics; 95 % interval" in found["risk_cvar95"].method
    assert found["harm_bias"].value == pytest.approx(0.025)
    assert found["harm_ethics"].value == 0.0
    assert found["harm_ethics"].se is not None
    assert found["harm_ethics"].se > 0  # twenty clean answers prove no zero


def test_several_judges_of_one_answer_agree_above_their_mean(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"model": "m", "prompt": f"p{i}", "dimension": "d", "harm": harm, "judge": j}
        for i in range(20)
        for j, harm in enumerate((0.1, 0.9))
    ]
    assert 0.8 < told(table(tmp_path, rows))["harm"].value < 0.9


def test_runs_tell_the_share_of_misaligned_ones_at_the_highest_pressure(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"model": "m", "scenario": f"s{i}", "misaligned": int(i < hits), "pressure": pressure, "names": names}
        for pressure, hits, names in ((0, 1, "plain"), (10, 8, "plain"), (10, 16, "harmless"))
        for i in range(20)
    ]
    found = told(table(tmp_path, rows))
    assert found["agent_risk"].value == pytest.approx(24 / 40)
    assert found["agent_risk_at_rest"].value == pytest.approx(1 / 20)
    assert found["agent_risk_by_names"].value == pytest.approx(16 / 20 - 9 / 40)
    assert found["agent_risk"].n == 40


def test_groups_tell_the_spread_between_the_furthest(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"model": "m", "group": group, "score": float(i < hits)}
        for group, hits in (("a", 15), ("b", 10), ("c", 12))
        for i in range(20)
    ]
    found = told(table(tmp_path, rows))
    assert found["bias"].value == pytest.approx(0.25)
    assert "a less b, the furthest of 3" in found["bias"].method


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"model": "m", "score": 1}], "needs rows with the columns"),
        ([{"model": "", "group": "a", "score": 1}], "row 1: model: is empty"),
        ([{"model": "m", "group": "a", "score": "high"}], "row 1: score: must be a number"),
        ([{"model": "m", "group": "a", "score": 7}], r"row 1: score: must lie in \[0, 1\]"),
        ([{"model": "m", "group": "a", "score": 1}], "two groups"),
        ([{"model": "m", "scenario": "s", "misaligned": 1}] * 3, "has 3 runs"),
        ([{"model": "m", "scenario": "", "misaligned": 1}] * 30, "row 1: scenario: is empty"),
        (
            [{"model": "m", "prompt": p, "dimension": d, "harm": 0} for p, d in (("p", "a"), ("q", "b"))],
            "lacks 'b'; judge every prompt",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_row_and_column(
    rows: list[dict[str, object]], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportFailedError, match=problem):
        read_red_team(table(tmp_path, rows), today=DAY)


CELLS = st.dictionaries(st.sampled_from(["model", "group", "score", "harm", "x"]), st.text(max_size=5))


@given(st.lists(CELLS, max_size=8))
def test_no_table_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> None:
    path = tmp_path_factory.mktemp("red") / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with pytest.raises(ImportFailedError, match=r"rows\.jsonl"):  # so few rows are never enough
        read_red_team(path, today=DAY)


def test_the_command_writes_an_overlay_whose_facts_say_how_they_were_found(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"model": "gpt-4o-mini", "scenario": f"s{i}", "misaligned": int(i < 5), "pressure": i % 2} for i in range(50)
    ]
    out = tmp_path / "risk.toml"
    result = CliRunner().invoke(commands, ["risk", str(table(tmp_path, rows)), "--out", str(out)])
    assert result.exit_code == 0
    assert "agent_risk" in result.stdout
    known = Catalog.load().with_profiles(read_overlay(out))["openai/gpt-4o-mini"]
    assert known.agent_risk == pytest.approx(2 / 25)  # of the 25 under pressure two went wrong
    source = known.provenance["agent_risk"]
    assert source.trust.name == "MEASURED"
    assert "standard error" in source.source
    assert known.measured["agent_risk_at_rest"].value == pytest.approx(3 / 25)


def test_an_overlay_of_nothing_is_a_comment() -> None:
    assert red_team_overlay({}).startswith("# Written by")


def test_the_example_file_is_read_and_names_models_of_its_own(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "deploy" / "examples" / "red-team.csv"
    out = tmp_path / "risk.toml"
    assert CliRunner().invoke(commands, ["risk", str(example), "--out", str(out)]).exit_code == 0
    assert {profile.id for profile in read_overlay(out)} == {"acme/agent-large", "acme/agent-small"}
