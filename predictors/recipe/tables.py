"""Dense tables, in which most models answered most prompts: each has an ensemble of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from predictors.outcomes import Outcomes
from predictors.quality.ensemble import StackedEnsemble
from predictors.quality.members.imputation import best_single
from predictors.quality.own import TableEnsemble
from predictors.quality.protocol import TrainingSet
from predictors.training import scores_by_name

from .judging import held_out_fold, report_on

__all__ = ["DenseTable", "dense_tables"]

# An ensemble fills in what was not tried. Where most cells are filled in (many tables pooled, a journal) it would learn
# from its own guesses, and the factorization, which needs none, is the better one.
_DENSE: Final = 0.5
_MIN_ENSEMBLE_PROMPTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseTable:
    """Its outcomes by the names that it uses, and the profile ids of these."""

    named: TrainingSet
    ids: tuple[str, ...]  # (n_names,)

    def fitted(self) -> TableEnsemble:
        """An ensemble of all of it."""
        return TableEnsemble(names=self.named.models, models=self.ids, ensemble=StackedEnsemble().fit(self.named))

    def held_out(self, seed: int) -> dict[str, float]:
        """What an ensemble of the other folds is worth on the first."""
        held_out = held_out_fold(self.named.group, seed)
        inside, hidden = self.named.only(~held_out), self.named.only(held_out)
        expected = StackedEnsemble().fit(inside).predict(hidden.features).mean
        return report_on(expected, hidden.score, means=np.nanmean(inside.score, axis=0), best=best_single(inside.score))


def dense_tables(
    training: TrainingSet, outcomes: Outcomes, ids: Mapping[tuple[str | None, str], str]
) -> Iterator[DenseTable]:
    """All outcomes together if most models answered most prompts, else each dataset of which that holds.

    Here every name is a model of its own: configurations of one model differ by more than routing gains.
    """
    names, score = scores_by_name(outcomes)
    named = replace(training, models=names, score=score, profile_features=None)
    if _is_dense(named):
        by_name = {name: model for (_, name), model in ids.items()}
        yield DenseTable(named=named, ids=tuple(by_name[name] for name in names))
        return
    of = np.char.partition(named.domain, "/")[:, 0]  # (n_prompts,)
    for dataset in dict.fromkeys(dataset for dataset, _ in ids if dataset):
        rows = named.only(of == dataset)
        tried = [i for i, name in enumerate(names) if (dataset, name) in ids]
        table = replace(rows, score=rows.score[:, tried], models=tuple(names[i] for i in tried))
        if len(tried) > 1 and _is_dense(table):
            yield DenseTable(named=table, ids=tuple(ids[dataset, name] for name in table.models))


def _is_dense(training: TrainingSet) -> bool:
    return len(training.score) >= _MIN_ENSEMBLE_PROMPTS and float(np.isfinite(training.score).mean()) >= _DENSE
