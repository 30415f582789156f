"""Running a synthesis of tool usage: a model over HTTP, and a file that grows line by line and can be gone on with."""

import json
from dataclasses import asdict
from pathlib import Path

import httpx

from predictors.tools.synthesis import Chat, SyntheticRequest

from .errors import EvalError, InvalidReplayError

__all__ = ["http_chat", "read_made", "write_made"]

_MAX_TOKENS = 400


def http_chat(client: httpx.Client, *, model: str, temperature: float = 0.8) -> Chat:
    """Asks any endpoint that speaks OpenAI's chat completions, this gateway among them.

    The client carries the base URL (with `/v1`), the key and the timeout.
    """

    def ask(prompt: str) -> str:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": _MAX_TOKENS,
            "temperature": temperature,
        }
        try:
            answer = client.post("chat/completions", json=body).raise_for_status().json()
            return str(answer["choices"][0]["message"]["content"] or "")
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as exc:
            raise EvalError(f"{client.base_url} gave no chat completion: {exc}; what was made so far is kept") from exc

    return ask


def read_made(path: Path) -> list[SyntheticRequest]:
    """Requests made before; a file that is not there holds none.

    Raises:
        InvalidReplayError: a line is no made-up request.
    """
    if not path.exists():
        return []
    made = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            made.append(SyntheticRequest(**{**row, "tool_ids": tuple(row["tool_ids"])}))
        except (ValueError, TypeError, LookupError) as exc:
            raise InvalidReplayError(f"{path}, line {number}: not a made-up request ({exc}); delete the line") from exc
    return made


def write_made(path: Path, request: SyntheticRequest) -> None:
    """Append one line."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(request), ensure_ascii=False) + "\n")
