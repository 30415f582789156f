import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def interpreter_as_before() -> Iterator[None]:
    """For what settles the process as if it were the gateway's own."""
    threshold, turn_s = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(turn_s)
    gc.set_threshold(*threshold)
