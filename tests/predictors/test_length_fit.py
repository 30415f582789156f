import os
from pathlib import Path

import pytest

from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.length import LengthPredictor
from predictors.length_fit import fit_lengths, main

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data")) / "routing"


def test_a_folder_without_the_sets_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "mmlu_pro" in capsys.readouterr().err


@pytest.mark.data
def test_the_shipped_fit_is_what_the_command_makes_and_beats_the_mean() -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is absent; set PARETOGATE_DATA")
    pytest.importorskip("polars")
    fitted, report = fit_lengths(DATA, Features(open_encoder("static")))
    shipped = LengthPredictor.load()
    assert shipped.feature_name_ == fitted.feature_name_
    assert shipped.level_ == pytest.approx(fitted.level_, abs=1e-6)
    assert abs(shipped.weight_ - fitted.weight_).max() < 1e-6
    assert report["held_out_rmse_log"] < 0.7 * report["held_out_rmse_log_of_the_mean"]
