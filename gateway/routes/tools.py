"""`/v1/tools/search` and `/v1/tools/registries`: finding tools and keeping them, over HTTP."""

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.dispatch import Clocks
from gateway.errors import InvalidRequestError, UnavailableError
from gateway.governance.governor import Governor
from gateway.tools import ToolDesk
from gateway.tools.importers.importing import plain_json, tools_of_json
from gateway.tools.offered.offer import events_of
from gateway.tools.registries import StoredRegistry
from gateway.wire.asgi import read_headers
from predictors.tools import ToolUsage

__all__ = ["tools_routes"]


class Search(BaseModel):
    """What is looked for, in a stored registry or among the tools that are given."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str | None, Field(max_length=20_000)] = None
    messages: list[dict[str, Any]] | None = None  # instead of `query`: the last thing that the user said counts
    set: str | None = None
    tools: list[dict[str, Any]] | None = None
    top_k: Annotated[int, Field(ge=1, le=64)] = 10
    min_score: Annotated[float, Field(ge=0)] = 0.0
    category: str | None = None


class Keep(BaseModel):
    """A registry's next version. MCP servers come by the command line alone: no request says where to connect."""

    model_config = ConfigDict(extra="forbid")

    tools: Any  # declarations, or an OpenAPI document
    usage: list[tuple[str, list[str]]] = Field(default_factory=list)  # (request, names of the tools that served it)


def tools_routes(desk: ToolDesk, governor: Governor, clocks: Clocks) -> APIRouter:
    """Search for whoever may use tools here, registries for administrators."""
    router = APIRouter(prefix="/v1/tools", tags=["tools"])

    @router.post("/search")
    async def search(given: Search, request: Request, response: Response) -> dict[str, Any]:
        """The tools that a request needs, best first, of those that the key may use. It counts as a request."""
        key = request.scope.get("paretogate.key")
        await governor.consult(key)
        query = _query(given)
        found = await desk.search(
            query,
            label=given.set,
            declared=_as_others_read(given.tools),
            key=key,
            top_k=given.top_k,
            min_score=given.min_score,
            category=given.category,
        )
        told: dict[str, Any] = {"object": "list", "data": found.tools}
        if found.selection is None:
            return told
        response.headers["x-paretogate-tool-selection"] = found.selection
        return {**told, "tool_selection": found.selection}

    @router.get("/registries")
    async def registries(request: Request) -> dict[str, Any]:
        """Every registry in its newest version, without its tools; of one that is `damaged`, what is wrong with it."""
        governor.admin(read_headers(request.scope))
        return {"object": "list", "data": await asyncio.to_thread(desk.store.summaries)}

    @router.get("/registries/{label}")
    async def registry(label: str, request: Request) -> dict[str, Any]:
        """One registry with its tools; NAME or NAME@VERSION."""
        governor.admin(read_headers(request.scope))
        stored = await asyncio.to_thread(desk.store.load, label)
        return {**stored.summary(), "tools": [tool.declaration for tool in stored.tools]}

    @router.put("/registries/{name}")
    async def keep(name: str, given: Keep, request: Request) -> dict[str, Any]:
        """Keep a registry's next version."""
        governor.admin(read_headers(request.scope))
        usage = ToolUsage.of([query for query, _ in given.usage], [names for _, names in given.usage])

        def save() -> StoredRegistry:
            return desk.store.save(name, tools_of_json(given.tools), source="api", now_s=clocks.wall(), usage=usage)

        try:
            stored = await asyncio.to_thread(save)  # tens of thousands of tools take seconds
        except OSError as exc:
            raise UnavailableError(f"the registry {name} cannot be kept: {exc}") from exc
        desk.get_ready(stored.label)
        return stored.summary()

    return router


def _query(given: Search) -> str:
    if given.query:
        return given.query
    asked = [event.asked for event in events_of(given.messages) if event.asked]
    if not asked:
        raise InvalidRequestError("query: say what the tools are for, or send messages", param="query")
    return asked[-1]


def _as_others_read(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools; integers that only Python reads so are numbers as other programs have them."""
    try:
        orjson.dumps(tools)
    except TypeError:
        return [plain_json(tool) for tool in tools or ()]
    return tools
