"""Cost-quality curves of routers: hull, mixtures of policies, and the lines they are compared on."""

import numpy as np

from catalog import Floats

__all__ = ["cheapest_reaching", "mixture_at_cost", "non_decreasing_hull", "quality_at_cost", "upper_hull"]


def upper_hull(cost: Floats, quality: Floats) -> Floats:
    """Vertices of the upper concave hull, cheapest first: what mixing operating points at random can reach.

    Args:
        cost: (n,) mean cost of every operating point.
        quality: (n,) its mean score.

    Returns:
        (n_vertices, 2) of cost and quality. It ends at the dearest point, even where quality falls towards it.
    """
    hull: list[tuple[float, float]] = []
    for point in _best_per_cost(cost, quality):
        while len(hull) >= 2 and _turn(hull[-2], hull[-1], point) >= 0:
            hull.pop()
        hull.append(point)
    return np.array(hull)  # (n_vertices, 2)


def non_decreasing_hull(cost: Floats, quality: Floats) -> Floats:
    """The upper hull up to its peak: nobody has to spend more for less. Shape (n_vertices, 2)."""
    hull = upper_hull(cost, quality)
    return hull[: int(np.argmax(hull[:, 1])) + 1]


def quality_at_cost(cost: Floats, quality: Floats, *, at: Floats) -> Floats:
    """Best mean score reachable by mixing operating points, at each given mean cost; NaN below the cheapest.

    Shape of `at` and of the answer: (n_costs,).
    """
    hull = non_decreasing_hull(cost, quality)
    reached = np.interp(at, hull[:, 0], hull[:, 1])  # (n_costs,)
    return np.where(at < hull[0, 0], np.nan, reached)


def mixture_at_cost(cost: Floats, quality: Floats, *, at: float) -> Floats:
    """The mixture of operating points of the best mean score at a mean cost; the cheapest point where none costs less.

    Returns:
        (n,) the share of every operating point.
    """
    hull = non_decreasing_hull(cost, quality)
    right = min(int(np.searchsorted(hull[:, 0], at)), len(hull) - 1)
    left = max(right - 1, 0)
    of_right = np.interp(at, hull[[left, right], 0], [0.0, 1.0]) if left < right else 1.0
    share = np.zeros(len(cost))
    for vertex, part in ((left, 1 - of_right), (right, of_right)):
        share[np.flatnonzero((cost == hull[vertex, 0]) & (quality == hull[vertex, 1]))[0]] += part
    return share


def cheapest_reaching(cost: Floats, quality: Floats, *, target: float) -> float:
    """Smallest mean cost at which a mixture of operating points reaches a mean score; NaN where none does."""
    hull = non_decreasing_hull(cost, quality)
    if target <= hull[0, 1]:
        return float(hull[0, 0])
    if target > hull[-1, 1]:
        return float("nan")
    return float(np.interp(target, hull[:, 1], hull[:, 0]))


def _best_per_cost(cost: Floats, quality: Floats) -> list[tuple[float, float]]:
    best: dict[float, float] = {}
    for c, q in zip(cost.tolist(), quality.tolist(), strict=True):
        best[c] = max(q, best.get(c, -np.inf))
    return sorted(best.items())


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Positive where the path a, b, c turns left (b lies below the chord), negative where it turns right."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
