import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from catalog import ModelProfile, Pool, PoolEntry
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.length.fit import main, own_lengths, shipped_lengths
from predictors.length.model import LengthPredictor
from predictors.outcomes import Outcomes

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data")) / "routing"


def test_a_folder_without_the_sets_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "mmlu_pro" in capsys.readouterr().err


@pytest.mark.data
def test_the_shipped_fit_is_what_the_command_makes_and_beats_the_mean() -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is absent; set PARETOGATE_DATA")
    pytest.importorskip("polars")
    fitted, report = shipped_lengths(DATA)
    shipped = LengthPredictor.load()
    assert shipped.feature_name_ == fitted.feature_name_
    assert shipped.level_ == pytest.approx(fitted.level_, abs=1e-6)
    assert abs(shipped.weight_ - fitted.weight_).max() < 1e-6
    assert report["held_out_rmse_log"] < 0.7 * report["held_out_rmse_log_of_the_mean"]


def own(n_prompts: int) -> Outcomes:
    """Proofs take five times as long as sums, the talker three times as long as the terse one."""
    return Outcomes.from_table(
        pl.DataFrame(
            {
                "prompt": f"{kind} number {i} carefully" if kind == "Prove theorem" else f"What is {i} + {i}?",
                "model": model,
                "score": 1.0,
                "output_tokens": (500.0 if kind == "Prove theorem" else 100.0) * verbosity,
            }
            for i in range(n_prompts // 2)
            for kind in ("Prove theorem", "Add")
            for model, verbosity in (("terse", 1.0), ("talker", 3.0))
        )
    )


def test_ones_own_outcomes_tell_how_long_ones_models_answer_ones_prompts() -> None:
    features = Features(open_encoder("static"))
    told = own_lengths(own(400), features, model_id=lambda _dataset, name: f"mine/{name}")
    assert told is not None
    fitted, report = told
    assert report["held_out_rmse_log"] < 0.3 * report["held_out_rmse_log_of_the_mean"]
    named = PoolEntry(profile=ModelProfile(id="someone/else", name="x"), called="talker")
    by_profile = PoolEntry(profile=ModelProfile(id="mine/terse", name="terse"))
    unknown = PoolEntry(profile=ModelProfile(id="mine/new", name="new"))
    tokens, sd = fitted.bind(Pool([named, by_profile, unknown])).estimate(
        features.extract(["Prove theorem number 7 carefully", "What is 8 + 8?"])
    )
    np.testing.assert_allclose(tokens[:, :2], [[1500.0, 500.0], [300.0, 100.0]], rtol=0.25)
    assert (sd[:, :2] < sd[:, 2:]).all()


def test_what_was_learned_of_models_is_saved_with_the_fit(tmp_path: Path) -> None:
    told = own_lengths(own(400), Features(open_encoder("static")), model_id=lambda _dataset, name: name)
    assert told is not None
    told[0].save(tmp_path)
    assert LengthPredictor.load(tmp_path).shares_ == told[0].shares_
    assert [share.name for share in told[0].shares_] == ["talker", "terse"]


def test_too_few_answers_leave_lengths_to_the_shipped_fit() -> None:
    assert own_lengths(own(90), Features(open_encoder("static")), model_id=lambda _dataset, name: name) is None
