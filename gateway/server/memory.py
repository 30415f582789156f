"""The interpreter on a server's terms, where the process is its own: its garbage, and how long a thread may go on.

A request allocates some hundred containers and drops them by reference count. The collector's defaults look through
everything ever loaded, catalog and all, every few dozen requests: a sixth of a request's CPU in a profile. So what
is there once the gateway stands is set aside, and cycles are looked for rarely. To look through it again whenever facts
are reloaded would stop all requests for 80 ms: what a reload makes is not set aside, so that the next lets go of it.

Beside the event loop run threads, such as those that learn from the journal, encode tools or count for `/metrics`. By
default one may hold the interpreter for 5 ms while a request waits: as long as ten requests take. Here it is half a
millisecond.

NumPy's linear algebra starts a thread for each core and lets them wait busily for each other. A decision's products are
too small to gain by that: with two workers on two cores it took a request from 0.7 to 1.7 ms of CPU
(`tests/benchmarks/bench_workers.py`). Here it has one thread; more of the cores come by more workers.
"""

import gc
import os
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

__all__ = ["let_go", "resident_bytes", "set_aside", "settle"]

_ALLOCATIONS_BETWEEN_LOOKS = 50_000
_YOUNG_PER_MIDDLE, _MIDDLE_PER_OLD = 20, 50
_THREADS_TURN_S = 0.0005


def settle() -> None:
    """Set aside what lives as long as the gateway; once, when it stands."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BETWEEN_LOOKS, _YOUNG_PER_MIDDLE, _MIDDLE_PER_OLD)
    sys.setswitchinterval(_THREADS_TURN_S)
    threadpool_limits(limits=1, user_api="blas")


def let_go() -> None:
    """Let go of what a reload has replaced: a tenth of a millisecond. Of what stood at the start, a megabyte stays."""
    gc.collect()


def set_aside() -> None:
    """What is there now is not looked through again, such as a registry of 100,000 tools: a look at it takes a second.

    Nothing is looked for beforehand, which would take as long. What has no cycles goes by reference count as ever;
    cycles that are there now stay.
    """
    gc.freeze()


def resident_bytes() -> int | None:
    """Main memory that this process holds now; None where /proc does not tell it (it does on Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
