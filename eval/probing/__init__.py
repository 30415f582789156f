"""`paretogate probe`: get to know a model behind any OpenAI-compatible endpoint, within a budget.

`endpoint` asks, `ledger` remembers every answer that was paid for, `asking` keeps to the budget; the other files are
the procedures. What they find is written as a catalog overlay (`overlay_file`).
"""

from .asking import Asking, Budget, BudgetSpentError
from .endpoint import Endpoint, EndpointError, HttpEndpoint, Reply
from .ledger import Ledger
from .procedures import PROCEDURES, ProbeResult, Subject, run_procedure

__all__ = [
    "PROCEDURES",
    "Asking",
    "Budget",
    "BudgetSpentError",
    "Endpoint",
    "EndpointError",
    "HttpEndpoint",
    "Ledger",
    "ProbeResult",
    "Reply",
    "Subject",
    "run_procedure",
]
