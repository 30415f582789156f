import gc
import mmap
import resource
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from gateway.app import build
from gateway.server.memory import let_go, resident_bytes, settle
from gateway.settings import load_settings
from gateway.startup import open_catalog
from tests.gateway.running import listening, running

pytestmark = pytest.mark.usefixtures("interpreter_as_before")


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


def test_what_a_reload_replaced_is_let_go_of_and_what_was_set_aside_is_left_alone() -> None:
    settle()
    n_aside = gc.get_freeze_count()
    replaced = Knot()
    gone = weakref.ref(replaced)
    del replaced
    let_go()
    assert gone() is None
    assert gc.get_freeze_count() == pytest.approx(n_aside, abs=100)  # some end by themselves


def test_a_thread_in_the_background_gives_way_sooner_than_by_default() -> None:
    settle()
    assert sys.getswitchinterval() < 0.005


def test_linear_algebra_does_not_take_the_cores_from_other_workers() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        settle()
        assert np.array_equal(np.eye(2) @ np.eye(2), np.eye(2))
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its memory in /proc")
def test_memory_held_is_no_more_than_the_most_there_ever_was_and_grows_with_what_is_kept() -> None:
    before = resident_bytes()
    kept = mmap.mmap(-1, 64 << 20)  # the kernel's own: the allocator may have as much left of an earlier test
    np.frombuffer(kept, np.uint8).fill(1)
    after = resident_bytes()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert before is not None
    assert after is not None
    assert before + len(kept) // 2 < after < 1.1 * most  # the kernel renews the two at different times


@pytest.mark.loopback
async def test_a_process_that_is_not_the_gateways_own_keeps_its_terms(tmp_path: Path) -> None:
    gc.unfreeze()
    terms = gc.get_threshold(), sys.getswitchinterval(), 0
    async with running(tmp_path=tmp_path):
        assert (gc.get_threshold(), sys.getswitchinterval(), gc.get_freeze_count()) == terms


@pytest.mark.loopback
async def test_a_served_gateway_settles_its_process(tmp_path: Path) -> None:
    gc.unfreeze()
    settings = load_settings(environ={}, flags={"state": {"dir": tmp_path}})
    async with listening(build(settings, catalog=open_catalog(settings), backends=(), environ={})):
        assert gc.get_freeze_count() > 0
        assert sys.getswitchinterval() < 0.005
