"""What the model that answered was not told because it refuses it, for the client to know: nothing is dropped silently.

Models that think sample as they see fit. Who left the choice of the model to us could not know that, so such a model is
asked without a temperature rather than not at all (`spoken`, `anthropic.thinking`).
"""

from typing import Final

from catalog import Backend, PoolEntry

from .anthropic.native import names_claude
from .anthropic.request import UntoldError, messages_request
from .anthropic.thinking import SAMPLING, fitted_to
from .body import ChatRequest
from .messages import MessagesRequest
from .spoken import untaken

__all__ = ["left_out"]

_ANY_MESSAGES: Final = [{"role": "user", "content": "x"}]


def left_out(request: ChatRequest, recipient: PoolEntry) -> tuple[str, ...]:
    """Parameters of a request that this candidate was asked without."""
    asked = [name for name in SAMPLING if request.body.get(name) is not None]
    if not asked or (backend := recipient.backend) is None:
        return ()
    if backend.kind == "anthropic":
        told = _told(request, recipient, backend)
        return tuple(name for name in asked if told.get(name) is None)
    return untaken(request.body, backend, asked_for=request.model)


def _told(request: ChatRequest, recipient: PoolEntry, backend: Backend) -> dict[str, object]:
    if not isinstance(request, MessagesRequest) or request.path(recipient) != "/messages":
        try:
            return messages_request({**request.body, "model": backend.model_name, "messages": _ANY_MESSAGES})
        except UntoldError:  # by a key that was taken out before: it was asked all the same
            return request.body
    return {**request.told, **({} if names_claude(request.model) else fitted_to(backend.model_name, request.told))}
