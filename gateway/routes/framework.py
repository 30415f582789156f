"""What serves every address that is not a hot door, and describes all of them: FastAPI, with errors in our shape."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from catalog import ParetoGateError
from gateway.errors import ErrorReply, reply_to

from .front import error_body, error_headers
from .openapi import hot_paths, with_failures

__all__ = ["Lifespan", "framework"]

log = structlog.get_logger(__name__)

_DOORS = (  # of two that end alike, the longer first
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/messages/count_tokens",
    "/v1/messages",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/models",
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def framework(lifespan: Lifespan) -> FastAPI:
    """Without routes yet; `lifespan` is what is open while it serves."""
    app = FastAPI(
        title="ParetoGate",
        version=version("paretogate"),
        description="A model-routing gateway: predicts quality, cost and latency per prompt, and chooses.",
        lifespan=lifespan,
        docs_url=None,  # a page with scripts from elsewhere could read the key that the dashboard keeps for its tab
        redoc_url=None,
    )
    app.add_exception_handler(ParetoGateError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_error)
    app.add_exception_handler(HTTPException, _on_error)
    app.add_exception_handler(Exception, _on_error)
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
            described["paths"] = {**with_failures(described["paths"]), **hot_paths()}
        return described

    app.openapi = openapi  # type: ignore[method-assign] # the framework's documented way to extend the document
    return app


async def _on_error(request: Request, exc: Exception) -> JSONResponse:
    reply = _reply(request, exc)
    headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}  # such as which methods are allowed
    headers |= {name.decode(): value.decode() for name, value in error_headers(reply)}
    return JSONResponse(error_body(request.url.path, reply), status_code=reply.status, headers=headers)


def _reply(request: Request, exc: Exception) -> ErrorReply:
    if isinstance(exc, RequestValidationError):
        first = exc.errors()[0]
        field_name = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{field_name or 'body'}: {first['msg'].removeprefix('Value error, ')}"
        return ErrorReply(
            status=400, kind="invalid_request_error", code="invalid_request", message=message, param=field_name or None
        )
    if isinstance(exc, HTTPException):
        code = {404: "not_found", 405: "method_not_allowed"}.get(exc.status_code, "invalid_request")
        message = f"{exc.detail}: {request.method} {request.url.path[:200]}"
        if exc.status_code == 404 and (meant := _meant(request.url.path)) is not None:
            message += (
                f"; {meant} is here: a base URL ends with /v1 for OpenAI's clients, and before it for Anthropic's"
            )
        return ErrorReply(status=exc.status_code, kind="invalid_request_error", code=code, message=message)
    if not isinstance(exc, ParetoGateError):
        log.error("request_crashed", path=request.url.path, exc_info=exc)
    return reply_to(exc)


def _meant(path: str) -> str | None:
    """The door that a client asked for whose base URL says too much or too little."""
    asked = "".join(f"/{part}" for part in path.split("/") if part)
    return next((door for door in _DOORS if asked.endswith(door.removeprefix("/v1"))), None)
