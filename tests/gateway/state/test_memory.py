"""Conversations in memory: one caller's are bounded by its share, so that it drives nobody else's out."""

from gateway.state import Claim, MemoryState, Quota, Remembered, Settlement
from router import SessionState

KEPT = SessionState(backend_id="b", cached_tokens=7)


def remember(store: MemoryState, holder: str, session_id: str, *, keep_s: float = 60.0) -> None:
    kept = Remembered(session_id=session_id, state=KEPT, keep_s=keep_s)
    store.settle_now(Settlement(holder=holder, quota=Quota(), wall_s=0.0, remember=kept))


async def known(store: MemoryState, holder: str, session_id: str) -> bool:
    claim = Claim(holder=holder, quota=Quota(), wall_s=0.0, requests=1, session_id=session_id)
    return (await store.reserve(claim)).session is not None


async def test_one_caller_drives_out_no_conversation_of_another() -> None:
    store = MemoryState(clock=lambda: 1.0, max_sessions=10)
    for number in range(3):
        remember(store, "quiet", f"q{number}")
    for number in range(1_000):
        remember(store, "loud", f"l{number}")
    assert [await known(store, "quiet", f"q{number}") for number in range(3)] == [True] * 3
    assert [await known(store, "loud", f"l{number}") for number in (992, 993, 999)] == [False, True, True]


async def test_who_is_alone_has_all_places_and_a_newcomer_gets_one() -> None:
    store = MemoryState(clock=lambda: 1.0, max_sessions=10)
    for number in range(10):
        remember(store, "first", f"f{number}")
    assert await known(store, "first", "f0")
    remember(store, "second", "s0")
    assert await known(store, "second", "s0")
    assert not await known(store, "first", "f0")


async def test_what_is_forgotten_leaves_nothing_behind() -> None:
    now_s = [1.0]
    store = MemoryState(clock=lambda: now_s[0], max_sessions=10)
    remember(store, "a", "1")
    remember(store, "b", "2")
    now_s[0] = 100.0
    assert not await known(store, "a", "1")
    remember(store, "c", "3")
    assert (len(store._sessions), list(store._sessions_of)) == (1, ["c"])
