"""`/v1/responses/{id}`: stored Responses, to get, to list the input of, and to delete."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from gateway.errors import InvalidRequestError
from gateway.stored import ResponseHistory

__all__ = ["stored_responses_routes"]


def stored_responses_routes(history: ResponseHistory) -> APIRouter:
    """Every address below a Response. Only who may see it learns that there is one."""
    router = APIRouter(prefix="/v1/responses/{response_id}", tags=["responses"])

    @router.get("")
    async def get(request: Request, response_id: str, stream: bool | None = None) -> JSONResponse:  # noqa: FBT001 - a query
        """A stored Response."""
        if stream:
            raise InvalidRequestError("stream: a stored response is given whole; leave it out", param="stream")
        return JSONResponse((await history.read(response_id, _key(request)))["response"])

    @router.delete("")
    async def delete(request: Request, response_id: str) -> dict[str, object]:
        """Forget a Response."""
        await history.delete(response_id, _key(request))
        return {"id": response_id, "object": "response", "deleted": True}

    @router.get("/input_items")
    async def input_items(
        request: Request,
        response_id: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
    ) -> dict[str, object]:
        """Everything that was told to the model, what came from earlier Responses included."""
        items = (await history.read(response_id, _key(request)))["input"]
        return _page(items if order == "asc" else items[::-1], limit=limit, after=after)

    @router.post("/cancel", response_model=None)
    async def cancel(request: Request, response_id: str) -> NoReturn:
        """Only what runs in the background can be cancelled, and nothing does here."""
        await history.read(response_id, _key(request))
        raise InvalidRequestError("this response has ended; only those in the background can be cancelled")

    return router


def _page(items: Sequence[dict[str, Any]], *, limit: int, after: str | None) -> dict[str, object]:
    start = 0
    if after is not None:
        position = next((i for i, item in enumerate(items) if item["id"] == after), None)
        if position is None:
            raise InvalidRequestError(f"after: there is no item {after[:100]} here", param="after")
        start = position + 1
    page = items[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }


def _key(request: Request) -> Any:  # noqa: ANN401 - the key that the guard found, or None
    return request.scope.get("paretogate.key")
