"""Who takes part in a replay: anything that can give the router forecasts for prompts it was not fitted on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from catalog import Pool
from eval.outcomes.table import ReplayTable
from predictors import ForecastSource

from .costs import CostModel
from .forecasts import BatchForecasts
from .learners import FeatureExtractor, Learner

__all__ = ["Contender", "FittedContender", "LearnedContender"]


class Contender(Protocol):
    """Gives a forecast source for every fold."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def source(self, train: ReplayTable, test: ReplayTable) -> ForecastSource:
        """Forecasts for the test prompts' pool; may learn from `train`, may read of `test` the prompts alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedContender:
    """Learns quality and cost anew on the training prompts of every fold."""

    learner: Learner
    features: FeatureExtractor  # what costs are read from

    @property
    def name(self) -> str:
        """The learner's name."""
        return self.learner.name

    def source(self, train: ReplayTable, test: ReplayTable) -> ForecastSource:
        """Fit on `train`, forecast all prompts of `test` in one batch."""
        costs = CostModel().fit(self.features.extract(train.prompt), train.cost_usd)
        return BatchForecasts(
            pool=test.pool,
            version=self.name,
            prompts=test.prompt,
            quality=self.learner.fit(train)(test.prompt),
            cost_usd=costs.predict(self.features.extract(test.prompt)),
            cost_usd_sd=costs.sd_,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedContender:
    """A predictor as it is saved: nothing is fitted on the replayed table, no fold matters."""

    name: str
    bind: Callable[[Pool], ForecastSource]

    def source(self, train: ReplayTable, test: ReplayTable) -> ForecastSource:
        """Bind the saved predictor to the pool; `train` is not looked at."""
        del train
        return self.bind(test.pool)
