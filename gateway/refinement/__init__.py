"""From the journal to better profiles."""

from .backend_statistics import BackendStatistics, CallFacts, HalfLives
from .measured import Findings, MeasuredFileError, apply_measured, read_findings, read_measured, write_findings
from .sharing import SharedFindings
from .worker import Refinement, refine, watch

__all__ = [
    "BackendStatistics",
    "CallFacts",
    "Findings",
    "HalfLives",
    "MeasuredFileError",
    "Refinement",
    "SharedFindings",
    "apply_measured",
    "read_findings",
    "read_measured",
    "refine",
    "watch",
    "write_findings",
]
