"""Every hot door, by its path."""

from collections.abc import Mapping
from functools import partial

from gateway.dispatch import Dispatcher
from gateway.governance.governor import Governor
from gateway.serving import ServingFactory
from gateway.settings import Settings
from gateway.stored import ResponseHistory
from gateway.tools import ToolDesk
from gateway.wire.asgi import Receive, Scope, Send
from gateway.wire.dialect import Dialect
from gateway.wire.messages.request import read_messages

from .chat import ChatDialect
from .completions import CompletionsDialect
from .counting import CountTokensDoor
from .door import Admission, AnswerDoor, DecisionDoor
from .embeddings import Embedders, EmbeddingsDialect
from .front import Asgi
from .messages import MessagesDialect
from .pools import PoolShelf
from .responses import ResponsesDialect

__all__ = ["admitted", "hot_doors"]


def hot_doors(
    dispatcher: Dispatcher,
    settings: Settings,
    *,
    make_serving: ServingFactory,
    embedders: Embedders,
    admission: Admission,
    governor: Governor,
    desk: ToolDesk,
    history: ResponseHistory,
) -> Mapping[str, Asgi]:
    """Those that are answered by a model, those that tell who would answer, and those that count."""
    most = settings.server.max_body_bytes
    pools = PoolShelf(dispatcher, make_serving, governor=governor)
    responses = ResponsesDialect(optional_tools=settings.responses.optional_tools)
    answer = partial(AnswerDoor, dispatcher, pools=pools, admission=admission, governor=governor, max_body_bytes=most)
    decide = partial(DecisionDoor, dispatcher, pools=pools, admission=admission, governor=governor, max_body_bytes=most)
    count = partial(CountTokensDoor, dispatcher, admission=admission, governor=governor, max_body_bytes=most)
    doors: dict[str, Asgi] = {
        "/v1/messages/count_tokens": count(MessagesDialect(), read=partial(read_messages, counting=True)),
        "/v1/responses/input_tokens": count(
            responses, read=responses.read, kind="response.input_tokens", history=history
        ),
        "/v1/embeddings": answer(EmbeddingsDialect(), serving_for=embedders),
    }
    dialects: dict[str, Dialect] = {
        "/v1/chat/completions": ChatDialect(),
        "/v1/completions": CompletionsDialect(),
        "/v1/messages": MessagesDialect(),
        "/v1/responses": responses,
    }
    for path, dialect in dialects.items():
        stored = history if dialect.door == "responses" else None
        doors[path] = answer(dialect, tools=desk, history=stored)
        doors[f"/routing{path}"] = decide(dialect, tools=desk, history=stored)
    return doors


def admitted(door: Asgi, admission: Admission) -> Asgi:
    """The same door, which counts among what is inside at once: a call of a tool may start a process."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        admission.enter()
        try:
            admission.check()
            await door(scope, receive, send)
        finally:
            admission.leave()

    return counted
