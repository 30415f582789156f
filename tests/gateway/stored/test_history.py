"""Records that are not as this version keeps them."""

import pytest

from gateway.errors import InvalidRequestError, NotFoundError
from gateway.stored import Bounds, MemoryResponses, ResponseHistory

NAME = f"resp_{'0' * 32}"


@pytest.mark.parametrize(
    "record",
    [
        b'{"response": {"output": []}, "inp',
        b'{"format": 2, "turns": []}',
        b'{"response": {"output": [7]}, "input": []}',
        b'{"response": {"output": []}, "input": [{"type": "message"}]}',
        b"[]",
    ],
)
async def test_what_is_damaged_or_of_another_version_is_not_stored_any_longer(record: bytes) -> None:
    store = MemoryResponses(Bounds(), clock=lambda: 0.0)
    history = ResponseHistory(store, Bounds())
    await store.put("public", NAME, record)
    with pytest.raises(NotFoundError, match="not stored, or no longer"):
        await history.read(NAME, None)
    with pytest.raises(InvalidRequestError, match="send the whole conversation"):
        await history.continued(b'{"input": "x", "previous_response_id": "%s"}' % NAME.encode(), None)
    item = b'{"type": "item_reference", "id": "msg_%s_in0"}' % NAME.encode()
    with pytest.raises(InvalidRequestError, match="send the item itself"):
        await history.continued(b'{"input": [%s]}' % item, None)
    await history.delete(NAME, None)
