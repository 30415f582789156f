"""How many values a Parquet file says that it holds, those in lists and structures included.

A row may be a list of a billion equal values, which take some kilobytes, and polars tells rows and columns alone. What
is read here is the footer: Thrift's compact protocol, as `parquet.thrift` of Apache Parquet numbers its fields.
"""

import io
import os
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["n_values"]

_MAGIC: Final = b"PAR1"
_ROW_GROUPS, _COLUMNS, _META_DATA, _NUM_VALUES = 4, 1, 3, 5  # fields of FileMetaData, RowGroup, ColumnChunk, its facts
_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 11, 12
_WHERE_IN_A_BYTE: Final = 15  # beyond which a size or the number of a field stands by itself

_Struct = dict[int, object]


def n_values(path: Path) -> int:
    """Of all columns together; 0 where the file does not end as Parquet does.

    Raises:
        ValueError: its footer is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 12:
            return 0
        file.seek(size - 8)
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
        if magic != _MAGIC or length > size - 12:
            return 0
        file.seek(size - 8 - length)
        footer = io.BytesIO(file.read(length))
    try:
        groups = _struct(footer)[_ROW_GROUPS]
        return sum(
            _number(_inner(_inner(column)[_META_DATA])[_NUM_VALUES])
            for group in _items(groups)
            for column in _items(_inner(group)[_COLUMNS])
        )
    except (IndexError, KeyError, TypeError, RecursionError) as exc:
        raise ValueError(f"its footer is damaged ({type(exc).__name__})") from exc


def _struct(read: BinaryIO) -> _Struct:
    found: _Struct = {}
    number = 0
    while kind := (head := read.read(1)[0]) & _WHERE_IN_A_BYTE:
        number = number + (head >> 4) if head >> 4 else _signed(read)
        found[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else _value(read, kind)
    return found


def _value(read: BinaryIO, kind: int) -> object:
    if kind in {_TRUE, _FALSE, _BYTE}:  # truths only within lists
        return read.read(1)[0]
    if kind in _INTEGERS:
        return _signed(read)
    if kind in {_DOUBLE, _BINARY}:
        return read.read(8 if kind == _DOUBLE else _unsigned(read))
    if kind in _LISTS:
        head = read.read(1)[0]
        many = head >> 4 if head >> 4 < _WHERE_IN_A_BYTE else _unsigned(read)
        return [_value(read, head & _WHERE_IN_A_BYTE) for _ in range(many)]
    if kind == _MAP:
        many = _unsigned(read)
        kinds = read.read(1)[0] if many else 0
        return [(_value(read, kinds >> 4), _value(read, kinds & _WHERE_IN_A_BYTE)) for _ in range(many)]
    if kind == _STRUCT:
        return _struct(read)
    raise TypeError(kind)


def _unsigned(read: BinaryIO) -> int:
    number = shift = 0
    while (byte := read.read(1)[0]) & 128:
        number |= (byte & 127) << shift
        shift += 7
    return number | byte << shift


def _signed(read: BinaryIO) -> int:
    number = _unsigned(read)
    return number >> 1 ^ -(number & 1)


def _inner(value: object) -> _Struct:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value
