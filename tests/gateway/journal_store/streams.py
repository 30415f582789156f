"""Lines as the spool has them, and what became of them: of outcomes, of which no table would drop a double."""

from pathlib import Path

from gateway.journal import JournalReader

__all__ = ["line", "lines", "stored_ids"]

_LINE = b'{"kind":"outcome","at":1.0,"columns":[null,"%s",null,null,null],"record":{"decision_id":"%s"}}'


def line(decision_id: bytes) -> bytes:
    return _LINE % (decision_id, decision_id)


def lines(first: int, end: int) -> list[bytes]:
    """Of equal length, so that a test can tell where each begins."""
    return [line(b"d%03d" % number) for number in range(first, end)]


def stored_ids(path: Path) -> list[str]:
    with JournalReader(path) as reader:
        return [str(entry.outcome["decision_id"]) for entry in reader.outcomes()]
