"""Who is tried first, second, and so on."""

import numpy as np

from catalog import Pool
from router import Bools, RoutingOptions
from router.choice.order import Order
from tests.effort import calls_made
from tests.router.examples import LARGE, MIDDLE, SMALL, entry, three_models

UTILITY = np.array([0.1, 0.3, 0.2])
ALL = np.ones(3, dtype=np.bool_)


def ranking(
    options: RoutingOptions | None = None, *, eligible: Bools = ALL, admitted: Bools = ALL, first: int
) -> list[int]:
    order = Order(three_models())
    (by_utility,) = order.by_utility(UTILITY[None], eligible[None], (eligible & admitted)[None]).tolist()
    return order.ranking(by_utility[: eligible.sum()], options or RoutingOptions(), first=first)


def test_without_a_callers_order_utility_decides() -> None:
    assert ranking(first=MIDDLE) == [MIDDLE, LARGE, SMALL]


def test_who_is_not_admitted_comes_last_whatever_its_utility() -> None:
    assert ranking(admitted=np.array([True, False, True]), first=LARGE) == [LARGE, SMALL, MIDDLE]


def test_who_is_not_eligible_does_not_come_at_all() -> None:
    assert ranking(eligible=np.array([True, False, True]), first=LARGE) == [LARGE, SMALL]


def test_a_caller_may_name_ids_globs_backends_and_providers() -> None:
    for named in ("meadow/small", "meadow/*", "meadow/small@here", "meadow"):
        assert ranking(RoutingOptions(order=(named,)), first=MIDDLE) == [SMALL, MIDDLE, LARGE]


def test_whichever_of_the_callers_names_comes_first_counts() -> None:
    assert ranking(RoutingOptions(order=("peak", "hill/*", "MEADOW/small", "peak/large")), first=SMALL) == [
        LARGE,
        MIDDLE,
        SMALL,
    ]
    assert ranking(RoutingOptions(order=("none/such", "small", "hill/middle@here", "meadow/*")), first=LARGE) == [
        SMALL,
        MIDDLE,
        LARGE,
    ]


def test_a_long_order_is_not_read_again_for_every_candidate() -> None:
    order, candidates = Order(Pool([entry(f"maker/m{i}", backend={}) for i in range(50)])), range(50)

    def calls(n_names: int) -> int:
        wanted = RoutingOptions(order=(*(f"other/m{i}" for i in range(n_names)), "maker/m49"))
        return calls_made(lambda: order.ranking(candidates, wanted, first=0))

    assert calls(1_000) - calls(500) < 50 * 500  # a few calls for each name more, not for each with each candidate


def test_without_fallbacks_nobody_else_follows() -> None:
    order = Order(three_models())
    assert order.fallbacks([MIDDLE, LARGE], RoutingOptions(allow_fallbacks=False), first=MIDDLE) == (MIDDLE,)
    assert order.fallbacks([MIDDLE, LARGE], RoutingOptions(), first=LARGE) == (LARGE, MIDDLE)
