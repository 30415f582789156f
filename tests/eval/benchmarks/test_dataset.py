import os
from pathlib import Path

import polars as pl
import pytest

from eval.benchmarks import DATASETS, PublicDataset
from eval.errors import MissingDataError

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))


def write(folder: Path, *, cost: list[float | None]) -> None:
    (folder / "routing/tiny").mkdir(parents=True)
    pl.DataFrame(
        {
            "prompt_id": ["b/1", "b/1"],
            "group_key": ["g", "g"],
            "prompt": ["x" * 400] * 2,
            "dataset": ["tiny"] * 2,
            "benchmark": ["b"] * 2,
            "domain": [None, None],
            "model": ["cheap", "dear"],
            "score": [0.0, 1.0],
            "cost_usd": cost,
            "input_tokens": [None, None],
            "output_tokens": [None, None],
            "latency_s": [None, None],
            "prompt_chars": [400, 400],
            "output_chars": [None, 2_000],
        },
        schema_overrides={"domain": pl.String, "cost_usd": pl.Float64, "input_tokens": pl.Int32},
    ).write_parquet(folder / "routing/tiny/outcomes.parquet")
    pl.DataFrame(
        {
            "model": ["cheap", "dear"],
            "params_b": [7.0, None],
            "price_in_usd_per_mtok": [1.0, 10.0],
            "price_out_usd_per_mtok": [2.0, 30.0],
        }
    ).write_parquet(folder / "routing/tiny/models.parquet")


def tiny(**facts: object) -> PublicDataset:
    return PublicDataset(name="tiny", source="here", licence="ours", may_train_shipped=True, **facts)


def test_an_unknown_cost_is_price_times_length_at_four_characters_a_token(tmp_path: Path) -> None:
    write(tmp_path, cost=[None, None])
    loaded = tiny(assumed_output_chars={"b": 800.0}).load(tmp_path)
    # (100 tokens x $1 + 200 assumed x $2) / 1e6, and (100 x $10 + 500 x $30) / 1e6
    assert loaded.outcomes.table["cost_usd"].to_list() == pytest.approx([0.0005, 0.016])
    assert loaded.estimated_cost_share == 1


def test_a_stated_cost_is_kept_and_models_that_state_none_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, cost=[None, 0.5])
    loaded = tiny(stated_costs_only=True).load(tmp_path)
    assert loaded.outcomes.models == ("dear",)
    assert loaded.outcomes.table["cost_usd"].to_list() == [0.5]
    assert loaded.estimated_cost_share == 0


def test_profiles_carry_size_and_price_and_leave_the_unknown_unknown(tmp_path: Path) -> None:
    write(tmp_path, cost=[None, None])
    profiles = tiny().load(tmp_path).profiles
    assert profiles["cheap"].params_total_b == 7
    assert profiles["dear"].params_total_b is None
    assert profiles["dear"].price is not None
    assert profiles["dear"].price.output_usd_per_mtok == 30
    assert profiles["dear"].id == "tiny/dear"


def test_missing_data_says_where_to_point(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="PARETOGATE_DATA"):
        tiny().load(tmp_path)


def test_only_datasets_of_a_licence_that_permits_it_may_train_what_ships() -> None:
    permitted = {name for name, dataset in DATASETS.items() if dataset.may_train_shipped}
    assert permitted == {"routellm", "mmlu_pro", "zeroeval", "llmrouter", "arena_bench_v1"}
    assert not any("arena" in name and "router" in name for name in DATASETS)


@pytest.mark.data
@pytest.mark.parametrize("name", ["zeroeval", "arena_bench_v1", "routerbench_part", "bfcl_2024_08"])
def test_every_replayed_call_of_the_public_data_has_a_cost_and_every_model_a_profile(name: str) -> None:
    if not (DATA / "routing").exists():
        pytest.skip(f"no public data under {DATA}")
    loaded = DATASETS[name].load(DATA)
    assert loaded.outcomes.table["cost_usd"].null_count() == 0
    assert set(loaded.outcomes.models) <= set(loaded.profiles)
