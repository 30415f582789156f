"""From a request body to a Query: what was asked, how much there is to read, and what answering requires.

One reader for the four dialects (OpenAI chat, completions and responses, Anthropic messages): the keys that carry
meaning do not collide. It reads what it can and raises on nothing; refusing a bad body is its backend's affair.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson

from .query import Query
from .thinking import read_thinking
from .tokens import estimate_tokens

__all__ = ["TEXT_BUDGET_CHARS", "read_query"]

TEXT_BUDGET_CHARS: Final = 2_000
"""Most of a conversation that the encoder is shown: see `shorten`, and docs/quality.md for what more would bring."""

_SYSTEM_SHARE: Final = 0.15
_EARLIER_SHARE: Final = 0.25
_GAP: Final = "\n[...]\n"
_TOKENS_PER_TURN: Final = 4  # role and separators, as OpenAI's own counting recipe has it
_TOKENS_PER_IMAGE: Final = 800  # about one 1024 x 1024 image in the tiles of today's models
_TOKENS_PER_FILE: Final = 1_500  # a short document; nothing here opens one
_TOKENS_PER_AUDIO: Final = 300  # about 10 to 30 seconds of speech
_MOST_ANSWERS: Final = 1_000_000  # whoever asks for more has a cost that nobody pays anyway
_COUNTING: Final = frozenset({"best_of", "n", "prompt"})  # what says how many answers are written
_MAX_DEPTH: Final = 8  # of blocks within blocks; a body nested deeper is not a conversation

_SYSTEM_ROLES: Final = ("system", "developer")
_IMAGE_TYPES: Final = ("image_url", "image", "input_image")
_AUDIO_TYPES: Final = ("input_audio", "audio")
_FILE_TYPES: Final = ("file", "document", "input_file")


class _Turns:
    """What reading a body gathers."""

    __slots__ = ("extra_tokens", "n_turns", "needs", "system", "turns")

    def __init__(self) -> None:
        self.system: list[str] = []
        self.turns: list[tuple[str, str]] = []  # (role, text), in order
        self.n_turns = 0
        self.needs: set[str] = set()
        self.extra_tokens = 0  # of what is not text


def read_query(body: Mapping[str, object]) -> Query:
    """The query of a request body in any of the four dialects.

    `text` is the whole conversation, shortened to `TEXT_BUDGET_CHARS` (`shorten` says how). `input_tokens` counts
    everything: all turns, tools and schemas at full length, and a flat figure per image, file or audio clip.
    `needs` holds what the body itself asks for: tools, vision, audio, json_schema, logprobs, streaming.
    """
    seen = _Turns()
    for key in ("system", "instructions"):
        if key in body:
            seen.system.extend(text for text in _texts(body[key], seen, 0) if text)
    for key in ("messages", "input", "prompt"):
        if key in body:
            _read_turns(body[key], seen)
    tools = _sequence(body.get("tools")) or _sequence(body.get("functions"))
    schema = _schema_of(body)
    _read_needs(body, tools=tools, schema=schema, needs=seen.needs)
    everything = "\n".join([*seen.system, *(text for _, text in seen.turns)])
    tokens = estimate_tokens(everything) + seen.extra_tokens + _TOKENS_PER_TURN * (len(seen.turns) + len(seen.system))
    tokens += _json_tokens(tools) + _json_tokens(schema)
    return Query(
        text=shorten(seen.system, seen.turns),
        input_tokens=max(1, round(tokens)),
        n_turns=max(1, seen.n_turns),
        tool_names=tuple(name for tool in tools if (name := _tool_name(tool))),
        max_output_tokens=_token_limit(body),
        n_answers=_n_answers(body),
        thinking=read_thinking(body),
        needs=frozenset(seen.needs),
    )


def shorten(system: Iterable[str], turns: list[tuple[str, str]], *, budget: int = TEXT_BUDGET_CHARS) -> str:
    """One text of at most so many characters: instructions, what went before, and the last user turn.

    A conversation within the budget is kept whole, its parts apart by a blank line. Else the instructions keep the
    beginning, up to three twentieths of the budget, the turns around the last user turn the end, up to a quarter, and
    the last user turn what is left: its head and its tail, three to two, for the question stands in one of the two.
    """
    instructions = "\n\n".join(system)
    whole = "\n\n".join([part for part in (instructions, *(text for _, text in turns)) if part])
    if len(whole) <= budget:
        return whole
    last = max((at for at, (role, _) in enumerate(turns) if role == "user"), default=len(turns) - 1)
    instructions = instructions[: round(_SYSTEM_SHARE * budget)]
    earlier = "\n\n".join(text for at, (_, text) in enumerate(turns) if at != last)[-round(_EARLIER_SHARE * budget) :]
    kept = [part for part in (instructions, earlier) if part]
    room = budget - sum(len(part) + 2 for part in kept)
    question = turns[last][1] if turns else ""
    if len(question) > room:
        head = (room - len(_GAP)) * 3 // 5
        tail = room - len(_GAP) - head
        question = question[:head] + _GAP + question[-tail:]
    return "\n\n".join([*kept, question])


def _read_turns(content: object, seen: _Turns) -> None:
    """A string, a list of strings, of token ids, of messages or of items: each becomes turns."""
    if isinstance(content, str):
        seen.turns.append(("user", content))
        seen.n_turns += 1
        return
    for item in _sequence(content):
        if isinstance(item, dict):
            _read_message(item, seen)
        elif isinstance(item, str):
            seen.turns.append(("user", item))
            seen.n_turns += 1
        elif isinstance(item, int):
            seen.extra_tokens += 1  # a prompt in token ids: nothing to read, but it has a length
        else:
            seen.extra_tokens += len(_sequence(item))


def _read_message(message: Mapping[str, object], seen: _Turns) -> None:
    role = message.get("role")
    content = message.get("content")
    text = content if isinstance(content, str) else "\n".join([part for part in _texts(content, seen, 0) if part])
    if role is None:  # an item of the responses dialect: a call, its output, or a bare content part
        text = text or "\n".join(part for part in _texts(message, seen, 0) if part)
    calls = _sequence(message.get("tool_calls"))
    if calls:
        text = f"{text}\n{_json_text(calls)}" if text else _json_text(calls)
    if role in _SYSTEM_ROLES:
        if text:
            seen.system.append(text)
        return
    name = role if isinstance(role, str) else "item"
    seen.n_turns += name == "user"
    seen.turns.append((name, text))


def _texts(content: object, seen: _Turns, depth: int) -> Iterator[str]:
    """Every text within a content of any shape; images and the like are noted in `seen`."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        if not _is_media(content.get("type"), seen) and depth < _MAX_DEPTH:
            for key in ("text", "content", "output", "arguments"):
                yield from _texts(content.get(key), seen, depth + 1)
            if content.get("type") == "tool_use":
                yield _json_text(content.get("input"))
    elif isinstance(content, list | tuple) and depth < _MAX_DEPTH:
        for part in content:
            yield from _texts(part, seen, depth + 1)


def _is_media(kind: object, seen: _Turns) -> bool:
    """Whether a part is an image, a clip or a file; if so, what it needs and weighs is noted."""
    if kind in _IMAGE_TYPES:
        seen.needs.add("vision")
        seen.extra_tokens += _TOKENS_PER_IMAGE
    elif kind in _AUDIO_TYPES:
        seen.needs.add("audio")
        seen.extra_tokens += _TOKENS_PER_AUDIO
    elif kind in _FILE_TYPES:
        seen.extra_tokens += _TOKENS_PER_FILE
    else:
        return False
    return True


def _read_needs(body: Mapping[str, object], *, tools: Sequence[object], schema: object, needs: set[str]) -> None:
    if tools and body.get("tool_choice") != "none":
        needs.add("tools")
    if schema is not None:
        needs.add("json_schema")
    if body.get("stream") is True:
        needs.add("streaming")
    logprobs = body.get("logprobs")
    if logprobs is True or (isinstance(logprobs, int) and logprobs > 0):  # chat says true, completions how many
        needs.add("logprobs")
    if "audio" in _sequence(body.get("modalities")):
        needs.add("audio")


def _schema_of(body: Mapping[str, object]) -> object:
    """The JSON schema the answer must follow, or None: `response_format` in chat, `text.format` in responses."""
    text = body.get("text")
    for wanted in (body.get("response_format"), text.get("format") if isinstance(text, dict) else None):
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            return wanted
    return None


def _tool_name(tool: object) -> str | None:
    if not isinstance(tool, dict):
        return None
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name", tool.get("type"))
    return name if isinstance(name, str) else None


def _token_limit(body: Mapping[str, object]) -> int | None:
    for key in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        value = body.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < float("inf"):
            return int(value)
    return None


def _n_answers(body: Mapping[str, object]) -> int:
    """How many answers are written, and billed: of each prompt `n`, or as many as the best are chosen from."""
    if _COUNTING.isdisjoint(body):
        return 1
    asked = (body.get(key) for key in ("n", "best_of"))
    each = max((n for n in asked if isinstance(n, int) and not isinstance(n, bool)), default=1)
    prompts = _sequence(body.get("prompt"))
    n_prompts = len(prompts) if any(isinstance(prompt, str | list | tuple) for prompt in prompts) else 1
    return min(max(each, 1) * n_prompts, _MOST_ANSWERS)


def _json_tokens(value: object) -> float:
    return estimate_tokens(_json_text(value)) if value else 0.0


def _json_text(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):  # odd keys, lone surrogates, numbers beyond 64 bits
        pass
    try:
        return str(value)
    except RecursionError:  # nested without end: there is no reading it
        return ""


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
