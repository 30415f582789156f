"""Reading a foreign body field by field: every complaint names the place and says what to do."""

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from gateway.errors import InvalidRequestError

__all__ = ["SHOWN_BY", "boolean_at", "list_at", "nothing_else", "object_at", "one_answer", "refuse", "text_at"]

SHOWN_BY = "Shown by the tool call"
"""So begins what stands before a tool's pictures, which chat lets only users send; no user asked for anything there."""


def refuse(where: str, problem: str) -> NoReturn:
    """Say no to one field.

    Raises:
        InvalidRequestError: always.
    """
    raise InvalidRequestError(f"{where}: {problem}", param=where)


def text_at(value: object, where: str) -> str:
    """A string."""
    return value if isinstance(value, str) else refuse(where, "must be a string")


def boolean_at(value: object, where: str) -> bool:
    """True or false."""
    return value if isinstance(value, bool) else refuse(where, "must be true or false")


def object_at(value: object, where: str) -> dict[str, Any]:
    """An object."""
    return value if isinstance(value, dict) else refuse(where, "must be an object")


def list_at(value: object, where: str) -> list[Any]:
    """A list; an absent one is empty."""
    if value is None:
        return []
    return value if isinstance(value, list) else refuse(where, "must be a list")


def one_answer(body: Mapping[str, object]) -> None:
    """Only chat and completions have room for several answers; others would be paid for and lost."""
    if body.get("n") not in (None, 1):
        refuse("n", "there is room for one answer here; ask again for another, or ask at /v1/chat/completions")


def nothing_else(given: Mapping[str, object], where: str, known: Collection[str], *, remedy: str) -> None:
    """Whatever is not known could only be lost in translation, so it is refused. Null says nothing and passes."""
    for key, value in given.items():
        if key not in known and value is not None:
            refuse(f"{where}.{key}" if where else key, f"cannot be translated for other models; {remedy}")
