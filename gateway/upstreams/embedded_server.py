"""The child process that runs the embedded model: llama.cpp behind its own OpenAI-compatible loopback server.

Started by `embedded.py` as `python -I embedded_server.py OPTIONS`, with the options as JSON. It imports nothing of
this project, prints one line of JSON with its address once it serves, or with why llama.cpp does not load, and ends
when its standard input does, which is also when whoever started it was killed.
"""

import json
import os
import sys

__all__: list[str] = []


def serve(options: dict[str, object]) -> None:
    """Load the model, say where it is served, and stay until the parent is gone."""
    try:
        import xllamacpp  # noqa: PLC0415 - before this line nothing heavy is in memory
    except ImportError as exc:  # a library of the machine's own is missing
        _tell(does_not_load=str(exc))
        sys.exit(1)
    os.nice(int(str(options["niceness"])))
    params = xllamacpp.CommonParams()
    params.model.path = options["gguf"]
    params.model_alias = {options["model_name"]}
    params.n_parallel = options["slots"]
    params.n_ctx = options["context_tokens"] * options["slots"]  # type: ignore[operator]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.port = options["port"]
    params.endpoint_metrics = True
    params.endpoint_slots = params.ui = False
    params.cache_ram_mib = options["cache_mib"]
    params.verbosity = 0
    server = xllamacpp.Server(params)
    _tell(url=server.listening_address)
    sys.stdin.buffer.read()
    os._exit(0)  # requests that still run have nobody left to answer to


def _tell(**facts: str) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
