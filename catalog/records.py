"""Records that nobody changes, for what is made anew with every request."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["record"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots and keywords, frozen by the type checker alone.

    `dataclass(frozen=True)` makes sure at run time too, and sets every field by a call of `object.__setattr__`: 2.9
    instead of 1.1 microseconds for eleven fields. A request makes some twenty records of five fields on average.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
