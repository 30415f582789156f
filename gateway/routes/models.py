"""`GET /v1/models` and `GET /v1/models/{id}`: what a client may put into `model`; a key sees what it may use.

Clients of OpenAI and of Anthropic ask at the same address and want different shapes; Anthropic's tell by a header.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any

from fastapi import APIRouter, Request

from catalog import PoolEntry, UnknownModelError
from gateway.keys import ApiKey
from gateway.serving import Serving

__all__ = ["models_routes"]

_US = "paretogate"


def models_routes(serving: Callable[[], Serving], *, embedding: Serving | None = None) -> APIRouter:
    """Both addresses. Aliases are listed; forms with a suffix (`:floor`, `:nitro`) are understood but not listed.

    `embedding` serves the models that only `/v1/embeddings` asks.
    """
    also = [_model(entry) for entry in embedding.pool.entries if entry.backend is not None] if embedding else []
    embedders: dict[str, dict[str, Any]] = {model["id"]: model for model in reversed(also)}
    router = APIRouter(prefix="/v1", tags=["models"])

    @router.get("/models")
    async def list_models(request: Request) -> dict[str, Any]:
        """Every model that can be asked for here, `auto` first."""
        key = _key(request)
        listed = [model for model in (*_models(serving()), *embedders.values()) if _is_open(model, key)]
        return _anthropics_list(listed, request) if _is_anthropics(request) else {"object": "list", "data": listed}

    @router.get("/models/{name:path}")
    async def one_model(request: Request, name: str) -> dict[str, Any]:
        """One of them."""
        key = _key(request)
        found = _found(name, key)
        if not _is_open(found, key):
            raise UnknownModelError(name[:200])
        return _as_anthropics(found) if _is_anthropics(request) else found

    def _found(name: str, key: ApiKey | None) -> dict[str, Any]:
        current = serving()
        listed = {**embedders, **{model["id"]: model for model in _models(current)}}
        if name in listed:
            return listed[name]
        if name.startswith("auto:"):
            raise UnknownModelError(name[:200], close=tuple(n for n in listed if n.startswith("auto")))
        may_see = None if key is None else key.may_use
        return _model(current.pool.entries[current.positions(name, may_see=may_see)[0]])

    return router


def _is_anthropics(request: Request) -> bool:
    return "anthropic-version" in request.headers


def _as_anthropics(model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model.get("name") or model["id"],
        "created_at": datetime.fromtimestamp(model["created"], UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "max_input_tokens": model.get("context_length"),
    }


def _anthropics_list(listed: Sequence[Mapping[str, Any]], request: Request) -> dict[str, Any]:
    """All of them on one page, whatever `limit` was asked for; the pages after and before that one are empty."""
    turning = {"after_id", "before_id"} & request.query_params.keys()
    data = [] if turning else [_as_anthropics(model) for model in listed]
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _key(request: Request) -> ApiKey | None:
    key: ApiKey | None = request.scope.get("paretogate.key")
    return key


def _is_open(model: dict[str, Any], key: ApiKey | None) -> bool:
    """Aliases are open to everybody: they choose among what the key may use."""
    return key is None or model["owned_by"] == _US or key.may_use(model["id"])


def _models(serving: Serving) -> list[dict[str, Any]]:
    aliases = ["auto", *(f"auto:{policy}" for policy in sorted(serving.policies))]
    routed = [{"id": name, "object": "model", "created": 0, "owned_by": _US} for name in aliases]
    served = {e.profile.id: e for e in reversed(serving.pool.entries) if e.backend is not None}
    return routed + [_model(served[name]) for name in sorted(served)]


def _model(entry: PoolEntry) -> dict[str, Any]:
    profile, price = entry.profile, entry.price
    released = datetime.combine(profile.released, time(), UTC) if profile.released else None
    return {
        "id": profile.id,
        "object": "model",
        "created": int(released.timestamp()) if released else 0,
        "owned_by": profile.owner,
        "name": profile.name,
        "context_length": entry.context_tokens,
        "capabilities": sorted(profile.capabilities),
        "pricing_usd_per_mtok": {
            "input": float(price.input_usd_per_mtok),
            "output": float(price.output_usd_per_mtok),
        }
        if price
        else None,
    }
