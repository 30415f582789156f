"""How a fitted predictor is kept: plain arrays beside a manifest that says what they are. Never pickle.

A folder holds `arrays.npz` and `manifest.json`; the manifest carries the format's version and the digest of the arrays,
so that a damaged or half-copied predictor is refused instead of routing traffic.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catalog import read_file

from .errors import BadArtefactError
from .foreign_files import read_arrays, read_json

__all__ = ["FORMAT_VERSION", "load_artefact", "save_artefact", "take_manifest_away"]

FORMAT_VERSION = 1
_ARRAYS, _MANIFEST = "arrays.npz", "manifest.json"


def save_artefact(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], manifest: Mapping[str, Any]) -> str:
    """Write both files, the manifest last, and return the digest of the arrays; equal content gives equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    (folder / _ARRAYS).write_bytes(buffer.getvalue())
    stated = {"format_version": FORMAT_VERSION, "arrays_sha256": digest, **manifest}
    text = json.dumps(stated, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / _MANIFEST).write_text(text + "\n", encoding="utf-8")
    return digest


def take_manifest_away(folder: Path) -> None:
    """What lies there is no predictor until `save_artefact` has written another."""
    (folder / _MANIFEST).unlink(missing_ok=True)


def load_artefact(folder: Path, *, kind: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Arrays and manifest of a saved predictor of this kind.

    Raises:
        BadArtefactError: a file is missing or damaged, or the format, its version or the kind is another.
    """
    manifest = _read_manifest(folder)
    if manifest.get("format_version") != FORMAT_VERSION:
        problem = f"its format version is {manifest.get('format_version')!r}, this program reads {FORMAT_VERSION}"
        raise BadArtefactError(path=str(folder), problem=problem)
    if manifest.get("kind") != kind:
        raise BadArtefactError(path=str(folder), problem=f"it holds {manifest.get('kind')!r}, not {kind!r}")
    try:
        content = read_file(folder / _ARRAYS)
    except OSError as exc:
        raise BadArtefactError(path=str(folder), problem=f"{_ARRAYS} cannot be read ({exc})") from exc
    if hashlib.sha256(content).hexdigest() != manifest.get("arrays_sha256"):
        raise BadArtefactError(path=str(folder), problem=f"{_ARRAYS} does not match the digest in {_MANIFEST}")
    try:
        return read_arrays(content), manifest
    except ValueError as exc:
        raise BadArtefactError(path=str(folder), problem=f"{_ARRAYS} cannot be read ({exc})") from exc


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = read_json(folder / _MANIFEST)
    except (OSError, ValueError) as exc:
        raise BadArtefactError(path=str(folder), problem=f"{_MANIFEST} cannot be read ({exc})") from exc
    if not isinstance(manifest, dict):
        raise BadArtefactError(path=str(folder), problem=f"{_MANIFEST} is not a JSON object")
    return manifest
