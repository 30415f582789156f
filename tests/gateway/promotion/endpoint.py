"""An embeddings endpoint that is there, away, or in a bad way, and a predictor that reads prompts by it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from predictors.encoders import StaticEncoder

from .replicas import variant

__all__ = ["Endpoint"]

_ENCODER = StaticEncoder.load()


class Endpoint:
    """Of a fixed port: the encoder that ships answers there while it is `open`, with `status` in place of 200."""

    def __init__(self) -> None:
        self.status, self.asked = 200, 0
        with self.open():  # a free port; whoever connects while nobody listens there is refused
            pass

    @contextmanager
    def open(self) -> Iterator[None]:
        server = ThreadingHTTPServer(("127.0.0.1", getattr(self, "port", 0)), self._handler())
        self.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def name(self) -> str:
        """Of the encoder, as predictors and settings have it."""
        return f"m@http://127.0.0.1:{self.port}/v1"

    def predictor(self, folder: Path, name: str) -> Path:
        """One that reads prompts by it."""
        return variant(folder, name, encoder=self.name, features=f"remote/m@{_ENCODER.dim}+surface27.3")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.asked += 1
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                vectors = _ENCODER.encode(asked["input"]).tolist()
                told = {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]}
                answer = json.dumps(told).encode()
                self.send_response(endpoint.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler
