"""Running a synthesis of tool usage: a model over HTTP, and a file that grows line by line and can be gone on with."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import httpx

from catalog import read_file, read_text
from eval.errors import EvalError, InvalidReplayError
from predictors.tools.synthesis import Chat, SyntheticRequest

__all__ = ["http_chat", "read_made", "write_made"]

_MAX_TOKENS = 400
_MAX_TOKENS_OF_A_LINE = 80


def http_chat(client: httpx.Client, *, model: str, temperature: float = 0.8, one_line: bool = False) -> Chat:
    """Asks any endpoint that speaks OpenAI's chat completions, this gateway among them.

    Args:
        client: carries the base URL (with `/v1`), the key and the timeout.
        model: to ask.
        temperature: of its answers.
        one_line: stop at the end of the first line: a small model goes on for long, and nobody reads it.
    """
    limits = {"max_tokens": _MAX_TOKENS_OF_A_LINE, "stop": ["\n"]} if one_line else {"max_tokens": _MAX_TOKENS}

    def ask(prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> str:
        spoken = [(role, text) for turn in earlier for role, text in zip(("user", "assistant"), turn, strict=True)]
        body = {
            "model": model,
            "messages": [{"role": role, "content": text} for role, text in (*spoken, ("user", prompt))],
            "temperature": temperature,
            **limits,
        }
        try:
            answer = client.post("chat/completions", json=body).raise_for_status().json()
            return str(answer["choices"][0]["message"]["content"] or "")
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as exc:
            raise EvalError(f"{client.base_url} gave no chat completion: {exc}; what was made so far is kept") from exc

    return ask


def read_made(path: Path) -> list[SyntheticRequest]:
    """Requests made before; a file that is not there holds none, and a last line that was torn is cut off.

    Raises:
        InvalidReplayError: a line is no made-up request.
    """
    if not path.exists():
        return []
    made = []
    _end_the_last_line(path)
    for number, line in enumerate(read_text(path).split("\n"), start=1):  # JSON may hold other ends
        if not line:
            continue
        try:
            row = json.loads(line)
            made.append(SyntheticRequest(**{**row, "tool_ids": tuple(row["tool_ids"])}))
        except (ValueError, TypeError, LookupError) as exc:
            raise InvalidReplayError(f"{path}, line {number}: not a made-up request ({exc}); delete the line") from exc
    return made


def _end_the_last_line(path: Path) -> None:
    """Whoever wrote it was killed, or had no room left: the next line must not run into it."""
    raw = read_file(path)
    last = raw[raw.rfind(b"\n") + 1 :]
    if not last:
        return
    try:
        json.loads(last)
    except ValueError:
        with path.open("rb+") as lines:
            lines.truncate(len(raw) - len(last))
    else:
        with path.open("ab") as lines:
            lines.write(b"\n")


def write_made(path: Path, request: SyntheticRequest) -> None:
    """Append one line."""
    with path.open("a", encoding="utf-8") as lines:
        # a model may have said half a character, which no UTF-8 can carry
        lines.write(json.dumps(asdict(request), ensure_ascii=True) + "\n")
