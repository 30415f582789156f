from pathlib import Path

import pytest

from catalog import InvalidMeasurementError
from catalog.capability.canary import Canary
from catalog.capability.canary_file import Fingerprint, read_fingerprint, write_fingerprint


def test_a_fingerprint_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = Fingerprint(
        model="maker/strong",
        recorded="2026-01-02",
        self_mismatch=0.05,
        canaries=(Canary(prompt="The sky is", answer="blue"),),
        max_tokens=8,
    )
    write_fingerprint(tmp_path / "canaries.json", written)
    assert read_fingerprint(tmp_path / "canaries.json") == written


def test_a_file_from_before_tokens_were_recorded_was_asked_for_four(tmp_path: Path) -> None:
    path = tmp_path / "canaries.json"
    path.write_text('{"model": "m", "self_mismatch": 0.1, "canaries": [{"prompt": "p", "answer": "a"}]}')
    assert read_fingerprint(path).max_tokens == 4


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"model": "m"}',
        '{"model": "m", "self_mismatch": 0.05, "canaries": []}',
        '{"model": "m", "self_mismatch": 1.5, "canaries": [{"prompt": "p", "answer": "a"}]}',
        '{"model": "m", "self_mismatch": 0.05, "canaries": [{"prompt": "p", "answer": null}]}',
        '{"model": "m", "self_mismatch": 0.05, "canaries": ["p"]}',
    ],
)
def test_a_file_that_is_no_fingerprint_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InvalidMeasurementError, match=r"bad\.json"):
        read_fingerprint(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidMeasurementError, match=r"cannot read the canaries in .*away\.json"):
        read_fingerprint(tmp_path / "away.json")
