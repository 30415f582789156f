"""The OpenAPI description of the hot doors, which the framework does not see."""

from typing import Any

__all__ = ["hot_paths"]

_ROUTING = {
    "type": "object",
    "description": "How to choose the model; see the project's documentation. An unknown key is an error.",
    "properties": {
        "policy": {"type": "string"},
        "cost_quality_tradeoff": {"type": "number", "minimum": 0, "maximum": 10},
        "weights": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
        "require": {"type": "object"},
        "models": {"type": "object"},
        "on_infeasible": {"enum": ["fail", "closest", "cheapest"]},
        "allow_fallbacks": {"type": "boolean"},
        "explore": {"type": "boolean"},
        "explain": {"type": "boolean"},
        "route_only": {"type": "boolean"},
        "session_id": {"type": "string"},
    },
}

_REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {"type": "string", "default": "auto", "minLength": 1, "maxLength": 256},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["role"], "properties": {"role": {"type": "string"}}},
        },
        "stream": {"type": "boolean", "nullable": True},
        "routing": _ROUTING,
    },
}

_TURNS = _REQUEST["properties"]["messages"]


def _asks(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON schemas
    """A request whose required fields are these, beside those that every door takes."""
    shared = {name: _REQUEST["properties"][name] for name in ("model", "stream", "routing")}
    return {"type": "object", "required": list(fields), "properties": {**shared, **fields}}


_TEXT_OR_LIST = {"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}]}
_DOORS = {  # path: what it does, its tag, what it takes
    "/v1/chat/completions": ("Answer a chat, by the model that suits it best", "chat", _REQUEST),
    "/v1/messages": (
        "Answer Anthropic's Messages",
        "messages",
        _asks(messages=_TURNS, max_tokens={"type": "integer", "minimum": 1}),
    ),
    "/v1/messages/count_tokens": ("Estimate how long a prompt is", "messages", _asks(messages=_TURNS)),
    "/v1/responses": ("Answer OpenAI's Responses, storing nothing", "responses", _asks(input=_TEXT_OR_LIST)),
    "/v1/completions": ("Continue a prompt", "completions", _asks(prompt=_TEXT_OR_LIST)),
    "/v1/embeddings": ("Turn texts into vectors", "embeddings", _asks(input=_TEXT_OR_LIST)),
}
_DECIDABLE = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions")

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": "string", "nullable": True},
                "code": {"type": "string"},
            },
        }
    },
}


def hot_paths() -> dict[str, Any]:
    """Path items to merge into the document."""
    paths = {path: {"post": _operation(*facts)} for path, facts in _DOORS.items()}
    for path in _DECIDABLE:
        decision = _operation("Decide which model should answer, and stop", "routing", _DOORS[path][2])
        paths[f"/routing{path}"] = {"post": decision}
    return paths


def _operation(summary: str, tag: str, request: dict[str, Any]) -> dict[str, Any]:
    failures = ("400", "404", "413", "422", "429", "500", "502", "503", "504")
    return {
        "summary": summary,
        "tags": [tag],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {
                "description": "The answer; a stream of Server-Sent Events where `stream` is true",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            **{
                status: {"description": "An error", "content": {"application/json": {"schema": _ERROR}}}
                for status in failures
            },
        },
    }
