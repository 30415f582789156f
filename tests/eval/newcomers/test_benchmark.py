"""The study on real tables: profiles must not know the answer."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from catalog.importers.litellm_prices import PriceMap
from eval.errors import UnknownDatasetError
from eval.newcomers import left_out, read_benchmark
from eval.newcomers.levels import level_errors
from eval.newcomers.placement import place
from predictors.folds import group_folds

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))
NO_PRICES = PriceMap(offers={}, findings=())


def test_a_table_whose_own_figures_nobody_named_is_refused() -> None:
    with pytest.raises(UnknownDatasetError, match="llmrouter"):
        read_benchmark("llmrouter", data=DATA, prices=NO_PRICES)


@pytest.mark.data
def test_a_profile_halves_the_error_of_a_new_model_on_mmlu_pro() -> None:
    if not (DATA / "routing").is_dir():
        pytest.skip("the public datasets are not here; set PARETOGATE_DATA")
    benchmark = read_benchmark("mmlu_pro", data=DATA, prices=NO_PRICES)
    error = level_errors(benchmark, "models")
    assert error is not None
    assert error.n_models == 29
    assert error.by["ability, maths, date"] < 0.5 * error.by["mean of the others"]
    # and a placed model gets one expectation per prompt
    learn = group_folds(benchmark.training.group, 8) == 0
    known, new = next(left_out(benchmark.profiles, "newer"))
    placed = place(benchmark, known=known, new=new, learn=learn)
    expected = placed.expected(learn)
    assert expected.shape == (learn.sum(), new.sum())
    assert np.isfinite(expected).all()


@pytest.mark.data
def test_what_is_stated_by_hand_stands_in_the_profiles_as_it_does_in_what_ships() -> None:
    if not (DATA / "routing").is_dir():
        pytest.skip("the public datasets are not here; set PARETOGATE_DATA")
    benchmark = read_benchmark("bfcl_2024_08", data=DATA, prices=NO_PRICES)
    released = {profile.id: profile.released for profile in benchmark.profiles}
    # a registry dates it with a later re-release, which would make it the newest of the table
    assert released["deepseek/deepseek-coder-6.7b-instruct"] == date(2023, 11, 2)
