"""A bounded sample of the fuzz; `python -m tests.abuse.fuzz --cases 20000` throws more."""

import gc
import os
from random import Random

import pytest

from tests.abuse.drawing import client_body, upstream_events
from tests.abuse.fuzz import fuzz

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def nothing_left_by_others() -> None:
    """Clients of openai that others let go of close themselves on whichever loop runs when they are collected.

    What a gateway set aside (`gateway.server.memory.settle`) is looked through by the next one: that would be ours.
    """
    gc.unfreeze()
    gc.collect()


async def test_whatever_comes_from_either_side_is_answered_in_time_and_in_shape() -> None:
    first = int(os.environ.get("PARETOGATE_TEST_FUZZ_FIRST", "0"))
    report = await fuzz(cases=800, first=first, at_once=16)
    assert [(f.case, f.kind, f.problem) for f in report.findings] == []
    assert {kind for kind, _ in report.answers} == {"body", "headers", "http", "answer", "events"}
    assert report.answers["body", 200] > 20  # some get through: it is not the first check that refuses all


def test_a_case_is_the_same_whenever_it_is_drawn() -> None:

    assert client_body(Random(7)) == client_body(Random(7))
    assert upstream_events(Random(7)) == upstream_events(Random(7))
