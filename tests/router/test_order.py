"""Who is tried first, second, and so on."""

import numpy as np

from router import RoutingOptions
from router.order import Order
from tests.router.examples import LARGE, MIDDLE, SMALL, three_models

UTILITY = np.array([0.1, 0.3, 0.2])
ALL = np.ones(3, dtype=np.bool_)


def test_without_a_callers_order_utility_decides() -> None:
    ranking = Order(three_models()).ranking(UTILITY, ALL, ALL, RoutingOptions(), first=MIDDLE)
    assert ranking == [MIDDLE, LARGE, SMALL]


def test_who_is_not_admitted_comes_last_whatever_its_utility() -> None:
    admitted = np.array([True, False, True])
    ranking = Order(three_models()).ranking(UTILITY, ALL, admitted, RoutingOptions(), first=LARGE)
    assert ranking == [LARGE, SMALL, MIDDLE]


def test_a_caller_may_name_ids_globs_backends_and_providers() -> None:
    for named in ("meadow/small", "meadow/*", "meadow/small@here", "meadow"):
        options = RoutingOptions(order=(named,))
        assert Order(three_models()).ranking(UTILITY, ALL, ALL, options, first=MIDDLE) == [SMALL, MIDDLE, LARGE]


def test_without_fallbacks_nobody_else_follows() -> None:
    order = Order(three_models())
    assert order.fallbacks([MIDDLE, LARGE], RoutingOptions(allow_fallbacks=False), first=MIDDLE) == (MIDDLE,)
    assert order.fallbacks([MIDDLE, LARGE], RoutingOptions(), first=LARGE) == (LARGE, MIDDLE)
