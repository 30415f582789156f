"""What a provider said in a stream, told from what litellm adds: ends, counts of tokens, prices."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

__all__ = ["Said"]


class Said:
    """Watches one of litellm's streams, from before its first chunk on."""

    def __init__(self, chunks: Any) -> None:  # noqa: ANN401 - litellm ships no usable types
        """In a stream litellm puts its own estimate where a provider would say what it charges: that is turned off."""
        self._chunks = chunks
        self._begun: set[object] = set()  # of Gemini's candidates: once litellm has read them, all pieces bear an end
        self._ended: set[object] = set()
        if (accounts := getattr(chunks, "logging_obj", None)) is not None:
            accounts.response_cost_calculator = lambda *_, **__: None
        if (ask := getattr(chunks, "make_call", None)) is not None:
            chunks.make_call = partial(self._asked, ask)

    def made_up_the_end(self, chunk: Any) -> bool:  # noqa: ANN401 - as above
        """Whether a chunk ends an answer that its provider never ended: litellm does so with what breaks off."""
        if not any(getattr(choice, "finish_reason", None) for choice in chunk.choices):
            return False
        said = [getattr(self._chunks, f"{name}_finish_reason", "unknown") for name in ("received", "intermittent")]
        return self._begun != self._ended or not any(said)

    def counted(self) -> bool:
        """Whether the provider told how many tokens there were; where it does not, litellm guesses."""
        came = getattr(self._chunks, "chunks", None)
        return came is None or any(getattr(each, "usage", None) is not None for each in came)

    async def _asked(self, ask: Callable[..., Awaitable[Any]], **wanted: Any) -> Any:  # noqa: ANN401 - as above
        """The provider's own pieces; Gemini's are looked at before litellm reads them."""
        pieces = await ask(**wanted)
        read = getattr(pieces, "chunk_parser", None)
        if read is not None and "gemini" in type(pieces).__module__:

            def look_and_read(chunk: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
                self._look(chunk)
                return read(chunk=chunk)

            pieces.chunk_parser = look_and_read
        return pieces

    def _look(self, piece: Mapping[str, Any]) -> None:
        for candidate in piece.get("candidates") or ():
            which = candidate.get("index", 0)
            self._begun.add(which)
            if candidate.get("finishReason"):
                self._ended.add(which)
