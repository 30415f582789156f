"""The file that keeps a model's fingerprint: written once by a probe, read by whoever asks the canaries again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.errors import InvalidMeasurementError
from catalog.untrusted.regular_files import read_text

from .canary import Canary

__all__ = ["CANARY_TOKENS", "Fingerprint", "read_fingerprint", "write_fingerprint"]

CANARY_TOKENS = 4  # short: past one near tie everything differs, and 16 tokens made a model disown itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """How one model answered, and how often it differs from itself."""

    model: str  # a catalog id, or the id of the one backend it was recorded from
    recorded: str  # the day, as ISO 8601 has it
    self_mismatch: float  # share of answers that differ when the same model is asked twice, in [0, 1]
    canaries: tuple[Canary, ...]
    max_tokens: int = CANARY_TOKENS  # that each answer was given


def write_fingerprint(path: Path, fingerprint: Fingerprint) -> None:
    """Keep it as JSON, replacing what was there."""
    path.write_text(json.dumps(asdict(fingerprint), indent=1), encoding="utf-8")


def read_fingerprint(path: Path) -> Fingerprint:
    """What `write_fingerprint` kept.

    Raises:
        InvalidMeasurementError: the file cannot be read or is no fingerprint; the message names it.
    """
    try:
        told = json.loads(read_text(path))
        found = Fingerprint(
            model=str(told["model"]),
            recorded=str(told.get("recorded", "")),
            self_mismatch=float(told["self_mismatch"]),
            canaries=tuple(_canary(one) for one in told["canaries"]),
            max_tokens=int(told.get("max_tokens", CANARY_TOKENS)),
        )
    except OSError as exc:
        raise InvalidMeasurementError(f"cannot read the canaries in {path}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InvalidMeasurementError(
            f"{path} holds no canaries ({type(exc).__name__}: {exc}); record them by `paretogate probe --what canary`"
        ) from exc
    if not found.canaries or not 0 <= found.self_mismatch <= 1 or found.max_tokens < 1:
        raise InvalidMeasurementError(
            f"{path} needs at least one canary, a self_mismatch in [0, 1] and max_tokens of at least 1"
        )
    return found


def _canary(told: Mapping[str, object]) -> Canary:
    prompt, answer = told["prompt"], told["answer"]
    if not isinstance(prompt, str) or not isinstance(answer, str):
        raise TypeError("a canary is a prompt and an answer, both text")
    return Canary(prompt=prompt, answer=answer)
