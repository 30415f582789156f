"""Replicas with state directories of their own, and predictors that can be told apart."""

import functools
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np

from gateway.promotion import SharedPredictors
from gateway.settings import Settings
from predictors.encoders import open_encoder
from predictors.parcel import Parcel
from predictors.persistence import load_artefact, save_artefact
from predictors.versions import PredictorVersions

__all__ = ["SHIPPED", "Replica", "open_encoder_once", "variant"]

SHIPPED = Path(str(files("predictors") / "data" / "default"))


open_encoder_once = functools.cache(open_encoder)  # it is the same for all, and half a second every time


def variant(folder: Path, name: str, **manifest: object) -> Path:
    """The shipped predictor under another version; the same name gives the same bytes."""
    made = folder / f"variant-{name}"
    shutil.copytree(SHIPPED, made, dirs_exist_ok=True)
    arrays, told = load_artefact(SHIPPED, kind="quality")
    arrays["sample"] = arrays["sample"] + np.float32(1e-6 * (1 + sum(name.encode())))
    told.pop("arrays_sha256")
    save_artefact(made, arrays, {**told, **manifest})
    return made


class Replica:
    """One of several that share a journal in Redis."""

    def __init__(self, folder: Path, url: str, *, cluster: bool = False, **predictor: object) -> None:
        self.settings = Settings(
            state={"dir": folder},
            journal={"url": url, "cluster": cluster},
            predictor=predictor,  # type: ignore[arg-type]
        )
        self.versions = PredictorVersions(self.settings.predictors_dir)
        self.shared = SharedPredictors(self.settings)

    def promote(self, predictor: Path, **verdict: object) -> int:
        return self.shared.promote(Parcel.of(predictor), verdict)

    @property
    def decides(self) -> str | None:
        """The digest of what decides here; None is the predictor that ships."""
        folder = self.versions.deciding()
        return None if folder is None else Parcel.of(folder).digest
