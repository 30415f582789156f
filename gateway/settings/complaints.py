"""What is wrong with a configuration, told so that it can be mended: the key, where it stands, what was meant."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .whole import Settings

__all__ = ["explain", "meant"]


def explain(exc: ValidationError, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Every complaint, with the source that said it first; `sources` are named, and the earlier beats the later."""
    lines = []
    for error in exc.errors(include_input=False, include_url=False):
        location = error["loc"]
        said = location[:-1] if error["type"] == "missing" else location  # who said the rest left it out
        where = next((name for name, values in sources if _holds(values, said)), sources[-1][0])
        key = ".".join(str(part) for part in location)
        if error["type"] == "extra_forbidden":
            known = _known_keys(location[:-1])
            lines.append(f"{where}: {key}: unknown key{meant(str(location[-1]), known)}")
        else:
            problem = error["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
    return "; ".join(lines)


def _holds(values: object, location: tuple[int | str, ...]) -> bool:
    for part in location:
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        elif isinstance(part, int) and isinstance(values, list | tuple) and part < len(values):
            values = values[part]  # a list of sections: part is the position
        else:
            return False
    return True


def _known_keys(location: tuple[int | str, ...]) -> Sequence[str]:
    """The keys that a section has; the section may lie inside a list or a table of sections."""
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _section_of(model.model_fields[part].annotation) or model
    return tuple(model.model_fields)


def _section_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((section for part in get_args(annotation) if (section := _section_of(part)) is not None), None)


def meant(key: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """The known key that comes close, else all of them."""
    close = get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
