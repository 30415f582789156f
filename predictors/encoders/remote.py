"""Encodings from an OpenAI-compatible endpoint: `POST {base_url}/embeddings`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from predictors.errors import EncoderAwayError, EncoderUnavailableError

from .protocol import Vectors

if TYPE_CHECKING:
    import httpx

__all__ = ["RemoteEncoder"]

_BATCH: Final = 16  # a model on a few cores takes a second a text
_FOR_NOW: Final = frozenset({408, 425, 429})  # statuses that a later request need not get
_BROKEN: Final = 500  # and all from here on
_BLANK: Final = " "  # the empty text is refused by OpenAI and most others


class RemoteEncoder:
    """A model behind an embeddings endpoint. Blocking, and it opens connections: put a `CachedEncoder` before it.

    Deterministic only as far as the endpoint is. Close it, or use it in a `with` statement.

    Args:
        base_url: up to and with the version, as the OpenAI client takes it.
        model: the model's name there.
        dim: length of its vectors; asked of the endpoint once where it is None.
        api_key: sent as a bearer token; None sends none.
        timeout_s: for one text; a batch may take as long as its texts one by one.
        client: an httpx client to use instead of our own (tests pass one with a mock transport).

    Raises:
        EncoderAwayError: the endpoint does not answer, or says that it cannot now.
        EncoderUnavailableError: it refuses, or answers something else than vectors.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        dim: int | None = None,
        api_key: str | None = None,
        timeout_s: float = 10.0,
        client: "httpx.Client | None" = None,
    ) -> None:
        import httpx  # noqa: PLC0415 - importing the package must not pay for it

        self.url = f"{base_url.rstrip('/')}/embeddings"
        self.model = model
        self.timeout_s = timeout_s
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = client if client is not None else httpx.Client()
        self.dim = dim if dim is not None else len(self._ask(["dimension"])[0])
        self.name = f"remote/{model}@{self.dim}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)  # (n_texts, dim)
        for first in range(0, len(texts), _BATCH):
            batch = [
                text.encode("utf-8", "replace").decode("utf-8") or _BLANK for text in texts[first : first + _BATCH]
            ]
            rows = np.asarray(self._ask(batch), dtype=np.float32)
            if rows.shape != (len(batch), self.dim):
                raise self._unusable(f"vectors of shape {rows.shape} instead of {(len(batch), self.dim)}")
            norms = np.linalg.norm(rows, axis=1, keepdims=True)
            if not (np.isfinite(norms).all() and (norms > 0).all()):
                raise self._unusable("a vector without a direction")
            vectors[first : first + _BATCH] = rows / norms
        return vectors

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, texts: list[str]) -> list[list[float]]:
        import httpx  # noqa: PLC0415 - loaded by __init__ already

        body = {"model": self.model, "input": texts, "encoding_format": "float"}
        patience = httpx.Timeout(self.timeout_s, read=self.timeout_s * len(texts))
        try:
            response = self._client.post(self.url, json=body, headers=self._headers, timeout=patience)
            response.raise_for_status()
        except httpx.ReadTimeout as exc:
            raise EncoderAwayError(
                f"{self.url} did not answer within {patience.read:g} s for {len(texts)} texts; give it more resources, "
                "or use the static encoder"
            ) from exc
        except httpx.HTTPStatusError as exc:
            status = exc.response.status_code
            raise self._unusable(f"status {status}", for_now=status in _FOR_NOW or status >= _BROKEN) from exc
        except httpx.HTTPError as exc:
            is_away = isinstance(exc, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError)
            raise (EncoderAwayError if is_away else EncoderUnavailableError)(
                f"{self.url} cannot be reached ({type(exc).__name__}); check base_url, or use the static encoder"
            ) from exc
        try:
            items = sorted(response.json()["data"], key=lambda item: int(item["index"]))
            vectors = [[float(x) for x in item["embedding"]] for item in items]
        except (ValueError, KeyError, TypeError) as exc:
            raise self._unusable("something else than embeddings") from exc
        if len(vectors) != len(texts):
            raise self._unusable(f"{len(vectors)} embeddings for {len(texts)} texts")
        return vectors

    def _unusable(self, what: str, *, for_now: bool = False) -> EncoderUnavailableError:
        return (EncoderAwayError if for_now else EncoderUnavailableError)(
            f"{self.url} answered {what} for model {self.model!r}; check base_url, model, dim and the API key"
        )
