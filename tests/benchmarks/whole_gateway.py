"""The gateway as it is served, before a mock: shipped catalog and predictor, journal on disk, twenty candidates."""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from uvicorn.supervisors import Multiprocess

from catalog import Backend, Catalog
from gateway.app import build
from gateway.server.listening import open_socket, run_until_told, server_config, watched_often
from gateway.settings import Settings

N_BACKENDS = 20


def main(port: int, upstream: int, workers: int = 1, rehearse_ms: int = 20, idle_poll_ms: int = 0) -> None:
    """Serve until terminated."""
    doors = watched_often(open_socket("127.0.0.1", port))
    with tempfile.TemporaryDirectory() as state:
        app = partial(gateway, upstream, Path(state), workers, rehearse_ms, idle_poll_ms)
        if workers == 1:
            run_until_told(server_config(app, factory=True), doors)
            return
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = state
        Multiprocess(server_config(app, factory=True, workers=workers), sockets=doors).run()


def gateway(upstream: int, state: Path, workers: int, rehearse_ms: int, idle_poll_ms: int) -> Any:
    """The application of one process."""
    catalog = Catalog.load()
    priced = [p for p in catalog if p.price is not None and p.ability and (p.context_tokens or 0) > 16_000]
    url = f"http://127.0.0.1:{upstream}/v1"
    backends = tuple(
        Backend(id=f"b{i}", profile_id=p.id, kind="openai", provider=p.owner, model_name="mock", base_url=url)
        for i, p in enumerate(priced[:: max(1, len(priced) // N_BACKENDS)][:N_BACKENDS])
    )
    server = {"workers": workers, "rehearse_ms": rehearse_ms, "idle_poll_ms": idle_poll_ms}
    settings = Settings(state={"dir": state}, server=server)
    return build(settings, catalog=catalog, backends=backends, environ=os.environ)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
