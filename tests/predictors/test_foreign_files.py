"""Files that somebody else may have made are read within bounds, or refused: never run, never waited for."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictors.foreign_files import read_array, read_arrays, read_json


def npz(*, packed: bool = False, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def patched(content: bytes, *, offset: int, byte: int) -> bytes:
    """With another byte in the zip's directory."""
    at = content.index(b"PK\x01\x02") + offset
    return content[:at] + bytes([byte]) + content[at + 1 :]


def test_what_numpy_saves_comes_back() -> None:
    arrays = read_arrays(npz(a=np.arange(6.0).reshape(2, 3), b=np.array(["x", "yz"])))
    assert arrays["a"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert arrays["b"].tolist() == ["x", "yz"]


def test_packed_arrays_are_read_up_to_the_size_that_is_allowed() -> None:
    content = npz(packed=True, a=np.zeros(1_000))
    assert read_arrays(content, most_bytes=10_000)["a"].shape == (1_000,)
    with pytest.raises(ValueError, match=r"it unpacks to 8,128 bytes, at most 8,000 are taken"):
        read_arrays(content, most_bytes=8_000)


def test_arrays_never_unpack_to_more_than_their_file() -> None:
    content = npz(packed=True, a=np.zeros(10_000_000))  # 80 MB in 80 kB
    with pytest.raises(ValueError, match="it unpacks to 80,000,128 bytes"):
        read_arrays(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        b"PK\x03\x04" + b"x" * 100,
        npz(a=np.zeros(100))[:200],
        pickle.dumps({"a": 1}),
        npz(a=np.array([{"a": 1}], dtype=object)),
        zipped("a.npy", b"no array"),
        zipped("a.npy", header((10**13,))),
        zipped("a.npy", header((10**13,), "|S0")),
        zipped("a.npy", header((-5,))),
        zipped("a.npy", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16),
        patched(npz(a=np.zeros(3)), offset=10, byte=99),  # a way of packing that nobody knows
        patched(npz(a=np.zeros(3)), offset=8, byte=1),  # encrypted
    ],
)
def test_what_holds_no_plain_arrays_is_told_to(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_arrays(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"no array", pickle.dumps([1]), npz(a=np.zeros(3)), header((10**13,), "<u8"), header((10**13,), "|V0")],
)
def test_what_is_no_plain_array_is_told_to(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_array(content)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"", b"9" * 5_000])
def test_json_that_is_none_or_goes_too_deep_is_told_to(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        read_json(tmp_path / "x.json")
