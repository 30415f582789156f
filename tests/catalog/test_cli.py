import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from catalog import Catalog, InvalidOverlayError, UnknownModelError
from catalog.cli import commands
from catalog.tables import model_list

RUN = CliRunner()


def test_listing_filters_and_sorts() -> None:
    result = RUN.invoke(commands, ["list", "openai/gpt-4o*", "--sort", "price", "--json"])
    assert result.exit_code == 0
    models = json.loads(result.stdout)
    assert models[0]["id"] == "openai/gpt-4o-mini"  # the cheapest of them
    assert all(model["id"].startswith("openai/gpt-4o") for model in models)


def test_a_filter_on_an_unknown_fact_is_not_passed() -> None:
    result = RUN.invoke(commands, ["list", "openai/*", "--max-params-b", "1000", "--json"])
    assert all("params_total_b" in model for model in json.loads(result.stdout))


def test_a_table_goes_to_stdout_and_talk_to_stderr() -> None:
    result = RUN.invoke(commands, ["list", "gpt-4o-mini"])
    assert "openai/gpt-4o-mini" in result.stdout
    assert "found" in result.stderr
    assert "found" not in result.stdout


def test_show_tells_every_fact_with_its_source() -> None:
    result = RUN.invoke(commands, ["show", "gpt-4o-mini"])
    assert result.exit_code == 0
    assert "litellm price map" in result.stdout
    told = json.loads(RUN.invoke(commands, ["show", "gpt-4o-mini", "--json"]).stdout)
    assert told["price"]["input_usd_per_mtok"] == 0.15
    assert "litellm" in told["sources"]["price"]
    assert told["offers"]


def test_models_are_compared_side_by_side() -> None:
    result = RUN.invoke(commands, ["compare", "gpt-5", "claude-sonnet-4.5"])
    assert "anthropic/claude-sonnet-4.5" in result.stdout
    assert "released" in result.stdout


def test_an_unknown_model_is_our_own_error() -> None:
    assert isinstance(RUN.invoke(commands, ["show", "nosuchmodel"]).exception, UnknownModelError)


@pytest.mark.parametrize("args", [["list", "--sort", "beauty"], ["list", "--released-after", "soon"], ["show"]])
def test_misuse_exits_with_two(args: list[str]) -> None:
    assert RUN.invoke(commands, args).exit_code == 2


def test_a_file_of_facts_is_checked(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[models."a/b"]\nparams_total_b = 8\n')
    bad.write_text('[models."a/b"]\nsize = 8\n')
    assert RUN.invoke(commands, ["validate", str(good)]).stdout == "a/b: 1 facts\n"
    assert isinstance(RUN.invoke(commands, ["validate", str(bad)]).exception, InvalidOverlayError)


def test_a_price_map_with_a_bad_entry_fails_its_check_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"gpt-x": {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": "x"}}))
    result = RUN.invoke(commands, ["validate", str(path)])
    assert result.exit_code == 1
    assert "prices.json: gpt-x: input_cost_per_token" in result.stdout
    (found,) = json.loads(RUN.invoke(commands, ["validate", str(path), "--json"]).stdout)["findings"]
    assert (found["file"], found["entry"], found["field"]) == ("prices.json", "gpt-x", "input_cost_per_token")


def test_an_imported_file_becomes_part_of_a_catalog(tmp_path: Path) -> None:
    facts, out = tmp_path / "facts.toml", tmp_path / "catalog.json"
    facts.write_text('[models."acme/ours"]\nparams_total_b = 8\n')
    assert RUN.invoke(commands, ["import", str(facts), "--out", str(out)]).exit_code == 0
    known = Catalog.load(out)
    assert known["acme/ours"].params_total_b == 8.0
    assert len(known) == len(Catalog.load()) + 1
    assert known.routing_id("routellm", "gpt-4-1106-preview") == "openai/gpt-4-1106-preview"


def test_two_catalogs_are_compared(tmp_path: Path) -> None:
    facts, out = tmp_path / "facts.toml", tmp_path / "catalog.json"
    facts.write_text('[models."acme/ours"]\nparams_total_b = 8\n')
    RUN.invoke(commands, ["import", str(facts), "--out", str(out)])
    told = RUN.invoke(commands, ["diff", "shipped", str(out), "--json"])
    assert json.loads(told.stdout)["added"] == ["acme/ours"]
    assert "acme/ours" in RUN.invoke(commands, ["diff", "shipped", str(out)]).stdout


def test_an_update_that_breaks_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text("prompt_id,model,score\n1,v1,1\n1,v2,0\n2,v1,0\n2,v2,1\n3,v1,1\n3,v2,1\n4,v1,1\n4,v2,1\n")
    refused = RUN.invoke(commands, ["diff", "v1", "v2", "--outcomes", str(path), "--max-nfr", "0.2", "--json"])
    assert refused.exit_code == 1
    assert "keep v1" in refused.stderr
    assert json.loads(refused.stdout)["tasks"][0]["negative"] == 0.25
    allowed = RUN.invoke(commands, ["diff", "v1", "v2", "--outcomes", str(path), "--max-nfr", "0.25"])
    assert allowed.exit_code == 0
    assert "25.0%" in allowed.stdout


def test_an_update_judged_on_no_named_task_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text("prompt_id,model,score,benchmark\n1,v1,1,\n1,v2,0,\n2,v1,1,\n2,v2,1,\n")
    told = RUN.invoke(commands, ["diff", "v1", "v2", "--outcomes", str(path), "--json"])
    assert [(row["task"], row["n"]) for row in json.loads(told.stdout)["tasks"]] == [("all", 2)]
    path.write_text(path.read_text() + "3,v1,1,code\n3,v2,0,code\n")
    told = RUN.invoke(commands, ["diff", "v1", "v2", "--outcomes", str(path), "--json"])
    assert [(row["task"], row["n"]) for row in json.loads(told.stdout)["tasks"]] == [("all", 3), ("code", 1)]


def test_a_folder_of_model_cards_becomes_part_of_a_catalog(tmp_path: Path) -> None:
    card, out = tmp_path / "cards" / "acme" / "ours" / "README.md", tmp_path / "catalog.json"
    card.parent.mkdir(parents=True)
    card.write_text("---\nlicense: mit\nbase_model: 3\n---\n")
    result = RUN.invoke(commands, ["import", str(tmp_path / "cards"), "--out", str(out)])
    assert result.exit_code == 0
    assert Catalog.load(out)["acme/ours"].license == "MIT"
    assert "README.md: acme/ours: base_model" in result.stderr


def test_a_checkout_of_models_dev_brings_offers(tmp_path: Path) -> None:
    entry, out = tmp_path / "dev" / "providers" / "openai" / "models" / "gpt-99.toml", tmp_path / "catalog.json"
    entry.parent.mkdir(parents=True)
    entry.write_text("release_date = '2026-05-05'\n[cost]\ninput = 1\noutput = 4\n")
    assert RUN.invoke(commands, ["import", str(tmp_path / "dev"), "--out", str(out)]).exit_code == 0
    known = Catalog.load(out)
    assert known["openai/gpt-99"].price is not None
    assert [offer.provider for offer in known.offers("openai/gpt-99")] == ["openai"]
    assert known.offers("openai/gpt-4o-mini") == Catalog.load().offers("openai/gpt-4o-mini")


def test_a_leaderboard_is_imported_by_its_mapping(tmp_path: Path) -> None:
    known = Catalog.load()
    measured = [p for p in known if p.open_weights and "general" in p.ability and p.ability["general"].se < 0.2][:20]
    rows = [f"{p.id},{100 / (1 + math.exp(-p.ability['general'].mean)):.4f}" for p in measured]
    table = tmp_path / "board.csv"
    table.write_text("Model,Score\n" + "\n".join([*rows, "huggingfacetb/smollm2-135m-instruct,20", "nobody/x,50"]))
    mapping = tmp_path / "board.toml"
    mapping.write_text(
        'source = "a board"\nmodel_column = "Model"\nscale = 100\nlicense = "MIT"\nrecorded = 2026-06-01\n'
        'benchmarks = {Score = "exam"}\n'
    )
    out = tmp_path / "catalog.json"
    done = RUN.invoke(commands, ["import", str(table), "--mapping", str(mapping), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.stderr
    placed = Catalog.load(out)["huggingfacetb/smollm2-135m-instruct"]
    assert placed.ability["general"].mean == pytest.approx(math.log(0.2 / 0.8), abs=0.05)  # the identity line
    assert placed.provenance["ability"].source == "placed by a board"
    assert [row["entry"] for row in json.loads(done.stdout)["left_out"]] == ["nobody/x"]


def test_a_table_without_a_mapping_is_refused_with_the_remedy(tmp_path: Path) -> None:
    table = tmp_path / "board.csv"
    table.write_text("Model,Score\nx,1\n")
    done = RUN.invoke(commands, ["import", str(table), "--out", str(tmp_path / "out.json")])
    assert "--mapping" in str(done.exception)


def test_measurements_are_shown_with_method_count_and_error_in_words_and_as_json(tmp_path: Path) -> None:
    overlay = tmp_path / "probe.toml"
    overlay.write_text(
        '[models."qwen/qwen3-8b".measured.yes_bias]\nmethod = "statements"\nn = 22\ndate = 2026-01-01\n'
        'value = -0.5\nunit = "share"\nse = 0.1\n'
    )
    told = json.loads(RUN.invoke(commands, ["show", "qwen3-8b", "--overlay", str(overlay), "--json"]).stdout)
    assert told["measured"]["yes_bias"]["value"] == -0.5
    assert told["measured"]["yes_bias"]["measured"] == "2026-01-01"
    shown = RUN.invoke(commands, ["show", "qwen3-8b", "--overlay", str(overlay)]).stdout
    assert re.search(r"yes_bias +-0\.5 share +±0\.1 +22 +statements", shown)
    compared = RUN.invoke(commands, ["compare", "qwen3-8b", "gpt-5-mini", "--overlay", str(overlay)]).stdout
    assert re.search(r"yes_bias, measured +-0\.5 ±0\.1 share, n = 22 +\?", compared)


def test_every_derived_number_of_the_shipped_catalog_has_a_method_and_a_band_or_is_a_count() -> None:
    counted = {"flops_per_token", "cache_per_token", "energy_class"}
    for profile in Catalog.load():
        for name, fact in profile.derived.items():
            assert fact.method
            assert fact.factor is not None or name in counted, (profile.id, name)


def test_a_comparison_tells_derived_numbers_with_their_bands_and_as_json_with_their_methods() -> None:
    shown = RUN.invoke(commands, ["compare", "qwen3-8b", "llama-3.1-8b-instruct"]).stdout
    assert re.search(r"energy_per_request, inferred +[\d.]+ Wh x/÷1\.4", shown)
    told = json.loads(RUN.invoke(commands, ["compare", "qwen3-8b", "llama-3.1-8b-instruct", "--json"]).stdout)
    assert all(fact["method"] for model in told for fact in model["derived"])
    assert told[0]["sources"]["price"]["trust"] in {"linked", "self_reported", "inferred"}


@pytest.mark.parametrize(("width", "columns"), [(80, 5), (110, 7), (200, 9)])
def test_a_list_keeps_names_and_numbers_whole_on_any_terminal(width: int, columns: int) -> None:
    profiles = Catalog.load().match(["qwen/qwen3-*"])[:12]
    table = model_list(profiles, width=width)
    assert len(table.columns) == columns
    with Console(width=width, record=True, file=io.StringIO()) as console:
        console.print(table)
    lines = console.export_text().splitlines()
    assert len(lines) == 1 + len(profiles)  # nothing is folded
    assert max(map(len, lines)) <= width
