"""How busy a model server says it is: the few gauges that matter, out of its Prometheus text.

vLLM and llama.cpp name them differently, and vLLM renamed one; each quantity is looked for under every name it had.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["ServerLoad", "read_server_load"]

_RUNNING = ("vllm:num_requests_running", "llamacpp:requests_processing")
_WAITING = ("vllm:num_requests_waiting", "llamacpp:requests_deferred")
_CACHE_USE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio")
_LINES = tuple(f"{name}{after}" for name in (*_RUNNING, *_WAITING, *_CACHE_USE) for after in "{ ")
_MOST_CHARS, _MOST_IN_ALL = 1_024, 128 << 10  # of a line in question, whose labels the parser takes the square of
_MOST_REQUESTS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLoad:
    """One reading of one server, whoever its requests come from."""

    running: float
    waiting: float
    cache_use: float | None = None  # share of the key-value cache that is taken, 0..1; None where the server is silent


def read_server_load(text: str) -> ServerLoad | None:
    """The load in a server's `/metrics`; None where the text holds neither running nor waiting requests.

    A server with several engines reports each by itself: requests are added up, and of the caches the fullest counts.
    Only the lines in question are parsed, since a server's histograms are a hundred times as long.

    Raises:
        ValueError: a line in question is not in Prometheus's format, or there is more than any server has to say.
    """
    lines = [line for line in text.splitlines() if line.startswith(_LINES)]
    if any(len(line) > _MOST_CHARS for line in lines) or sum(map(len, lines)) > _MOST_IN_ALL:
        raise ValueError("more engines or labels than any server has")
    values: dict[str, list[float]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            values.setdefault(sample.name, []).append(sample.value)
    running, waiting = _first(values, _RUNNING), _first(values, _WAITING)
    if not running and not waiting:
        return None
    cache = _first(values, _CACHE_USE)
    return ServerLoad(
        running=sum(running), waiting=sum(waiting), cache_use=min(1.0, max(0.0, *cache, 0.0)) if cache else None
    )


def _first(values: dict[str, list[float]], names: Iterable[str]) -> list[float]:
    """The values under the first of these names that is used; what is no number of requests is left out."""
    for name in names:
        if name in values:
            return [value for value in values[name] if 0 <= value <= _MOST_REQUESTS]
    return []
