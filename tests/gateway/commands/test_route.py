from pathlib import Path

import pytest

from gateway.cli import main

POOL = ["Prove it.", "--pool", "openai/gpt-4o*", "--require", "max_cost_usd=0.001"]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No backend but the embedded one, which is in no such pool."""
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    monkeypatch.setenv("PARETOGATE_DISCOVERY__LOOPBACK", "false")
    monkeypatch.setenv("PARETOGATE_DISCOVERY__ENVIRONMENT_KEYS", "false")
    monkeypatch.chdir(tmp_path)


def test_route_shows_the_front_and_explain_everybody_with_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", *POOL]) == 0
    briefly = capsys.readouterr()
    assert main(["explain", *POOL]) == 0
    at_length = capsys.readouterr()
    assert "Pareto front of" in briefly.out
    assert "max_cost_usd" not in briefly.out
    assert "rejected by" in at_length.out
    assert "max_cost_usd" in at_length.out
    assert "predictor" in at_length.out.splitlines()[-1]  # its version
    chosen = [said.out.splitlines()[-1].split()[0] for said in (briefly, at_length)]
    assert chosen[0] == chosen[1]
    for said in (briefly, at_length):
        assert "have no backend here" in said.err
