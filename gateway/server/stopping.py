"""The server as it stops: whoever the system let in before the door was shut is answered like those within.

The system greets clients by itself and keeps them in a queue until we take them. Were the door just shut, it would
reset all who stand there, with what they have asked; so would a connection that is closed while its request is unread.
"""

import asyncio
import socket
import time
from contextlib import suppress
from typing import Final

import uvicorn

__all__ = ["PatientServer"]

_MOST: Final = 4_096  # twice the queue: who comes all the while is not waited for for ever
_TO_ASK_S: Final = 0.25  # for whoever was let in last to say what it wants
_LOOKED_EVERY_S: Final = 0.01


class PatientServer(uvicorn.Server):
    """Uvicorn's."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut the door, take in who stands before it, then end as uvicorn does."""
        if sockets:
            last = sockets[0].dup()
            for server in self.servers:
                server.close()
            for door in sockets:
                door.close()
            await asyncio.sleep(0)  # uvloop lets go of them in its next turn
            with last:
                waiting = _queued(last)
            await self._take_in(waiting)
        await super().shutdown(sockets)

    async def _take_in(self, waiting: list[socket.socket]) -> None:
        """Let them ask, and those whose next request has come meanwhile; who says nothing is not waited for."""
        loop = asyncio.get_running_loop()
        for client in waiting:
            with suppress(OSError):  # it has gone
                await loop.connect_accepted_socket(self._protocol, client)
        until_s = time.monotonic() + (_TO_ASK_S if waiting else 0.0)
        while True:
            await asyncio.sleep(_LOOKED_EVERY_S)  # what has come is read
            silent = any(getattr(connection, "cycle", None) is None for connection in self.server_state.connections)
            if not silent or time.monotonic() >= until_s:
                return

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn makes them itself
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


def _queued(door: socket.socket) -> list[socket.socket]:
    """Who stands before a door."""
    door.settimeout(0.0)
    taken: list[socket.socket] = []
    with suppress(OSError):  # nobody is left (EAGAIN), or no file to take more by
        while len(taken) < _MOST:
            client, _ = door.accept()
            client.settimeout(0.0)
            taken.append(client)
    return taken
