"""What the shipped model is made from."""

import os
from datetime import date
from pathlib import Path

import pytest

from catalog import ModelProfile
from predictors import InvalidOutcomesError
from predictors.recipe import SHIPPED_DATASETS, UNFIT_BENCHMARKS, library_versions, releases_of, shipped_outcomes

DATA = Path(os.environ.get("PARETOGATE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_only_sets_with_a_stated_permissive_licence_are_shipped() -> None:
    assert all(licence.startswith(("Apache-2.0", "MIT")) for licence in SHIPPED_DATASETS.values())
    assert not {"alpaca_eval", "bfcl_2024_08", "routerdc_7b", "routerbench_part"} & set(SHIPPED_DATASETS)


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOutcomesError, match="arena_bench_v1"):
        shipped_outcomes(tmp_path)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "routing").is_dir(), reason="the public datasets are not here; set PARETOGATE_DATA")
def test_benchmarks_scored_by_word_overlap_are_left_out_of_what_is_shipped() -> None:
    outcomes = shipped_outcomes(DATA)
    assert set(outcomes.table["dataset"].unique().to_list()) == set(SHIPPED_DATASETS)
    assert not set(UNFIT_BENCHMARKS) & set(outcomes.table["benchmark"].unique().to_list())
    assert len(outcomes) > 350_000


def test_the_libraries_a_fit_depends_on_are_named_with_their_versions() -> None:
    assert set(library_versions()) == {"numpy", "scikit-learn", "scipy"}


def test_an_undated_name_stands_for_the_newest_of_its_releases_with_outcomes() -> None:
    def release(model_id: str, released: date | None, of: str | None) -> ModelProfile:
        return ModelProfile(id=model_id, name=model_id, released=released, snapshot_of=of)

    found = releases_of(
        [
            release("maker/a-2024-05", date(2024, 5, 1), "maker/a"),
            release("maker/a-2024-08", date(2024, 8, 1), "maker/a"),
            release("maker/b", date(2024, 1, 1), None),
        ]
    )
    assert found == {"maker/a": "maker/a-2024-08"}
