"""How long a backend takes when nobody else is in the way, fitted from the calls that it answered.

Waiting can only add to a call, so the undisturbed time is the lower edge of what was seen: a low quantile of

    seconds = start + per_prompt_token x p + per_output_token x (o - 1)

over all calls, by quantile regression. What the usual call takes beyond it is contention: the gap between the two is
the provider's load, not the model's work.

Source: the denoised runtime of Narayanan et al., NeurIPS 2023, arXiv 2305.02440, who regress on repeated trials per
prompt size instead; a journal has no repeated trials.
"""

from dataclasses import dataclass

import numpy as np

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = ["DenoisedRuntime", "fit_denoised_runtime"]

_EDGE = 0.1  # quantile that counts as undisturbed
_FEWEST = 30  # calls
_ROUNDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoisedRuntime:
    """The undisturbed time of a call, and how much longer the usual one takes."""

    start_s: float
    seconds_per_prompt_token: float
    seconds_per_output_token: float
    contention: float  # median of seen / undisturbed, 1 where nothing was ever in the way
    n_calls: int

    def runtime_s(self, *, prompt_tokens: float, output_tokens: float) -> float:
        """Seconds of an undisturbed call."""
        later = self.seconds_per_output_token * max(output_tokens - 1.0, 0.0)
        return self.start_s + self.seconds_per_prompt_token * prompt_tokens + later


def fit_denoised_runtime(*, prompt_tokens: Floats, output_tokens: Floats, latency_s: Floats) -> DenoisedRuntime:
    """Fit on finished calls, (n_calls,) each.

    Raises:
        InvalidMeasurementError: fewer than thirty calls, or calls that are all of one length.
    """
    if not prompt_tokens.shape == output_tokens.shape == latency_s.shape or prompt_tokens.ndim != 1:
        raise InvalidMeasurementError("every call needs prompt tokens, output tokens and seconds")
    fine = np.isfinite(prompt_tokens) & np.isfinite(output_tokens) & np.isfinite(latency_s) & (latency_s > 0)
    prompt, output, seconds = prompt_tokens[fine], output_tokens[fine], latency_s[fine]
    if len(seconds) < _FEWEST:
        raise InvalidMeasurementError(f"an undisturbed time needs {_FEWEST} finished calls, not {len(seconds)}")
    later = np.maximum(output - 1.0, 0.0)
    design = np.stack([np.ones_like(seconds), prompt, later], axis=1)  # (n_calls, 3)
    if np.linalg.matrix_rank(design / design.max(axis=0).clip(1.0)) < design.shape[1]:
        raise InvalidMeasurementError("calls of one length do not tell the time of a token; wait for others")
    start, per_prompt, per_output = _lower_edge(design, seconds)
    undisturbed = design @ np.array([start, per_prompt, per_output])
    return DenoisedRuntime(
        start_s=start,
        seconds_per_prompt_token=per_prompt,
        seconds_per_output_token=per_output,
        contention=max(1.0, float(np.median(seconds / np.maximum(undisturbed, 1e-9)))),
        n_calls=len(seconds),
    )


def _lower_edge(design: Floats, seconds: Floats) -> tuple[float, float, float]:
    """Coefficients, none negative, at which a tenth of the calls lie below: least squares, reweighted."""
    scale = design.max(axis=0).clip(1.0)
    unit = design / scale
    free = np.ones(design.shape[1], dtype=bool)
    found = np.zeros(design.shape[1])
    while free.any():
        found[:] = 0.0
        found[free] = _quantile_fit(unit[:, free], seconds)
        if (found >= 0).all():
            break
        free &= found > 0  # a time cannot be negative: such a term is left out and the rest fitted anew
    start, per_prompt, per_output = (float(value) for value in found / scale)
    return start, per_prompt, per_output


def _quantile_fit(unit: Floats, seconds: Floats) -> Floats:
    fitted = np.asarray(np.linalg.lstsq(unit, seconds, rcond=None)[0], dtype=np.float64)
    for _ in range(_ROUNDS):
        gap = seconds - unit @ fitted
        weight = np.where(gap >= 0, _EDGE, 1.0 - _EDGE) / np.maximum(np.abs(gap), 1e-4 * float(seconds.mean()))
        root = np.sqrt(weight)
        fitted = np.asarray(np.linalg.lstsq(unit * root[:, None], seconds * root, rcond=None)[0], dtype=np.float64)
    return fitted
