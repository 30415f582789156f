"""The OpenAPI description of the hot doors, which the framework does not see."""

from typing import Any

__all__ = ["hot_paths", "with_failures"]

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
    "/v1/responses/input_tokens": ("Estimate how long a prompt is", "responses", _asks(input=_TEXT_OR_LIST)),
    "/v1/responses": ("Answer OpenAI's Responses", "responses", _asks(input=_TEXT_OR_LIST)),
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
        tag = "messages" if path == "/v1/messages" else "routing"
        decision = _operation("Decide which model should answer, and stop", tag, _DOORS[path][2])
        paths[f"/routing{path}"] = {"post": decision}
    return paths


_ANTHROPIC_ERROR = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
        "request_id": {"type": "string"},
    },
}
_FAILURES = {  # status: when; `docs/api.md` has the codes
    "400": "The request is malformed; the field is named",
    "401": "An API key is required, or this one opens nothing",
    "402": "The key's budget is spent",
    "403": "The key is not for this",
    "404": "No such model, or nothing lives here",
    "408": "The request did not arrive in time",
    "413": "The body is too large",
    "422": "No model meets the constraints; the rejections are counted",
    "429": "Too much per minute, or at once",
    "431": "The headers are too large",
    "500": "A fault of the gateway's",
    "502": "No backend could answer",
    "503": "No place for this now, or not ready",
    "504": "No backend answered in time",
}


def with_failures(paths: dict[str, Any]) -> dict[str, Any]:
    """The framework's path items, with the errors that its addresses really give in place of those it assumes."""
    for address, path in paths.items():
        if address.startswith("/health"):
            continue  # open to everybody, and what is not ready says so in facts
        for operation in path.values():
            operation["responses"].pop("422", None)
            for status, reply in _failures("400", "401", "403", "404", "408", "413", "431", "500", "503").items():
                operation["responses"].setdefault(status, reply)
    return paths


def _failures(*statuses: str, schema: dict[str, Any] = _ERROR) -> dict[str, Any]:
    return {
        status: {"description": _FAILURES[status], "content": {"application/json": {"schema": schema}}}
        for status in statuses
    }


def _operation(summary: str, tag: str, request: dict[str, Any]) -> dict[str, Any]:
    shape = _ANTHROPIC_ERROR if tag == "messages" else _ERROR
    return {
        "summary": summary,
        "tags": [tag],
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {
                "description": "The answer; a stream of Server-Sent Events where `stream` is true",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            **_failures(*_FAILURES, schema=shape),
        },
    }
