"""Structured logs on stderr, without prompts and keys."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import ExcInfo

from catalog import ParetoGateError

from .third_party_logs import LibraryLog

__all__ = ["configure_logging"]

_MOST_CAUSES = 5
_SECRET = re.compile(r"\b(?:sk|pk|rk|ghp|gho|hf|xox[abp]|AKIA|AIza)[-_A-Za-z0-9]{8,}|(?i:bearer)\s+\S+")


def configure_logging(*, level: str, style: Literal["console", "json"]) -> None:
    """Events on stderr; whatever has the shape of a key is blanked, and a crash is told without its message."""
    renderer = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_where_it_broke),
            _blank_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _Steady(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    LibraryLog.install()


class _Steady:
    """A stream that may be lost: where nobody reads it any more, or its disk is full, requests go on unlogged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # gone or full; closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _where_it_broke(exc_info: ExcInfo) -> str:
    """Kinds and places of an exception and its causes. Only our own messages are kept: others quote what they read."""
    told: list[str] = []
    exc: BaseException | None = exc_info[1]
    while exc is not None and len(told) < _MOST_CAUSES:
        frames = traceback.extract_tb(exc.__traceback__)
        places = "".join(f"  {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in frames)
        said = f": {exc}" if isinstance(exc, ParetoGateError) else ""
        told.append(f"{places}{type(exc).__name__}{said}")
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return "\nafter\n".join(told)


def _blank_secrets(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _SECRET.sub("[secret]", value)
    return event
