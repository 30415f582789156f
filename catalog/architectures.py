"""The dimensions of open models, from published configurations: `python -m catalog.architectures --data DIR`.

DIR holds `catalog/architectures.parquet`. Kept are unquantised decoders whose every layer attends in the ordinary
way; latent attention, hybrids and mixtures in only some layers are left out, because the table does not hold what
their count of operations needs.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from .compiled import SHIPPED
from .efficiency.flops import Shape
from .errors import ImportFailedError, InvalidProfileError

__all__ = ["compile_architectures", "main", "shapes"]

_SHIPPED = SHIPPED.parent / "architectures.json"
_LEFT_OUT = ("deepseek", "glm_moe_dsa", "kimi", "nemotron", "qwen3_5", "qwen3_next", "minimax", "mimo", "step", "jamba")
_UNGATED = ("GptNeoxMLP", "gpt_oss")
_FIELDS = tuple(Shape.__slots__)


@cache
def shapes() -> Mapping[str, tuple[Shape, str]]:
    """Model key -> dimensions and their source, as shipped."""
    document = orjson.loads(_SHIPPED.read_bytes())
    return {
        key: (Shape(**dict(zip(_FIELDS, row["shape"], strict=True))), document["sources"][row["from"]])
        for key, row in document["models"].items()
    }


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
    sources: list[str] = []
    models: dict[str, dict[str, Any]] = {}
    for row in table.to_dicts():
        shape = _shape(row)
        if shape is None or not row["model_key"] or row["model_key"] in models or "llama-4" in row["model_key"]:
            continue
        source = f"{row['source']} (Apache-2.0)"
        if source not in sources:
            sources.append(source)
        values = [getattr(shape, name) for name in _FIELDS]
        models[row["model_key"]] = {"shape": values, "from": sources.index(source)}
    lines = b",\n".join(orjson.dumps(key) + b":" + orjson.dumps(models[key]) for key in sorted(models))
    head = orjson.dumps({"fields": _FIELDS, "sources": sources})[:-1]
    return head + b',"models":{\n' + lines + b"\n}}\n"


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
            shared_experts=(row["shared_experts"] or 0) if mixture else 0,
            gated=model_type not in _UNGATED,
        )
    except (InvalidProfileError, TypeError):
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped table."""
    parser = argparse.ArgumentParser(prog="python -m catalog.architectures", description=__doc__)
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
