"""The dimensions of open models, by their configurations: `python -m catalog.structure.architectures --data DIR`.

DIR holds `catalog/architectures.parquet`. Of it are kept unquantised decoders whose every layer attends in the
ordinary way. Latent attention, hybrids and mixtures in only some layers come from `data/configurations.toml`, which is
written by hand, because the table does not hold what their count of operations needs.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from catalog.compiled import SHIPPED
from catalog.efficiency.configuration import shape_of
from catalog.efficiency.flops import Shape
from catalog.errors import ImportFailedError, InvalidProfileError

__all__ = ["compile_architectures", "main", "shape_for", "shapes"]

_SHIPPED = SHIPPED.parent / "architectures.json"
_BY_HAND = SHIPPED.parent / "configurations.toml"
_BY_HAND_SOURCE = "the model's own config.json"
_LEFT_OUT = ("deepseek", "glm_moe_dsa", "kimi", "nemotron", "qwen3_5", "qwen3_next", "minimax", "mimo", "step", "jamba")
_UNGATED = ("GptNeoxMLP", "gpt_oss")
_TUNED = re.compile(  # what a fine-tune or a snapshot of the same dimensions is called by
    r"-(?:instruct|it|chat|base|thinking|pt|hf|lora|fp8|preview|exp|terminus|tput|v0\.?\d)$"
)
_DATED = re.compile(r"(?<=\d)(-.*)?-(?:20\d{6}|\d{4})$")  # a date only after a number that tells the version or size
_SHARING = re.compile(r"gemma|llama-3\.2|phi-4-mini|qwen.*-(?:0\.\db|1\.\db|3b|4b)")  # one embedding, by their cards


@cache
def shapes() -> Mapping[str, tuple[Shape, str]]:
    """Model key -> dimensions and their source, as shipped."""
    document = orjson.loads(_SHIPPED.read_bytes())
    return {key: (Shape(**row["shape"]), document["sources"][row["from"]]) for key, row in document["models"].items()}


def shape_for(key: str) -> tuple[Shape, str] | None:
    """Dimensions of the model of this key, else of the model that it is a tune or a snapshot of, with the source."""
    return shapes().get(key) or _bare_shapes().get(_bare(key))


@cache
def _bare_shapes() -> Mapping[str, tuple[Shape, str]]:
    known: dict[str, tuple[Shape, str]] = {}
    for key in sorted(shapes()):
        known.setdefault(_bare(key), shapes()[key])
    return known


def _bare(key: str) -> str:
    while (shorter := _DATED.sub(r"\1", _TUNED.sub("", key))) != key:
        key = shorter
    return key


def compile_architectures(data: Path) -> bytes:
    """The shipped form of the table: the same input gives the same bytes.

    Raises:
        ImportFailedError: the table is absent.
    """
    import polars as pl  # noqa: PLC0415 - only the compile step reads tables

    path = data / "catalog" / "architectures.parquet"
    if not path.is_file():
        raise ImportFailedError(source=str(path), problem="is absent")
    table = pl.read_parquet(path).filter(~pl.col("quantised")).sort("source", "model", descending=[True, False])
    found: dict[str, tuple[Shape, str]] = {}
    for row in table.to_dicts():
        shape = _shape(row)
        if shape is not None and row["model_key"] and "llama-4" not in row["model_key"]:
            found.setdefault(row["model_key"], (shape, f"{row['source']} (Apache-2.0)"))
    found |= {key: (shape, _BY_HAND_SOURCE) for key, shape in _by_hand().items()}
    sources = list(dict.fromkeys(source for _, source in found.values()))
    models = {key: {"shape": _stated(shape), "from": sources.index(source)} for key, (shape, source) in found.items()}
    lines = b",\n".join(orjson.dumps(key) + b":" + orjson.dumps(models[key]) for key in sorted(models))
    head = orjson.dumps({"sources": sources})[:-1]
    return head + b',"models":{\n' + lines + b"\n}}\n"


def _by_hand() -> dict[str, Shape]:
    document = tomllib.loads(_BY_HAND.read_text(encoding="utf-8"))
    return {model: shape_of(config) for config in document.values() for model in config["models"]}


def _stated(shape: Shape) -> dict[str, Any]:
    """The dimensions that differ from their defaults."""
    return {f.name: getattr(shape, f.name) for f in fields(Shape) if getattr(shape, f.name) != f.default}


def _shape(row: Mapping[str, Any]) -> Shape | None:
    model_type = str(row["model_type"] or "")
    if model_type.startswith(_LEFT_OUT):
        return None
    mixture = (row["experts"] or 0) > 1
    try:
        return Shape(
            hidden_size=row["hidden_size"] or 0,
            layers=row["layers"] or 0,
            heads=row["heads"] or 0,
            kv_heads=row["kv_heads"] or row["heads"] or 0,
            ff_size=(row["moe_ff_size"] if mixture and row["moe_ff_size"] else row["ff_size"]) or 0,
            vocab=row["vocab"] or 0,
            head_size=row["head_dim"],
            active_experts=row["active_experts"] if mixture else 1,
            experts=row["experts"] if mixture else None,
            tied=_shares(row),
            shared_experts=(row["shared_experts"] or 0) if mixture else 0,
            gated=model_type not in _UNGATED,
        )
    except (InvalidProfileError, TypeError):
        return None


def _shares(row: Mapping[str, Any]) -> bool | None:
    if row["tied_embeddings"] is not None:
        return bool(row["tied_embeddings"])
    return True if _SHARING.search(row["model_key"] or "") else None


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped table."""
    parser = argparse.ArgumentParser(prog="python -m catalog.structure.architectures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=_SHIPPED)
    args = parser.parse_args(argv)
    try:
        content = compile_architectures(args.data)
    except ImportFailedError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    args.out.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
