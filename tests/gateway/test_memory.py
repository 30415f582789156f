import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.memory import settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


class Knot:
    def __init__(self) -> None:
        self.me = self


def test_what_is_there_is_set_aside_and_looked_through_no_more() -> None:
    settle()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] > 700  # the default


def test_what_was_exchanged_is_given_back_at_the_next_settling() -> None:
    old = Knot()
    settle()
    gone = weakref.ref(old)
    del old
    gc.collect()
    assert gone() is not None  # set aside
    settle()
    assert gone() is None
