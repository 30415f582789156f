"""Other people's routers on our folds: trained by their own code, in their own environment, on the same prompts.

    python -m eval.peers llmrouter mmlu_pro --data DIR --peer-python PATH

PATH is a Python in which `llmrouter-lib` is installed. The two sides exchange files: nothing of the peer is imported
here, nothing of it is copied.
"""

from .comparison import Comparison, Row, compare
from .exchange import PeerFailedError, choices_of_peers

__all__ = ["Comparison", "PeerFailedError", "Row", "choices_of_peers", "compare"]
