"""How long a call will take: time to the first token, then time per token, then the queue.

Each of the two speeds of a candidate comes from the best source there is: what our journal measured, else what its
profile states, else the idealized runtime of a model of its size, else what is usual for its kind of backend.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from catalog import BackendKind, Floats, Pool, PoolEntry

from .forecast import Load

__all__ = ["BoundLatency", "idealized_prefill_s_per_token", "idealized_seconds_per_token"]

_ON_THIS_MACHINE: Final[tuple[BackendKind, ...]] = ("embedded", "llama_cpp", "ollama")

# Relative standard deviations of a speed, by its source: the further from a measurement of ours, the wider.
_MEASURED_SD: Final = 0.3
_PROFILE_SD: Final = 0.5
_IDEALIZED_SD: Final = 0.8
_KIND_SD: Final = 1.0

_HOSTED_TTFT_S: Final = 0.6  # network, queue and a short prompt, at a hosted endpoint
_HOSTED_S_PER_TOKEN: Final = 1 / 60
_LOCAL_TTFT_S: Final = 0.3
_LOCAL_PARAMS_B: Final = 3.0  # what people run on their own machine, where its size is not known
_HOSTED_SPEED_UP: Final = 0.4  # today's endpoints over the idealized runtime on A100: .030 s against .081 for davinci
_HOSTED_PREFILL_S_PER_TOKEN: Final = 5e-5
_SHORT_PROMPT_TOKENS: Final = 1_000  # a stated or measured time to first token is for a prompt of about this length
_HOSTED_CONCURRENCY: Final = 32.0
_LOCAL_CONCURRENCY: Final = 1.0
_BEARABLE: Final = 1.25  # times as long, before that is worth another look: what is measured is known to 30 % at best


def idealized_seconds_per_token(active_params_b: float) -> float:
    """Seconds per generated token on dedicated A100s: 0.021 (P / 6)^0.394.

    A power law through GPT-J 6B (0.021 s) and TNLGv2 530B (0.123 s) of Narayanan et al., Cheaply Estimating Inference
    Efficiency Metrics for Autoregressive Transformer Models, NeurIPS 2023; within 4 % of its davinci, within 25 % of
    its 7B to 66B models.
    """
    return float(0.021 * (active_params_b / 6.0) ** 0.394)


def idealized_prefill_s_per_token(active_params_b: float) -> float:
    """Seconds per prompt token on dedicated A100s: 6.2e-5 (P / 6)^0.55, through the same paper's R(1920)."""
    return float(6.2e-5 * (active_params_b / 6.0) ** 0.55)


@dataclass(frozen=True, slots=True)
class _Speed:
    ttft_s: float
    ttft_sd_s: float
    s_per_token: float
    s_per_token_sd: float
    prefill_s_per_token: float


class BoundLatency:
    """Times for one pool, in seconds."""

    def __init__(self, pool: Pool) -> None:
        speeds = [_speed(entry) for entry in pool.entries]
        self._ttft = np.array([s.ttft_s for s in speeds])  # (n_candidates,), as the next four
        self._ttft_sd = np.array([s.ttft_sd_s for s in speeds])
        self._per_token = np.array([s.s_per_token for s in speeds])
        self._per_token_sd = np.array([s.s_per_token_sd for s in speeds])
        self._prefill = np.array([s.prefill_s_per_token for s in speeds])
        self._concurrency = np.array([_concurrency(entry) for entry in pool.entries])
        self._position = {name: i for i, name in enumerate(pool.backend_ids) if name is not None}
        here = np.array([entry.backend is not None for entry in pool.entries], dtype=np.bool_)
        self._idle_slack = np.where(here, _BEARABLE * self._concurrency - 1.0, np.inf)
        self._ttft_variance = self._ttft_sd**2
        self._per_token_variance = self._per_token_sd**2

    def estimate(
        self, *, input_tokens: Floats | float, output_tokens: Floats, output_tokens_sd: Floats, load: Load | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Time to first token, its sd, time of the whole call, its sd: each (n_queries, n_candidates).

        The whole is the first token plus the others at the model's pace. With `load`, a call first waits for those
        ahead of it: their number over the places served at once, times the time of one call. Input counts are
        (n_queries, 1), output counts (n_queries, n_candidates); of one query a number and (n_candidates,).
        """
        ttft = self._ttft + self._prefill * np.maximum(input_tokens - _SHORT_PROMPT_TOKENS, 0.0)
        rest = np.maximum(output_tokens - 1.0, 0.0)
        writing = rest * self._per_token
        own = self._per_token * output_tokens_sd
        spread = own * own + (rest * rest + output_tokens_sd * output_tokens_sd) * self._per_token_variance
        ttft_variance = np.empty_like(spread)
        ttft_variance[...] = self._ttft_variance
        rounds = self._rounds(load) if load is not None else None
        if rounds is not None:
            wait = rounds * (ttft + writing)
            ttft = ttft + wait
            ttft_variance = ttft_variance + wait**2  # the wait for a queue of calls is as uncertain as it is long
        return ttft, np.sqrt(ttft_variance), ttft + writing, np.sqrt(ttft_variance + spread)

    def slack(self, load: Load) -> Floats:
        """How many more calls each candidate takes before a call to it lasts over a quarter longer, (n_candidates,).

        Up to there, what is decided about the one call need not wait for the other. Infinite where no load is minded:
        without a backend, and at servers that tell that nobody waits.
        """
        slack = self._idle_slack.copy()
        rounds = self._rounds(load)
        for backend_id in load.running.keys() | load.waiting.keys():
            position = self._position.get(backend_id)
            if position is None:
                continue
            running, waiting = load.running.get(backend_id, 0.0), load.waiting.get(backend_id)
            places = float(self._concurrency[position]) if waiting is None else max(1.0, running)
            longest = _BEARABLE * (1.0 if rounds is None else 1.0 + float(rounds[position]))  # in times of one call
            slack[position] = math.inf if waiting == 0.0 else longest * places - running - (waiting or 0.0) - 1.0
        return slack

    def _rounds(self, load: Load) -> Floats | None:
        """How many calls must end one after another before ours can start, (n_candidates,); None where none must.

        A server that tells how many wait there is believed: while some do, those that run are all that it can take at
        once, and ours comes last. Of the others it is assumed how many they serve at once.
        """
        rounds: Floats | None = None
        for backend_id in load.running.keys() | load.waiting.keys():  # an idle backend keeps nobody waiting
            position = self._position.get(backend_id)
            if position is None:
                continue
            running, waiting = load.running.get(backend_id, 0.0), load.waiting.get(backend_id)
            if waiting is None:
                places = float(self._concurrency[position])
                ahead = max(0.0, running + 1.0 - places) / places
            else:
                ahead = (waiting + 1.0) / max(1.0, running) if waiting else 0.0
            if ahead:
                rounds = np.zeros(len(self._ttft)) if rounds is None else rounds
                rounds[position] = ahead
        return rounds


def _speed(entry: PoolEntry) -> _Speed:
    profile = entry.profile
    measured = entry.backend.measured if entry.backend is not None else None
    fallback = _assumed(entry)
    ttft, ttft_sd = fallback.ttft_s, fallback.ttft_sd_s
    if measured is not None and measured.ttft_s is not None:
        ttft = measured.ttft_s
        ttft_sd = measured.ttft_sd_s if measured.ttft_sd_s is not None else ttft * _MEASURED_SD
    elif profile.ttft_s is not None:
        ttft, ttft_sd = profile.ttft_s, profile.ttft_s * _PROFILE_SD
    pace, pace_sd = fallback.s_per_token, fallback.s_per_token_sd
    if measured is not None and measured.seconds_per_output_token is not None:
        pace = measured.seconds_per_output_token
        pace_sd = pace * _MEASURED_SD
    elif profile.tokens_per_s is not None:
        pace = 1.0 / profile.tokens_per_s
        pace_sd = pace * _PROFILE_SD
    return _Speed(ttft, ttft_sd, pace, pace_sd, fallback.prefill_s_per_token)


def _assumed(entry: PoolEntry) -> _Speed:
    size = entry.profile.params_active_b or entry.profile.params_total_b
    if _runs_here(entry):
        params = size or _LOCAL_PARAMS_B
        # Four-bit weights through an ordinary processor: 0.03 s at 135M (measured here), some 0.35 s at 7B.
        pace, prefill = 0.025 + 0.045 * params, 0.002 + 0.012 * params
        sd = _IDEALIZED_SD if size else _KIND_SD
        return _Speed(_LOCAL_TTFT_S, _LOCAL_TTFT_S * sd, pace, pace * sd, prefill)
    if size is None:
        pace = _HOSTED_S_PER_TOKEN
        return _Speed(_HOSTED_TTFT_S, _HOSTED_TTFT_S * _KIND_SD, pace, pace * _KIND_SD, _HOSTED_PREFILL_S_PER_TOKEN)
    pace = _HOSTED_SPEED_UP * idealized_seconds_per_token(size)
    prefill = _HOSTED_SPEED_UP * idealized_prefill_s_per_token(size)
    return _Speed(_HOSTED_TTFT_S, _HOSTED_TTFT_S * _IDEALIZED_SD, pace, pace * _IDEALIZED_SD, prefill)


def _runs_here(entry: PoolEntry) -> bool:
    return entry.backend is not None and entry.backend.kind in _ON_THIS_MACHINE


def _concurrency(entry: PoolEntry) -> float:
    if entry.backend is not None and entry.backend.limits.max_concurrency:
        return float(entry.backend.limits.max_concurrency)
    return _LOCAL_CONCURRENCY if _runs_here(entry) else _HOSTED_CONCURRENCY
