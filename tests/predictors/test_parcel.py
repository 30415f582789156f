import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from predictors import BadArtefactError, parcel
from predictors.length.model import LENGTH_FILE
from predictors.parcel import Parcel

SHIPPED = Path(str(files("predictors") / "data" / "default"))


def made(**more: bytes) -> Parcel:
    return Parcel(files={"manifest.json": b"{}", **more})


def test_it_holds_what_a_predictor_is_and_nothing_else_that_lies_there(tmp_path: Path) -> None:
    for name in (
        "manifest.json",
        "arrays.npz",
        LENGTH_FILE,
        "prices.json",
        "questions.npy",
        "mine.csv",
        "verdict.json",
        ".env",
    ):
        (tmp_path / name).write_bytes(name.encode())
    for name in ("ensemble-0", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "arrays.npz").write_bytes(b"more")
    packed = Parcel.of(tmp_path)
    assert sorted(packed.files) == [
        "arrays.npz",
        "ensemble-0/arrays.npz",
        "length.json",
        "manifest.json",
        "prices.json",
        "questions.npy",
    ]
    packed.write(there := tmp_path / "there")
    assert Parcel.of(there).digest == packed.digest
    assert {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()} == set(packed.files)


def test_its_digest_tells_of_every_name_and_byte() -> None:
    one = {"arrays.npz": b"ab", "length.json": b"c"}
    others = [{**one, "arrays.npz": b"aB"}, {"arrays.npz": b"ab", "prices.json": b"c"}, {"arrays.npz": b"ab"}]
    assert len({made(**files).digest for files in (one, *others)}) == 4
    assert made(**dict(reversed(one.items()))).digest == made(**one).digest


@pytest.mark.parametrize(
    "name",
    ["../manifest.json", "/etc/passwd", "ensemble-0/../../arrays.npz", "ensemble-0/", "a/arrays.npz", "arrays.npz\n",
     "arrays.pkl", "ensemble-٣/arrays.npz", ""],
)  # fmt: skip
def test_no_other_name_is_taken(name: str) -> None:
    with pytest.raises(BadArtefactError, match="no predictor's"):
        made(**{name: b"x"})


def test_one_without_a_manifest_is_none() -> None:
    with pytest.raises(BadArtefactError, match=r"no manifest\.json"):
        Parcel(files={"arrays.npz": b""})


def test_one_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "MOST_PARCEL_BYTES", 10)
    with pytest.raises(BadArtefactError, match=r"at most 10 in .*--here"):
        made(**{"length.json": b"123456789"})
    (tmp_path / "manifest.json").write_bytes(b"12345678901")
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(BadArtefactError, match="it takes 11 bytes"):
        Parcel.of(tmp_path)


def test_arrays_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, zeros=np.zeros(10_000))
    sent = made(**{"arrays.npz": packed.getvalue()})
    assert len(packed.getvalue()) < 1_000
    sent.check_unpacked()
    monkeypatch.setattr(parcel, "_UNPACKED_BYTES", 80_000)
    with pytest.raises(BadArtefactError, match="unpacks to 80,"):
        sent.check_unpacked()
    with pytest.raises(BadArtefactError, match="cannot be read"):
        made(**{"arrays.npz": b"PK"}).check_unpacked()


def test_arrays_packed_by_a_version_of_zip_yet_to_come_are_refused() -> None:
    packed = io.BytesIO()
    np.savez(packed, zeros=np.zeros(10))
    content = bytearray(packed.getvalue())
    content[content.index(b"PK\x01\x02") + 6] = 99  # the version needed, in tenths
    with pytest.raises(BadArtefactError, match=r"cannot be read \(zip file version 9\.9\)"):
        made(**{"arrays.npz": bytes(content)}).check_unpacked()


def test_it_says_which_encoder_it_needs() -> None:
    told = json.dumps({"encoder": "m@http://elsewhere/v1"}).encode()
    assert Parcel(files={"manifest.json": told}).encoder == "m@http://elsewhere/v1"
    assert (made().encoder, Parcel.of(SHIPPED).encoder) == ("static", "static")
    for damaged in (b"{", b"[]", b"[" * 100_000):
        with pytest.raises(BadArtefactError, match="no JSON object"):
            _ = Parcel(files={"manifest.json": damaged}).encoder
