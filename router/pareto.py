"""Who is not beaten on every count: the exact Pareto front, and the area it dominates."""

from collections.abc import Sequence

import numpy as np

from catalog import Floats

from .decision import Bools

__all__ = ["fronts", "hypervolume", "non_dominated"]

_ALL_PAIRS_BELOW = 128  # candidates; beyond, comparing all pairs costs more than eliminating them in turn


def non_dominated(objectives: Floats, *, maximise: Sequence[bool] | None = None) -> Bools:
    """The points that no other point equals or beats in every objective while beating it in one.

    Equal points are all on the front. NaN counts as the worst possible value of its objective. Two objectives take
    O(n log n); more take O(n^2) below a hundred points and O(n x front) above.

    Args:
        objectives: (n_objectives, n_points).
        maximise: per objective, True where more is better; all are minimised when it is not given.

    Returns:
        (n_points,) True on the front.
    """
    points = np.asarray(objectives, dtype=np.float64)
    if maximise is not None:
        points = points * np.where(np.asarray(maximise), -1.0, 1.0)[:, None]
    unknown = np.isnan(points)
    if unknown.any():
        points = np.where(unknown, np.inf, points)  # (n_objectives, n_points), smaller is better
    n_objectives, n_points = points.shape
    if n_points <= 1:
        return np.ones(n_points, dtype=np.bool_)
    if n_objectives == 2:
        return _two(points)
    return _all_pairs(points) if n_points < _ALL_PAIRS_BELOW else _elimination(points)


def fronts(objectives: Floats, among: Bools) -> Bools:
    """The front of each of several problems: `non_dominated` of those that take part, all in one pass.

    Args:
        objectives: (n_objectives, n_problems, n_points), all minimised.
        among: (n_problems, n_points), False for a point that takes no part.

    Returns:
        (n_problems, n_points) True on the front.
    """
    if among.shape[1] >= _ALL_PAIRS_BELOW:
        front = np.zeros(among.shape, dtype=np.bool_)
        for row, part in enumerate(among):
            front[row, part] = non_dominated(objectives[:, row, part])
        return front
    points = np.where(among & ~np.isnan(objectives), objectives, np.inf)  # who takes no part beats nobody
    not_worse = points[0][:, :, None] <= points[0][:, None, :]  # (problem, i, j): i is nowhere worse than j
    for objective in points[1:]:
        not_worse &= objective[:, :, None] <= objective[:, None, :]
    dominated = (not_worse & ~not_worse.transpose(0, 2, 1)).any(axis=1)
    on_front: Bools = among & ~dominated
    return on_front


def hypervolume(cost: Floats, quality: Floats, *, reference: tuple[float, float]) -> float:
    """Area between the points and a reference (cost, quality) that is worse than all that count.

    Points at or beyond the reference add nothing. Use the logarithm of costs that span decades, and one reference for
    everything that is compared.
    """
    reference_cost, reference_quality = reference
    inside = (cost < reference_cost) & (quality > reference_quality)
    cost, quality = cost[inside], quality[inside]
    order = np.lexsort((-quality, cost))
    reached = np.maximum.accumulate(quality[order]) if len(order) else quality  # best quality up to each cost
    steps = np.diff(reached, prepend=reference_quality)
    return float(((reference_cost - cost[order]) * steps).sum())


def _two(points: Floats) -> Bools:
    first, second = points
    order = np.lexsort((second, first))
    x, y = first[order], second[order]
    starts = np.concatenate(([True], x[1:] != x[:-1]))  # where a group of equal x begins
    start = np.maximum.accumulate(np.where(starts, np.arange(len(x)), 0))
    before = np.concatenate(([np.inf], np.minimum.accumulate(y)[:-1]))  # best y of all earlier points
    # Within a group the first is the best; a group survives when no smaller x reaches its best y. The very first group
    # has no smaller x at all, whatever its y is, infinity included.
    front = (y == y[start]) & ((y < before[start]) | (start == 0))
    mask = np.empty(len(x), dtype=np.bool_)
    mask[order] = front
    return mask


def _all_pairs(points: Floats) -> Bools:
    not_worse = points[0][:, None] <= points[0]  # (i, j): i is nowhere worse than j
    for objective in points[1:]:
        not_worse &= objective[:, None] <= objective
    dominated: Bools = (not_worse & ~not_worse.T).any(axis=0)
    return ~dominated


def _elimination(points: Floats) -> Bools:
    mask = np.zeros(points.shape[1], dtype=np.bool_)
    left = np.argsort(points.sum(axis=0), kind="stable")  # strong points first: they eliminate most
    points, at = points[:, left], 0
    while at < points.shape[1]:
        pivot = points[:, at : at + 1]
        keep = (points < pivot).any(axis=0) | (points == pivot).all(axis=0)
        at = int(keep[:at].sum()) + 1
        left, points = left[keep], points[:, keep]
    mask[left] = True
    return mask
