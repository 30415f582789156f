"""A predictor's folder as bytes, told apart by their digest: what goes from one machine to another.

Nothing but the files of a predictor goes along, whatever else lies in its folder, and no other name is ever written.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from catalog import read_file

from .errors import BadArtefactError

__all__ = ["MOST_PARCEL_BYTES", "MOST_PARCEL_FILES", "Parcel", "unpacked_bytes"]

# Of all files: ten times what those of a predictor take that was fitted to 4,272 prompts of nine models.
MOST_PARCEL_BYTES: Final = 64 << 20
MOST_PARCEL_FILES: Final = 64
_PART: Final = r"arrays\.npz|manifest\.json"
_FILE: Final = re.compile(
    rf"(?:ensemble-\d{{1,3}}/)?(?:{_PART})|length\.json|prices\.json|questions\.npy|MODEL_CARD\.md", re.ASCII
)
_MANIFEST: Final = "manifest.json"
_UNPACKED_BYTES: Final = 4 * MOST_PARCEL_BYTES  # ours are not packed at all


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Contents by the path within the folder.

    Raises:
        BadArtefactError: it is larger than may be, has no manifest, or has a file that is no predictor's.
    """

    files: Mapping[str, bytes]

    def __post_init__(self) -> None:
        for name in self.files:
            if not _FILE.fullmatch(name):
                raise _bad(f"it has a file that is no predictor's ({name[:80]!r})")
        _check_size(sum(map(len, self.files.values())), len(self.files))
        if _MANIFEST not in self.files:
            raise _bad(f"it has no {_MANIFEST}")

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What is in a folder.

        Raises:
            BadArtefactError: as above.
            OSError: it cannot be read.
        """
        named = dict(_predictors_files(folder))
        _check_size(sum(path.stat().st_size for path in named.values()), len(named))
        return cls(files={name: read_file(path) for name, path in named.items()})

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all names and contents, in hexadecimal."""
        told = "".join(f"{name}\n{hashlib.sha256(self.files[name]).hexdigest()}\n" for name in sorted(self.files))
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def encoder(self) -> str:
        """The name of what it reads prompts with (`predictors.encoders.open_encoder`).

        Raises:
            BadArtefactError: the manifest is damaged.
        """
        try:
            manifest = json.loads(self.files[_MANIFEST])
            return str(manifest.get("encoder", "static"))
        except (ValueError, AttributeError, RecursionError) as exc:
            raise _bad(f"{_MANIFEST} is no JSON object") from exc

    def check_unpacked(self) -> None:
        """Refuse arrays that were packed so that they fill the memory of whoever opens them.

        Raises:
            BadArtefactError: they were, or are none.
        """
        for name, content in self.files.items():
            if name.endswith(".npz"):
                try:
                    size = unpacked_bytes(content)
                except ValueError as exc:
                    raise _bad(f"{name} cannot be read ({exc})") from exc
                if size > _UNPACKED_BYTES:
                    raise _bad(f"{name} unpacks to {size:,} bytes, at most {_UNPACKED_BYTES:,} are taken")

    def write(self, folder: Path) -> None:
        """Write every file into a folder that is there."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def unpacked_bytes(content: bytes) -> int:
    """How much memory the arrays of an `.npz` take.

    Raises:
        ValueError: it is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return sum(member.file_size for member in packed.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError) as exc:  # the second of a version of zip yet to come
        raise ValueError(str(exc)) from exc


def _predictors_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((*folder.glob("*"), *folder.glob("ensemble-*/*"))):
        name = path.relative_to(folder).as_posix()
        if _FILE.fullmatch(name) and path.is_file():
            yield name, path


def _check_size(n_bytes: int, n_files: int) -> None:
    if n_bytes > MOST_PARCEL_BYTES or n_files > MOST_PARCEL_FILES:
        raise BadArtefactError(
            path="the predictor",
            problem=f"it takes {n_bytes:,} bytes in {n_files} files, at most {MOST_PARCEL_BYTES:,} in"
            f" {MOST_PARCEL_FILES} go from one replica to another",
            remedy="train it on fewer prompts, or promote it in every replica by itself (--here)",
        )


def _bad(problem: str) -> BadArtefactError:
    return BadArtefactError(path="the predictor", problem=problem, remedy="promote another one")
