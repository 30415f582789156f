"""The second look: which of a request's candidates it needs, judged from all evidence together.

Serving is `SecondStage.score`: arrays in, probabilities out, no scikit-learn. `fit_second_stage` fits one on past
requests; each part is learned from what the one before says of requests that it was not fitted on:

1. a listwise linear score, which begins at published weights (`starting_weights`);
2. gradient-boosted trees over the best 32 candidates, which see that score, co-use and twins (`described`, `lessons`);
3. shares of the two, or without trees of the linear score and its start (`blending`);
4. Platt's sigmoid, which makes scores probabilities (`platt`).

docs/tools.md numbers the steps of the whole retriever.
"""

from .fitting import fit_second_stage
from .past import NewTools, PastRequests
from .stage import SecondStage, StageChoice

__all__ = ["NewTools", "PastRequests", "SecondStage", "StageChoice", "fit_second_stage"]
