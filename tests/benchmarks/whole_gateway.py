"""The gateway as it is served, before a mock: shipped catalog and predictor, journal on disk, twenty candidates."""

import sys
import tempfile
from pathlib import Path

from catalog import Backend, Catalog
from gateway.app import build
from gateway.listening import open_socket, run_until_told, server_config, watched_often
from gateway.settings import Settings

N_BACKENDS = 20


def main(port: int, upstream: int) -> None:
    """Serve until terminated."""
    catalog = Catalog.load()
    priced = [p for p in catalog if p.price is not None and p.ability and (p.context_tokens or 0) > 16_000]
    url = f"http://127.0.0.1:{upstream}/v1"
    backends = tuple(
        Backend(id=f"b{i}", profile_id=p.id, kind="openai", provider=p.owner, model_name="mock", base_url=url)
        for i, p in enumerate(priced[:: max(1, len(priced) // N_BACKENDS)][:N_BACKENDS])
    )
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(state={"dir": Path(state)})
        app = build(settings, catalog=catalog, backends=backends, environ={})
        run_until_told(server_config(app), watched_often(open_socket("127.0.0.1", port)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
