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

_REQUEST = {
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
    return {
        "/v1/chat/completions": {"post": _operation("Answer a chat, by the model that suits it best", "chat")},
        "/routing/v1/chat/completions": {"post": _operation("Decide which model should answer, and stop", "routing")},
    }


def _operation(summary: str, tag: str) -> dict[str, Any]:
    failures = ("400", "404", "413", "422", "429", "500", "502", "503", "504")
    return {
        "summary": summary,
        "tags": [tag],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}},
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
