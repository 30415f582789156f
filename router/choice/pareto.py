"""Who is not beaten on every count: the exact Pareto front, and the area it dominates."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from catalog import Floats
from router.decision import Bools

__all__ = ["fronts", "hypervolume", "non_dominated"]

_ALL_PAIRS_BELOW = 128  # candidates; beyond, comparing all pairs costs more
_PIVOTS = 16  # strong points that eliminate what they can before the rest is compared
_BLOCK = 256  # points compared with all others at once


def non_dominated(objectives: Floats, *, maximise: Sequence[bool] | None = None) -> Bools:
    """The points that no other point equals or beats in every objective while beating it in one.

    Equal points are all on the front. NaN counts as the worst possible value of its objective. Two objectives take
    O(n log n), and so do three from a hundred points on; else it is O(n^2).

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
    if n_points < _ALL_PAIRS_BELOW:
        return _all_pairs(points)
    return _three(points) if n_objectives == 3 else _elimination(points)


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


def _three(points: Floats) -> Bools:
    """By sweeping the first objective: the second and third of all points so far form a staircase.

    Source: Kung, Luccio and Preparata, On Finding the Maxima of a Set of Vectors, JACM 1975.
    """
    first, second, third = points
    order = np.lexsort((third, second, first))
    on_front = np.empty(len(order), dtype=np.bool_)
    ys: list[float] = []  # rising
    zs: list[float] = []  # falling: the best third objective at no more than that second one
    before, survives = None, True
    for index, point in zip(order.tolist(), points.T[order].tolist(), strict=True):
        if point != before:  # equal points share their fate
            _, y, z = point
            step = bisect_right(ys, y)
            survives = step == 0 or zs[step - 1] > z
            if survives:
                start = end = bisect_left(ys, y)
                while end < len(zs) and zs[end] >= z:
                    end += 1
                ys[start:end], zs[start:end] = [y], [z]
            before = point
        on_front[index] = survives
    return on_front


def _elimination(points: Floats) -> Bools:
    """A few strong points eliminate most; who is left is compared with all others who are, block by block."""
    n_points, at = points.shape[1], 0
    left = np.argsort(points.sum(axis=0), kind="stable")  # strong points first
    points = points[:, left]
    for _ in range(min(_PIVOTS, n_points)):
        if at >= points.shape[1]:
            break
        pivot = points[:, at : at + 1]
        keep = (points < pivot).any(axis=0) | (points == pivot).all(axis=0)
        at = int(keep[:at].sum()) + 1
        left, points = left[keep], points[:, keep]
    mask = np.zeros(n_points, dtype=np.bool_)
    for start in range(0, len(left), _BLOCK):
        mask[left[start : start + _BLOCK]] = ~_dominated(points[:, start : start + _BLOCK], points)
    return mask


def _dominated(block: Floats, points: Floats) -> Bools:
    """Which points of the block (n_objectives, n_block) some point beats."""
    not_worse = np.ones((points.shape[1], block.shape[1]), dtype=np.bool_)  # (n_points, n_block)
    better = np.zeros_like(not_worse)
    for theirs, ours in zip(points, block, strict=True):
        not_worse &= np.asarray(theirs[:, None] <= ours)
        better |= theirs[:, None] < ours
    return np.asarray((not_worse & better).any(axis=0))
