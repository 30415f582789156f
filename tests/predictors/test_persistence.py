"""A saved predictor is whole or refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from predictors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact

ARRAYS = {"weights": np.arange(6.0).reshape(2, 3)}


def test_arrays_and_manifest_come_back_as_they_were(tmp_path: Path) -> None:
    save_artefact(tmp_path, ARRAYS, {"kind": "quality", "note": "grüß"})
    arrays, manifest = load_artefact(tmp_path, kind="quality")
    np.testing.assert_array_equal(arrays["weights"], ARRAYS["weights"])
    assert manifest["note"] == "grüß"


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    save_artefact(tmp_path / "a", ARRAYS, {"kind": "quality"})
    save_artefact(tmp_path / "b", ARRAYS, {"kind": "quality"})
    for name in ("arrays.npz", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    save_artefact(tmp_path, ARRAYS, {"kind": "quality"})
    content = bytearray((tmp_path / "arrays.npz").read_bytes())
    content[-100] ^= 1
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(BadArtefactError, match="does not match the digest"):
        load_artefact(tmp_path, kind="quality")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("format_version", 99, "format version is 99, this program reads 1"), ("kind", "length", "it holds 'length'")],
)
def test_another_version_or_kind_is_refused(tmp_path: Path, key: str, value: object, said: str) -> None:
    save_artefact(tmp_path, ARRAYS, {"kind": "quality"})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(BadArtefactError, match=said):
        load_artefact(tmp_path, kind="quality")


def test_what_is_missing_or_garbled_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadArtefactError, match=r"manifest\.json cannot be read .* train it again"):
        load_artefact(tmp_path, kind="quality")
    (tmp_path / "manifest.json").write_text("[1, 2]")
    with pytest.raises(BadArtefactError, match="not a JSON object"):
        load_artefact(tmp_path, kind="quality")
    save_artefact(tmp_path, ARRAYS, {"kind": "quality"})
    (tmp_path / "arrays.npz").unlink()
    with pytest.raises(BadArtefactError, match=r"arrays\.npz cannot be read"):
        load_artefact(tmp_path, kind="quality")
