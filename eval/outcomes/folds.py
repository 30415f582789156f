"""Which prompts a predictor may learn from before it is judged on others."""

from collections.abc import Callable, Iterator

import numpy as np

from eval.errors import InvalidReplayError
from predictors.training import group_folds

from .table import Bools, Ints, ReplayTable

__all__ = ["EVERY_BENCHMARK", "Folds", "learnable"]

EVERY_BENCHMARK = "each"


class Folds:
    """Splits of a table by question (`group_key`), or by benchmark.

    Every prompt is judged at most once, by a predictor that saw no prompt of its group.
    """

    def __init__(self, table: ReplayTable, fold_of: Ints) -> None:
        self._table, self._fold_of = table, fold_of  # (n_prompts,), -1 where never judged

    @classmethod
    def by_group(cls, table: ReplayTable, *, n_folds: int, seed: int) -> "Folds":
        """Cross-validation over groups.

        Raises:
            InvalidReplayError: fewer than two folds, or fewer groups than folds.
        """
        n_groups = len(np.unique(table.group))
        if n_groups < 2:
            raise InvalidReplayError(
                f"{table.name}: all prompts ask one question (they share a group_key); what is learned has to be "
                "judged on another"
            )
        if not 2 <= n_folds <= n_groups:
            raise InvalidReplayError(f"{table.name}: {n_folds} folds of {n_groups} groups; choose 2 to {n_groups}")
        return cls(table, group_folds(table.group, n_folds, seed))

    @classmethod
    def by_benchmark(cls, table: ReplayTable, *, leave_out: str) -> "Folds":
        """One benchmark left out of training and judged on, or each of them in turn (`each`).

        Raises:
            InvalidReplayError: no such benchmark, or nothing would be left to learn from.
        """
        names, fold_of = np.unique(table.benchmark, return_inverse=True)
        if len(names) < 2:
            raise InvalidReplayError(
                f"{table.name}: it has one benchmark only; without it nothing is left to learn from"
            )
        if leave_out == EVERY_BENCHMARK:
            return cls(table, fold_of)
        if leave_out not in names:
            raise InvalidReplayError(f"{table.name}: no benchmark is called {leave_out!r}; it has {', '.join(names)}")
        return cls(table, np.where(names[fold_of] == leave_out, 0, -1))

    @property
    def judged(self) -> Bools:
        """Prompts that are judged, shape (n_prompts,)."""
        return self._fold_of >= 0

    @property
    def of_judged(self) -> Ints:
        """The fold of every prompt that is judged, shape (n_judged,)."""
        return self._fold_of[self.judged]

    def __len__(self) -> int:
        return len(np.unique(self._fold_of[self.judged]))

    def __iter__(self) -> Iterator[tuple[Ints, Ints]]:
        """Training rows and test rows of every fold; no group is on both sides."""
        for fold in np.unique(self._fold_of[self.judged]):
            test = self._fold_of == fold  # (n_prompts,)
            shared = np.isin(self._table.group, self._table.group[test])  # (n_prompts,)
            yield np.flatnonzero(~test & ~shared), np.flatnonzero(test)


def learnable(table: ReplayTable, split: Callable[[ReplayTable], Folds]) -> tuple[ReplayTable, Folds]:
    """The table and its folds, without the models of which some fold's training prompts tell nothing.

    Raises:
        InvalidReplayError: fewer than two models are left, or the table cannot be split.
    """
    while True:
        folds = split(table)
        known = np.all([table.tried[train].any(axis=0) for train, _ in folds], axis=0)  # (n_models,)
        if known.all():
            return table, folds
        table = table.only(known)  # and perhaps fewer prompts, which fall into other folds
