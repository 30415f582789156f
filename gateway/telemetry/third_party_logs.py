"""What libraries log goes through our own log: in its format, without keys, and without what they quote.

The standard library would print it as it comes, between lines of JSON, with the messages of exceptions, which may hold
what was being read. Messages are kept of those that see no prompt: the server tells of connections and processes,
OpenTelemetry of collectors that are away.
"""

import logging
from typing import Final

import structlog

__all__ = ["LibraryLog"]

_QUOTES_NOTHING: Final = ("opentelemetry", "uvicorn")
_READS_HEADERS: Final = "opentelemetry.trace"  # and warns of odd ones with each request, in their clients' words


class LibraryLog(logging.Handler):
    """Tells of every record as the event `library_warned`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = structlog.get_logger(__name__)

    @classmethod
    def install(cls) -> None:
        """Be the root's only handler of this kind; warnings and worse come here."""
        root = logging.getLogger()
        root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, cls)]
        root.addHandler(cls())
        logging.getLogger(_READS_HEADERS).setLevel(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        facts: dict[str, object] = {"library": record.name, "where": f"{record.module}:{record.lineno}"}
        if record.name.partition(".")[0] in _QUOTES_NOTHING:
            facts["message"] = record.getMessage()
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        self._log.log(record.levelno, "library_warned", **facts)
