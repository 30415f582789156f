"""Tokenizers whose files come in packages, measured: `python -m catalog.structure.tokenizers --packages DIR`.

`data/tokenizers.toml` names file and package of each; DIR is a folder where these packages are installed.
The text is our own, in twelve languages and notations (`data/tokenizer_text.json`). A model is given a tokenizer by
its family, where the maker says which one it uses; other models have none here: their token ratio stays unknown.
"""

import argparse
import base64
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from catalog.compiled import SHIPPED
from catalog.efficiency.tokenizer import Tokenizer
from catalog.errors import ImportFailedError

__all__ = ["main", "measure", "tokenizer_of", "tokenizers"]

_SHIPPED = SHIPPED.parent / "tokenizers.json"
_TEXT = SHIPPED.parent / "tokenizer_text.json"
_FILES = SHIPPED.parent / "tokenizers.toml"
_REFERENCE = "cl100k"
_REFERENCE_PARTS = ("english", "code", "maths", "json")  # what most requests hold
_FAMILIES = tuple(
    (re.compile(pattern), tokenizer)
    for pattern, tokenizer in (
        (r"openai/(?:gpt-4(?!o|\.|1-)(?:-|$)|gpt-3\.5)", "cl100k"),
        (r"openai/(?:gpt-4o|chatgpt-4o|gpt-4\.[15]|gpt-5|o[13]|o4-mini|gpt-oss)", "o200k"),  # as tiktoken's own table
        (r"anthropic/claude-(?:1|2|instant)", "claude-2"),  # what later ones use was never published
        (r"meta-llama/llama-3|nvidia/llama-3|deepseek/deepseek-r1-distill-llama", "llama-3"),
        (r"meta-llama/llama-4", "llama-4"),
        (r"qwen/(?:qwen(?:1\.5|2|3(?!\.[5-9]))|qwq|qvq|codeqwen)", "qwen"),
        (r"deepseek/deepseek-r1-distill-qwen", "qwen"),
        (r"deepseek/deepseek-(?:v3|v4|r1|chat|reasoner|3|flash)", "deepseek-v3"),
        (r"mistralai/(?:mistral-nemo|ministral|pixtral-12b|devstral|magistral|mistral-small-(?:3|25|26))", "tekken"),
        (r"mistralai/(?:mistral-medium-(?:3|25|26)|open-mistral-nemo|mistral-large-(?:3|25|26))", "tekken"),
    )
)


@cache
def tokenizers() -> Mapping[str, Tokenizer]:
    """The measured tokenizers by name, as shipped."""
    rows = orjson.loads(_SHIPPED.read_bytes())
    return MappingProxyType({row["name"]: Tokenizer(**row) for row in rows})


def tokenizer_of(model_id: str) -> Tokenizer | None:
    """The tokenizer of a model's family, None where it was not measured or its maker does not say."""
    name = next((tokenizer for pattern, tokenizer in _FAMILIES if pattern.match(model_id)), None)
    return tokenizers().get(name) if name else None


def measure(packages: Path) -> tuple[Tokenizer, ...]:
    """Measure every tokenizer of `data/tokenizers.toml` on our text.

    Args:
        packages: the folder where the packages named there are installed.

    Raises:
        ImportFailedError: a file cannot be read.
    """
    texts: dict[str, str] = orjson.loads(_TEXT.read_bytes())
    files = tomllib.loads(_FILES.read_text(encoding="utf-8"))
    counters = {name: _counter(packages / told["file"], told.get("pattern")) for name, told in files.items()}
    counts = {name: {part: count(text) for part, text in texts.items()} for name, (count, _) in counters.items()}
    reference = sum(counts[_REFERENCE][part] for part in _REFERENCE_PARTS)
    return tuple(
        Tokenizer(
            name=name,
            vocab=counters[name][1],
            bytes_per_token={part: round(len(text.encode()) / counts[name][part], 4) for part, text in texts.items()},
            tokens_of_reference=round(sum(counts[name][part] for part in _REFERENCE_PARTS) / reference, 4),
            measured_from=files[name]["package"],
        )
        for name in sorted(files)
    )


def _counter(path: Path, pattern: str | None) -> tuple[Callable[[str], int], int]:
    """How many tokens a text is, and how many there are."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    if pattern is not None:
        rows = [line.split() for line in raw.splitlines() if line]
        return _byte_pairs({base64.b64decode(token): int(rank) for token, rank in rows}, pattern), len(rows)
    document = orjson.loads(raw)
    if "config" in document:  # Mistral's own form
        size = document["config"]["default_vocab_size"]
        kept = document["vocab"][: size - document["config"]["default_num_special_tokens"]]
        ranks = {base64.b64decode(row["token_bytes"]): row["rank"] for row in kept}
        return _byte_pairs(ranks, document["config"]["pattern"]), size
    from tokenizers import Tokenizer as Library  # noqa: PLC0415 - only whoever measures

    library = Library.from_str(raw.decode())
    return lambda text: len(library.encode(text, add_special_tokens=False).ids), library.get_vocab_size()


def _byte_pairs(ranks: Mapping[bytes, int], pattern: str) -> Callable[[str], int]:
    import tiktoken  # noqa: PLC0415 - only whoever measures

    encoding = tiktoken.Encoding(name="measured", pat_str=pattern, mergeable_ranks=dict(ranks), special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped table."""
    parser = argparse.ArgumentParser(prog="python -m catalog.structure.tokenizers", description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=_SHIPPED)
    args = parser.parse_args(argv)
    try:
        measured = measure(args.packages)
    except ImportFailedError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    rows = b",\n".join(orjson.dumps(_row(tokenizer)) for tokenizer in measured)
    args.out.write_bytes(b"[" + rows + b"]\n")
    return 0


def _row(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "name": tokenizer.name,
        "vocab": tokenizer.vocab,
        "bytes_per_token": dict(tokenizer.bytes_per_token),
        "tokens_of_reference": tokenizer.tokens_of_reference,
        "measured_from": tokenizer.measured_from,
    }


if __name__ == "__main__":
    sys.exit(main())
