"""`/v1/responses/{id}`: what clients ask of stored Responses. None is stored here, and each of these says so.

A Response holds a prompt and an answer, and those are not kept unless the operator says so; nothing here would know
when to forget them. Clients carry the conversation in `input` instead, which `store: false` makes OpenAI's do.
"""

from typing import NoReturn

from fastapi import APIRouter

from gateway.errors import NotFoundError

__all__ = ["stored_responses_routes"]


def stored_responses_routes() -> APIRouter:
    """Get, delete, cancel and list the input of a Response: a 404 with the code `response_not_stored`."""
    router = APIRouter(prefix="/v1/responses", tags=["responses"])

    async def absent(response_id: str) -> NoReturn:
        """No Response is stored here."""
        raise NotFoundError(
            f"response {response_id[:100]}: no responses are stored here; keep what you received, and send the whole"
            " conversation in input",
            code="response_not_stored",
        )

    for path, methods in (("", ["GET", "DELETE"]), ("/input_items", ["GET"]), ("/cancel", ["POST"])):
        for method in methods:
            router.add_api_route(
                f"/{{response_id}}{path}", absent, methods=[method], status_code=404, response_model=None
            )
    return router
