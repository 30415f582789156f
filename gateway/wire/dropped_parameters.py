"""Parameters that a model refuses and so was asked without, for the client to know: nothing is dropped silently.

Models that reason take no sampling parameters, and those that do not take no reasoning effort. A client that left the
choice of the model to us could not know that, so such a model is asked without them rather than not at all
(`compatibility`, `translated`, `anthropic.thinking`).
"""

from collections.abc import Mapping
from typing import Final

from catalog import Backend, PoolEntry

from .anthropic.native import names_claude
from .anthropic.request import UntranslatableError, messages_request
from .anthropic.thinking import SAMPLING, fitted_to
from .body import ChatRequest
from .compatibility import refused_sampling
from .messages.request import MessagesRequest
from .own_protocol import OwnProtocolRequest
from .translated import fitted

__all__ = ["dropped_parameters"]

_SAMPLING: Final = frozenset(SAMPLING)
_EFFORTS: Final = frozenset({"output_config", "reasoning", "reasoning_effort"})
_ANY_MESSAGES: Final = [{"role": "user", "content": "x"}]
_NO_EFFORT: Final = (None, "none", "minimal")  # a model that does not reason does as much


def dropped_parameters(request: ChatRequest, recipient: PoolEntry) -> tuple[str, ...]:
    """Names, in the client's protocol, of the fields and kinds of tools that this candidate was asked without."""
    refused = _refused_parameters(request, recipient)
    return (*(f"tools.{kind}" for kind in request.left_out), *refused) if request.left_out else refused


def _refused_parameters(request: ChatRequest, recipient: PoolEntry) -> tuple[str, ...]:
    says_effort = "thinking" in request.body or not _EFFORTS.isdisjoint(request.as_sent)
    efforts = _efforts(request) if says_effort else ()
    if (backend := recipient.backend) is None or (not efforts and _SAMPLING.isdisjoint(request.body)):
        return ()
    if backend.kind == "anthropic":
        sent = _sent(request, recipient, backend)
        names = tuple(name for name in SAMPLING if request.body.get(name) is not None and sent.get(name) is None)
    else:
        names = refused_sampling(request.body, backend, asked_for=request.model)
        sent = _chat(request, recipient) if efforts else {}
    return names if not efforts or _asks_to_reason(sent) else (*names, *efforts)


def _efforts(request: ChatRequest) -> tuple[str, ...]:
    """The fields by which the client says how hard to think, as its protocol calls them."""
    body = request.as_sent
    named = ["reasoning_effort"] if body.get("reasoning_effort") not in _NO_EFFORT else []
    named += [f"{field}.effort" for field in ("output_config", "reasoning") if _inner(body, field) not in _NO_EFFORT]
    if request.body.get("thinking") is not None and isinstance(request, MessagesRequest):
        named.append("thinking")
    return tuple(named)


def _inner(body: Mapping[str, object], field: str) -> object:
    value = body.get(field)
    return value.get("effort") if isinstance(value, dict) else None


def _asks_to_reason(sent: Mapping[str, object]) -> bool:
    return any(sent.get(name) is not None for name in ("reasoning_effort", "thinking", "reasoning")) or (
        _inner(sent, "output_config") is not None
    )


def _chat(request: ChatRequest, recipient: PoolEntry) -> Mapping[str, object]:
    """What it was sent, in whichever protocol; messages aside."""
    if not isinstance(request, OwnProtocolRequest):
        return request.body
    if request.path(recipient) == request.own_path:
        return request.client_body
    return fitted({**request.body, "messages": _ANY_MESSAGES}, recipient)


def _sent(request: ChatRequest, recipient: PoolEntry, backend: Backend) -> Mapping[str, object]:
    if isinstance(request, MessagesRequest) and request.path(recipient) == request.own_path:
        return {
            **request.client_body,
            **({} if names_claude(request.model) else fitted_to(backend.model_name, request.client_body)),
        }
    try:
        return messages_request({**_chat(request, recipient), "model": backend.model_name, "messages": _ANY_MESSAGES})
    except UntranslatableError:  # by a key that was taken out before: it was asked all the same
        return request.body
