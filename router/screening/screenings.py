"""Of every query, which candidate breaks which constraint in force."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from catalog import Floats, record
from router.decision import Bools, Check, Screening

__all__ = ["Amount", "Screenings"]


@record
class Amount:
    """One constraint on what differs from query to query; both arrays are (n_queries, n_candidates)."""

    name: str
    limit: float
    broken: Bools
    values: Floats


class Screenings:
    """Of every query, each constraint in force, and who breaks it; told one by one, since not all are asked for."""

    __slots__ = ("_before", "_of_requests", "_required", "eligible")

    def __init__(
        self,
        *,
        before: tuple[Check, ...],
        of_requests: Mapping[int, Sequence[Check]],
        required: Sequence[tuple[Sequence[Amount], tuple[Check, ...]]],
        shape: tuple[int, int],
    ) -> None:
        """In this order: what all queries share, what some need by their number, amounts and facts of each demand."""
        self._before, self._of_requests, self._required = before, of_requests, required
        broken = np.zeros(shape, dtype=np.bool_)
        for amounts, static in required:
            for amount in amounts:
                broken |= amount.broken
            for check in static:
                broken |= check.broken
        for check in before:
            broken |= check.broken
        for row, checks in of_requests.items():
            for check in checks:
                broken[row] |= check.broken
        self.eligible: Bools = ~broken  # (n_queries, n_candidates), those that break none

    def __len__(self) -> int:
        return len(self.eligible)

    def __iter__(self) -> Iterator[Screening]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> Screening:
        """That of one query."""
        checks = [*self._before, *self._of_requests.get(row, ())]
        for amounts, static in self._required:
            checks += [Check(a.name, a.limit, a.broken[row], a.values[row]) for a in amounts]
            checks += static
        return Screening(checks=tuple(checks), eligible=self.eligible[row])
