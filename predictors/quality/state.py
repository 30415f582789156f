"""What a fitted estimator has learned, as flat arrays, and back.

It goes by the convention that what is learned ends in an underscore. Parts are named by their path, `members.0.means_`;
an estimator that several share is kept once. A part that only `fit` makes is declared in the class's `learned_parts`.
What can be computed from the rest again must not end in an underscore, nor what only training needs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["learned", "restore"]

Array = npt.NDArray[Any]


def learned(estimator: object) -> dict[str, Array]:
    """Everything the estimator and its parts have learned, by path; long arrays of numbers in single precision."""
    return dict(_learned(estimator, "", set()))


def restore(estimator: object, arrays: Mapping[str, Array]) -> None:
    """Give an estimator, made with the same hyper-parameters, what `learned` said of another.

    Raises:
        ValueError: an array has the name of something that is not learned.
    """
    for name, part in _parts(estimator):
        restore(part, _below(arrays, name))
    for name, kind in getattr(estimator, "learned_parts", {}).items():
        inner = _below(arrays, name)
        setattr(estimator, name, _made(kind, inner) if inner else None)
    for name, array in arrays.items():
        if "." not in name:
            if name.startswith("_") or not name.endswith("_"):
                raise ValueError(f"{name[:80]!r} is nothing that is learned")
            setattr(estimator, name, _plain(array))


def _learned(estimator: object, path: str, known: set[int]) -> Iterator[tuple[str, Array]]:
    if id(estimator) in known:
        return
    known.add(id(estimator))
    for name, value in _values(estimator):
        if _is_estimator(value):
            yield from _learned(value, f"{path}{name}.", known)
        elif name.endswith("_") and value is not None:
            yield path + name, _stored(value)
    for name, part in _parts(estimator):
        yield from _learned(part, f"{path}{name}.", known)


def _values(estimator: object) -> list[tuple[str, Any]]:
    """Public attributes; a learned dataclass such as a scaling is all learned."""
    if is_dataclass(estimator):
        return [(f"{f.name}_", getattr(estimator, f.name)) for f in fields(estimator)]
    declared = getattr(estimator, "learned_parts", {})
    return [
        (name, value)
        for name, value in vars(estimator).items()
        if not name.startswith("_") and (name.endswith("_") or name in declared)
    ]


def _parts(estimator: object) -> Iterator[tuple[str, object]]:
    """The estimators that an estimator was made with, by path."""
    if is_dataclass(estimator):
        return
    for name, value in vars(estimator).items():
        if name.startswith("_") or name.endswith("_"):
            continue
        if _is_estimator(value):
            yield name, value
        elif isinstance(value, tuple):
            yield from ((f"{name}.{i}", part) for i, part in enumerate(value) if _is_estimator(part))


def _is_estimator(value: object) -> bool:
    return type(value).__module__.startswith("predictors.")


def _made(kind: type, arrays: Mapping[str, Array]) -> object:
    if is_dataclass(kind):
        return kind(**{name.removesuffix("_"): _plain(array) for name, array in arrays.items()})
    part = kind()
    restore(part, arrays)
    return part


def _below(arrays: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}


def _stored(value: object) -> Array:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 and array.ndim else array


def _plain(array: Array) -> object:
    if array.dtype.kind == "U":
        return tuple(array.tolist())
    if not array.ndim:
        return array.item()
    return array.astype(np.float64) if array.dtype == np.float32 else array
