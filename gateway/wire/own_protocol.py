"""A request in one provider's own protocol: told as a chat, and as it came where that provider itself is asked."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from catalog import PoolEntry
from gateway.errors import InvalidRequestError

from .answer import ChatAnswer, read_answer
from .stream import ChatStream
from .translated import TranslatedRequest

__all__ = ["OwnProtocolRequest"]

_CHAT = "/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProtocolRequest(TranslatedRequest, ABC):
    """What the doors of such protocols have in common."""

    own_protocol: ClassVar[str]  # one of `catalog.PROTOCOLS`
    own_path: ClassVar[str]  # where its provider is asked, below its base URL
    own_stream: ClassVar[type[ChatStream]]  # what reads a stream that comes from there
    own_prefix: ClassVar[str]  # how its answers' ids begin
    goes_there_anyway: ClassVar[bool]  # also where chat has words for all of it

    read_as: dict[str, Any]  # the chat request that it was read as, before anything was taken out of it
    only_there: InvalidRequestError | None = None  # see `refusal`

    @property
    def refusal(self) -> InvalidRequestError | None:
        """Names what only the protocol's own servers can do; see `ChatRequest.refusal`."""
        return self.only_there

    @property
    def may_go_as_sent(self) -> bool:
        """See `ChatRequest.may_go_as_sent`."""
        return self.goes_there_anyway or self.only_there is not None

    @property
    def protocol(self) -> str | None:
        """See `ChatRequest.protocol`."""
        return None if self.only_there is None else self.own_protocol

    def path(self, recipient: PoolEntry, *, changed: bool = False) -> str:
        """Where this backend is asked, below its base URL."""
        return self.own_path if self._passes(recipient) and not changed else _CHAT

    def id_prefix(self, path: str) -> str | None:
        """See `ChatRequest.id_prefix`."""
        return None if path == self.own_path else self.own_prefix

    def reader(self, path: str) -> type[ChatStream]:
        """What reads a stream that comes from there."""
        return self.own_stream if path == self.own_path else ChatStream

    def read_answer(self, raw: bytes, *, backend_id: str, path: str = _CHAT) -> ChatAnswer:
        """A backend's whole answer; see `ChatRequest.read_answer`."""
        return (self._read_own if path == self.own_path else self._read_chat)(raw, backend_id=backend_id)

    def for_backend(
        self,
        model_name: str,
        *,
        without: Collection[str] = (),
        replacing: Mapping[str, object] | None = None,
        recipient: PoolEntry | None = None,
    ) -> bytes:
        """The bytes that a backend gets; see `ChatRequest.for_backend`.

        Raises:
            InvalidRequestError: only the protocol's own servers, asked as the client did, could do what is asked.
        """
        if recipient is not None and not replacing and self._passes(recipient):
            return self._own_body(model_name, without=without, recipient=recipient)
        if self.only_there is not None:
            raise self.only_there
        return TranslatedRequest.for_backend(
            self, model_name, without=without, replacing=replacing, recipient=recipient
        )

    def _passes(self, recipient: PoolEntry) -> bool:
        """Whether it goes as it came, to somebody who speaks its protocol."""
        is_there = recipient.backend is not None and self.own_protocol in recipient.backend.abilities
        return is_there and self.may_go_as_sent and self.body["messages"] is self.read_as["messages"]

    @abstractmethod
    def _own_body(self, model_name: str, *, without: Collection[str], recipient: PoolEntry) -> bytes:
        """The bytes that the protocol's own server gets."""

    @abstractmethod
    def _read_own(self, raw: bytes, *, backend_id: str) -> ChatAnswer:
        """Its whole answer."""

    def _read_chat(self, raw: bytes, *, backend_id: str) -> ChatAnswer:
        return read_answer(raw, backend_id=backend_id)
