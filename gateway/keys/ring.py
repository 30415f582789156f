"""The keys of a running gateway: looked up in memory, and read again when their file changes."""

from collections.abc import Callable

import structlog

from gateway.errors import GatewayError

from .file import KeyFile, KeyFileError
from .key import ApiKey, hash_secret, split_token

__all__ = ["KeyRing", "UnknownKeyError"]

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0
_NO_SALT = "00" * 16


class UnknownKeyError(GatewayError):
    """A key that opens nothing. The message never repeats it."""


class KeyRing:
    """A lookup costs a hash whether the key exists or not."""

    def __init__(self, file: KeyFile, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        """`clock` is monotonic, `wall` since the epoch; both in seconds.

        Raises:
            KeyFileError: the file is damaged.
        """
        self._file, self._clock, self._wall = file, clock, wall
        self._stamp = file.stamp()
        self._keys = {key.key_id: key for key in file.read()}
        self._look_at_s = clock() + _LOOK_EVERY_S

    @property
    def is_empty(self) -> bool:
        """There is no key that opens anything."""
        return self.n_good == 0

    @property
    def n_good(self) -> int:
        """How many keys open something."""
        now_s = self._wall()
        return sum(key.problem(now_s) is None for key in self._keys.values())

    def find(self, token: str) -> ApiKey:
        """The key that this token is.

        Raises:
            UnknownKeyError: it is none, was revoked or has expired.
        """
        self._look()
        parts = split_token(token)
        key = self._keys.get(parts[0]) if parts else None
        if parts is None or key is None:
            hash_secret(token[:64], salt=_NO_SALT)  # takes as long as a wrong secret does
            raise UnknownKeyError("the API key is not known here; `paretogate keys create` makes one")
        if not key.opens(parts[1]):
            raise UnknownKeyError("the API key is not known here; `paretogate keys create` makes one")
        if (problem := key.problem(self._wall())) is not None:
            raise UnknownKeyError(f"this API key {problem}; `paretogate keys create` makes another")
        return key

    def _look(self) -> None:
        now_s = self._clock()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + _LOOK_EVERY_S
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            self._keys = {key.key_id: key for key in self._file.read()}
        except KeyFileError as exc:
            log.error("keys_refused", reason=str(exc))  # noqa: TRY400 - the reason says enough; the old keys stay
        else:
            log.info("keys_reloaded", keys=len(self._keys))
        self._stamp = stamp
