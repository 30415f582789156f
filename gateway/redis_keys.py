"""How our keys in Redis begin and what those of the journal are called.

Installations of different namespaces share a database and see nothing of each other. The namespace stands before the
hash tag, so that a cluster keeps together what belongs together, whatever the namespace.
"""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["NAMESPACE", "JournalKeys", "check_namespace"]

NAMESPACE: Final = "paretogate"
"""Where the operator names none."""

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,62}[A-Za-z0-9])?")


def check_namespace(name: str) -> None:
    """Refuse what could be taken for a hash tag, or for a pattern where an operator grants or looks for keys.

    Raises:
        ValueError: saying what may stand there.
    """
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            "keys in Redis begin with it: up to 64 letters, digits, . _ : and -, a letter or digit first and last,"
            " such as paretogate or team-a:gateway"
        )


@dataclass(frozen=True, slots=True)
class JournalKeys:
    """What replicas share by the Redis of their journal; one hash tag, so that a script sees all of it."""

    namespace: str = NAMESPACE

    @property
    def records(self) -> str:
        """The stream."""
        return self._key("records")

    @property
    def positions(self) -> str:
        """A hash: segment -> offset in bytes up to which it is in the stream."""
        return self._key("positions")

    @property
    def groups(self) -> str:
        """A hash: consumer group -> the identity of the file that it fills."""
        return self._key("groups")

    @property
    def learned(self) -> str:
        """A hash: name of a file that refinement wrote -> content."""
        return self._key("learned")

    @property
    def learned_at(self) -> str:
        """A hash: its name -> when it was written, nanoseconds since the epoch."""
        return self._key("learned-at")

    @property
    def predictors(self) -> str:
        """A string: the order in which predictors were put in force."""
        return self._key("predictors")

    def predictor(self, name: int | str) -> str:
        """A hash: name of a file of this version -> content."""
        return self._key(f"predictor:{name}")

    def _key(self, what: str) -> str:
        return f"{self.namespace}:{{journal}}:{what}"
