"""The child process of `local_model.py`: llama.cpp behind its own OpenAI-compatible loopback server.

It imports nothing of this project, prints one line of JSON with its address once it serves, and ends when its
standard input does.
"""

import json
import os
import sys

__all__: list[str] = []


def serve(gguf: str, model: str, threads: int) -> None:
    """Load the model, say where it is served, and stay until the parent is gone."""
    import xllamacpp  # noqa: PLC0415 - heavy, and wanted by nobody who only imports this file

    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.model_alias = {model}
    params.n_parallel, params.n_ctx = 1, 4096
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.port, params.verbosity = 0, 0
    params.ui = False
    server = xllamacpp.Server(params)
    sys.stdout.write(json.dumps({"url": server.listening_address}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
