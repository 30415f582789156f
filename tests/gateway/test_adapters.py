"""What a vLLM server may do to a gateway by its list of adapters; that they join and leave is tried end to end."""

import httpx
from structlog.testing import capture_logs

from catalog import Backend
from gateway.adapters import Adapters

BASE = Backend(id="v", profile_id="o/m", kind="vllm", provider="x", model_name="m", base_url="http://127.0.0.1:8000/v1")


async def test_a_server_that_lists_others_all_the_time_is_not_followed_for_ever() -> None:
    """Each name stayed in metrics and in memory."""
    turns = [0]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"id": f"a{turns[0]}-{i}", "parent": "m"} for i in range(150)]})

    adapters = Adapters((BASE,), configured=frozenset({"v"}), api_keys={})
    joined: set[str] = set()
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            for turns[0] in range(20):
                await adapters.look(client)
                joined |= {backend.id for backend in adapters.backends}
            turns[0] = 0
            await adapters.look(client)
    assert len(joined - {"v"}) == 1_000
    assert len(adapters.backends) == 1 + 150  # those that were there before may come back
    assert [said["event"] for said in logs] == ["adapters_left_out"]
