"""`GET /dashboard`: one page that shows what decisions rest on."""

from fastapi import APIRouter, Response

from gateway.dashboard import content_security_policy, page

__all__ = ["dashboard_routes"]


def dashboard_routes() -> APIRouter:
    """The page, and a way to it from the bare address."""
    router = APIRouter(include_in_schema=False)

    async def show() -> Response:
        headers = {"content-security-policy": content_security_policy(), "x-content-type-options": "nosniff"}
        return Response(page(), media_type="text/html; charset=utf-8", headers=headers)

    for path in ("/", "/dashboard"):
        router.add_api_route(path, show, methods=["GET"])
    return router
