"""One model behind an OpenAI-compatible endpoint, asked by HTTP."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from eval.errors import EvalError

__all__ = ["Endpoint", "EndpointError", "HttpEndpoint", "Reply", "TokenScore"]


class EndpointError(EvalError):
    """The endpoint did not answer, or not in the form that was asked for."""

    def __init__(self, *, url: str, problem: str) -> None:
        super().__init__(f"{url}: {problem}")
        self.url = url


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer and what it took."""

    text: str
    input_tokens: int
    output_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore:
    """How expected each token of a text was; the first has nothing before it and is left out."""

    log_probability: tuple[float, ...]  # natural logarithm
    text_bytes: tuple[int, ...]  # UTF-8 bytes of each token's text


class Endpoint(Protocol):
    """What the procedures need of a model."""

    def chat(self, prompt: str, *, max_tokens: int) -> Reply:
        """The greedy answer to one user message."""
        ...

    def score_text(self, text: str, *, max_tokens: int) -> TokenScore:
        """Log-probabilities of the first tokens of a text.

        Raises:
            EndpointError: the endpoint gives none.
        """
        ...


class HttpEndpoint:
    """Chat completions for answers. Texts are scored by whichever way the server knows: echo, or llama.cpp's own."""

    def __init__(self, *, base_url: str, model: str, api_key: str | None = None, timeout_s: float = 120.0) -> None:
        self.base_url, self.model = base_url.rstrip("/"), model
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(timeout=timeout_s, headers=headers)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def chat(self, prompt: str, *, max_tokens: int) -> Reply:
        """See `Endpoint.chat`; temperature 0 and a fixed seed, so that the same question gets the same answer."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
        }
        started = time.perf_counter()
        answer = self._post(f"{self.base_url}/chat/completions", body)
        seconds = time.perf_counter() - started
        try:
            text = answer["choices"][0]["message"].get("content") or ""
            usage = answer.get("usage") or {}
            tokens = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as exc:
            raise EndpointError(url=self.base_url, problem=f"answered in no form of OpenAI's: {exc!r}") from exc
        return Reply(text=str(text), input_tokens=tokens[0], output_tokens=tokens[1], seconds=seconds)

    def score_text(self, text: str, *, max_tokens: int) -> TokenScore:
        """By `echo` of the completions door (vLLM and others), else token by token (llama.cpp)."""
        try:
            return self._echoed(text, max_tokens)
        except EndpointError:
            return self._token_by_token(text, max_tokens)

    def _echoed(self, text: str, max_tokens: int) -> TokenScore:
        body = {"model": self.model, "prompt": text, "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0}
        answer = self._post(f"{self.base_url}/completions", body)
        try:
            told = answer["choices"][0]["logprobs"]
            tokens, scores = told["tokens"], told["token_logprobs"]
        except (KeyError, IndexError, TypeError) as exc:
            raise EndpointError(url=self.base_url, problem="does not echo log-probabilities") from exc
        if len(tokens) < 3 or scores[0] is not None:
            raise EndpointError(url=self.base_url, problem="does not echo log-probabilities of the prompt")
        last = min(len(tokens) - 1, max_tokens)  # the last one is generated
        return TokenScore(
            log_probability=tuple(float(score) for score in scores[1:last]),
            text_bytes=tuple(len(str(token).encode()) for token in tokens[1:last]),
        )

    def _token_by_token(self, text: str, max_tokens: int) -> TokenScore:
        root = self.base_url.removesuffix("/v1")
        told = self._post(f"{root}/tokenize", {"content": text, "with_pieces": True})
        try:
            ids = [int(token["id"]) for token in told["tokens"]][:max_tokens]
            pieces = [_piece_bytes(token["piece"]) for token in told["tokens"]][:max_tokens]
        except (KeyError, TypeError) as exc:
            raise EndpointError(url=root, problem="neither echoes log-probabilities nor tokenizes") from exc
        scores = [self._next_token(root, ids[:at], ids[at]) for at in range(1, len(ids))]
        return TokenScore(log_probability=tuple(scores), text_bytes=tuple(pieces[1:]))

    def _next_token(self, root: str, before: list[int], token: int) -> float:
        """Log-probability of one token: among the likeliest, else among all."""
        for most in (100, 300_000):
            body = {
                "prompt": before, "n_predict": 1, "n_probs": most, "temperature": 0, "cache_prompt": True,
                "post_sampling_probs": False,
            }  # fmt: skip
            answer = self._post(f"{root}/completion", body)
            try:
                likely = answer["completion_probabilities"][0]["top_logprobs"]
            except (KeyError, IndexError, TypeError) as exc:
                raise EndpointError(url=root, problem="gives no log-probabilities of the next token") from exc
            for candidate in likely:
                if candidate["id"] == token:
                    return float(candidate["logprob"])
        raise EndpointError(url=root, problem=f"gives no log-probability of token {token}")

    def _post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post(url, json=body)
            response.raise_for_status()
            answer = response.json()
        except httpx.HTTPStatusError as exc:
            said = exc.response.text[:200]
            raise EndpointError(url=url, problem=f"status {exc.response.status_code}: {said}") from exc
        except (httpx.HTTPError, ValueError) as exc:
            raise EndpointError(url=url, problem=f"{type(exc).__name__}: {exc}") from exc
        if not isinstance(answer, dict):
            raise EndpointError(url=url, problem="answered no JSON object")
        return answer


def _piece_bytes(piece: object) -> int:
    """A token's bytes: llama.cpp gives text, or a list of bytes where the token is no whole character."""
    return len(piece) if isinstance(piece, list) else len(str(piece).encode())
