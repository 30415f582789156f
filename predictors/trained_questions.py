"""Which questions a predictor learned from, so that nobody judges it by them.

Kept beside the predictor as sorted hashes of eight bytes, made of the same letters that tie prompts of one question
together (`Outcomes.group_key`). The hashes carry no text, but tell whoever has a prompt whether it was among them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from catalog import read_file

from .errors import BadArtefactError
from .foreign_files import read_array
from .outcomes import question_stem

__all__ = ["QUESTIONS_FILE", "TrainedQuestions"]

QUESTIONS_FILE: Final = "questions.npy"


class TrainedQuestions:
    """A set of questions; empty where a predictor says nothing of what it was trained on."""

    def __init__(self, hashes: npt.NDArray[np.uint64] | None = None) -> None:
        self._hashes = np.unique(hashes) if hashes is not None else np.empty(0, dtype=np.uint64)

    @classmethod
    def of(cls, prompts: Iterable[str]) -> Self:
        """The questions that these prompts ask."""
        return cls(_hashes(prompts))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Those saved beside a predictor; none where there is no such file.

        Raises:
            BadArtefactError: the file is damaged.
        """
        path = folder / QUESTIONS_FILE
        if not path.exists():
            return cls()
        try:
            stored = read_array(read_file(path))
        except (OSError, ValueError) as exc:
            raise BadArtefactError(path=str(folder), problem=f"{QUESTIONS_FILE} cannot be read ({exc})") from exc
        if stored.dtype != np.uint64 or stored.ndim != 1:
            raise BadArtefactError(path=str(folder), problem=f"{QUESTIONS_FILE} holds no list of questions")
        return cls(stored)

    def save(self, folder: Path) -> None:
        """Write them beside the predictor."""
        np.save(folder / QUESTIONS_FILE, self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def among(self, prompts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each prompt asks one of these questions, shape (n_prompts,)."""
        return np.isin(_hashes(prompts), self._hashes)


def _hashes(prompts: Iterable[str]) -> npt.NDArray[np.uint64]:
    stems = (question_stem(prompt).encode("utf-8", "surrogatepass") for prompt in prompts)
    digests = b"".join(hashlib.blake2b(stem, digest_size=8).digest() for stem in stems)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
