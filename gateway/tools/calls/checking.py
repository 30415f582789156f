"""Tool calls held to the schemas of their tools, by the `jsonschema` library."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from gateway.errors import InvalidRequestError
from gateway.wire.answer import ChatAnswer

__all__ = ["CallFault", "calls_of", "canonical", "check_installed", "faults_of"]

_MAX_DETAIL = 200  # characters of a complaint that the model is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFault:
    """What is wrong with one call. `detail` may quote the call: it goes to the model alone, never to a record."""

    tool: str
    keyword: str  # of JSON Schema, or `arguments` (no JSON object) or `unknown_tool`
    detail: str


def check_installed() -> None:
    """Say what is missing.

    Raises:
        InvalidRequestError: calls cannot be checked here.
    """
    if find_spec("jsonschema") is None:
        raise InvalidRequestError(
            "routing.tools.repair: this gateway cannot check calls; pip install 'paretogate[tools]'",
            param="routing.tools.repair",
        )


def calls_of(answer: ChatAnswer) -> list[Mapping[str, Any]]:
    """The functions that the first choice calls, as `{name, arguments}`."""
    message = answer.choices[0].get("message")
    calls = message.get("tool_calls") if isinstance(message, Mapping) else None
    functions = [call.get("function") for call in calls or () if isinstance(call, Mapping)]
    return [function for function in functions if isinstance(function, Mapping)]


def canonical(calls: Sequence[Mapping[str, Any]]) -> str:
    """Equal for calls that mean the same, whatever the order of their keys and their spaces."""
    read = sorted(json.dumps([call.get("name"), _read(call)], sort_keys=True) for call in calls)
    return "\n".join(read)


def faults_of(calls: Sequence[Mapping[str, Any]], declared: Sequence[Mapping[str, Any]]) -> tuple[CallFault, ...]:
    """What is wrong with the calls, by the declarations that the model was sent.

    A schema that is itself wrong admits everything, and so does one that takes more than 10,000 steps: references can
    double at every level. Regular expressions are not tried (a request could bring one that never ends), nor what is
    left unevaluated, and references leave the schema for nothing. Takes up to a second: a thread's work.
    """
    functions = [entry.get("function") for entry in declared]
    schemas = {f["name"]: f.get("parameters") for f in functions if isinstance(f, Mapping) and "name" in f}
    return tuple(fault for call in calls for fault in _faults(call, schemas))


def _faults(call: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[CallFault]:
    name = str(call.get("name"))
    if name not in schemas:
        known = ", ".join(schemas)
        return [
            CallFault(
                tool=name, keyword="unknown_tool", detail=f"there is no {name}; choose from {known}"[:_MAX_DETAIL]
            )
        ]
    arguments = _read(call)
    if not isinstance(arguments, dict):
        return [CallFault(tool=name, keyword="arguments", detail="the arguments must be a JSON object")]
    schema = schemas[name]
    if not isinstance(schema, Mapping):
        return []
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415 - of the extra `tools`
    from referencing import Registry  # noqa: PLC0415 - likewise; without one of our own, references are fetched
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - likewise

    validator = _validator()
    _LEFT.set([_MOST_STEPS])
    try:
        if not validator(validator.META_SCHEMA).is_valid(schema):
            return []
        errors = list(validator(schema, registry=Registry()).iter_errors(arguments))
    except (SchemaError, Unresolvable, RecursionError, _TooLongError):
        return []
    return [
        CallFault(tool=name, keyword=str(error.validator), detail=f"{error.json_path}: {error.message}"[:_MAX_DETAIL])
        for error in errors
    ]


def _read(call: Mapping[str, Any]) -> object:
    try:
        return json.loads(call.get("arguments") or "{}")
    except (TypeError, ValueError, RecursionError):
        return call.get("arguments")


@cache
def _validator() -> Any:  # noqa: ANN401 - the library makes classes
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - of the extra `tools`

    def admit(*_: object) -> tuple[()]:
        return ()

    counted = {word: _counted(check) for word, check in Draft202012Validator.VALIDATORS.items()}
    return validators.extend(Draft202012Validator, counted | dict.fromkeys(_NOT_TRIED, admit))  # type: ignore[no-untyped-call] # the stubs'


_NOT_TRIED: Final = ("pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties")
_MOST_STEPS: Final = 10_000
_LEFT: ContextVar[list[int]] = ContextVar("steps_left")  # of the check that runs, one cell


class _TooLongError(Exception):
    """A check took too many steps."""


def _counted(check: Callable[..., Iterable[Any] | None]) -> Callable[..., Iterator[Any]]:
    """The same check of one keyword, every use of which is a step."""

    def counted(*given: object) -> Iterator[Any]:
        left = _LEFT.get()
        left[0] -= 1
        if left[0] < 0:
            raise _TooLongError
        yield from check(*given) or ()

    return counted
