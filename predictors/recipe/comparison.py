"""Whether a model that was made again is the shipped one."""

import json
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from predictors.quality.model import QualityModel

__all__ = ["same_as_shipped"]


def same_as_shipped(model: QualityModel) -> dict[str, bool]:
    """Of each file that the model writes, whether it says what the shipped one says."""
    shipped = Path(str(files("predictors") / "data" / "default"))
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        made = sorted(path.name for path in Path(folder).iterdir())
        return {name: _content_of(Path(folder) / name) == _content_of(shipped / name) for name in made}


def _content_of(path: Path) -> object:
    """What a file says bit for bit, however zlib packs it here: the arrays, or all but the digest of their file."""
    if not path.is_file():
        return None
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}
    return {key: value for key, value in json.loads(path.read_bytes()).items() if key != "arrays_sha256"}
