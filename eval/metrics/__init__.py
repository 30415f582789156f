"""Published measures of routers, each with the oracle it was checked against in tests/eval/metrics."""

from .arena import arena_cost_score, arena_latency_score, arena_score, optimal_selection
from .calibration import expected_calibration_error, interval_coverage
from .curves import (
    aiq_paper,
    aiq_reference,
    area_under_deferral_curve,
    cost_share,
    hypervolume,
    peak_quality,
    quality_neutral_cost,
)
from .identification import optimal_model_identification
from .pairs import PairCurve, call_percentage_threshold, pair_curve, score_alike, strong_weights

__all__ = [
    "PairCurve",
    "aiq_paper",
    "aiq_reference",
    "area_under_deferral_curve",
    "arena_cost_score",
    "arena_latency_score",
    "arena_score",
    "call_percentage_threshold",
    "cost_share",
    "expected_calibration_error",
    "hypervolume",
    "interval_coverage",
    "optimal_model_identification",
    "optimal_selection",
    "pair_curve",
    "peak_quality",
    "quality_neutral_cost",
    "score_alike",
    "strong_weights",
]
