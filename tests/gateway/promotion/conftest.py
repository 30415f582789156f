import pytest

from .replicas import open_encoder_once


@pytest.fixture(autouse=True)
def encoder_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the loader's own."""
    monkeypatch.setattr("predictors.forecaster.open_encoder", open_encoder_once)
