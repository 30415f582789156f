"""Options that several commands share, worded once, and the folder they stand for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["DataFolder", "EncoderKey", "EncoderName", "data_folder"]

_DATA_VARIABLE: Final = "PARETOGATE_DATA"
_DEFAULT_DATA: Final = "../shared/data"

DataFolder = Annotated[
    Path | None,
    typer.Option(help=f"Folder of the public datasets; ${_DATA_VARIABLE}, else {_DEFAULT_DATA}, where left out."),
]
EncoderName = Annotated[
    str,
    typer.Option(
        help="What reads prompts: static, minilm, minilm-exact, joint, a sentence-transformers model, or MODEL@URL."
    ),
]
EncoderKey = Annotated[
    str | None, typer.Option(envvar="PARETOGATE_ENCODER_KEY", help="Of an endpoint; better by the variable.")
]


def data_folder(said: Path | None, environment: Mapping[str, str]) -> Path:
    """What was said, else what the environment says, else the folder beside the checkout."""
    return said or Path(environment.get(_DATA_VARIABLE, _DEFAULT_DATA))
