"""`GET /dashboard` and `/dashboard/models`: what decisions rest on, and what is known of every model.

The pages are open, for they hold nothing; what they show comes from `/dashboard/data` and the decision door, which
ask for a key where the gateway wants one.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from catalog import Catalog
from gateway.dashboard import PageName, content_security_policy, page
from gateway.dashboard.model_facts import model_rows, whole_model
from gateway.serving import Serving

__all__ = ["dashboard_routes"]


def dashboard_routes(serving: Callable[[], Serving], *, catalog: Catalog | None = None) -> APIRouter:
    """The pages, a way to them from the bare address, and their data.

    Args:
        serving: what is served right now.
        catalog: every model that is known here; the served ones where left out.
    """
    router = APIRouter(include_in_schema=False)

    async def decisions() -> Response:
        return _page("page")

    async def models() -> Response:
        return _page("models")

    def known() -> Catalog:
        return catalog or Catalog.of(entry.profile for entry in serving().pool.entries)

    def served() -> frozenset[str]:
        return frozenset(entry.profile.id for entry in serving().pool.entries if entry.backend is not None)

    async def rows() -> dict[str, Any]:
        return await asyncio.to_thread(model_rows, known(), served=served())

    async def one(name: str) -> dict[str, Any]:
        return await asyncio.to_thread(whole_model, known(), name, served=served())

    router.add_api_route("/", decisions, methods=["GET"])
    router.add_api_route("/dashboard", decisions, methods=["GET"])
    router.add_api_route("/dashboard/models", models, methods=["GET"])
    router.add_api_route("/dashboard/data/models", rows, methods=["GET"])
    router.add_api_route("/dashboard/data/models/{name:path}", one, methods=["GET"])
    return router


def _page(name: PageName) -> Response:
    headers = {"content-security-policy": content_security_policy(name), "x-content-type-options": "nosniff"}
    return Response(page(name), media_type="text/html; charset=utf-8", headers=headers)
