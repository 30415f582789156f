"""Made-up tools for the tests of this room: one about each of forty plain subjects, told apart by their words."""

from typing import Any

__all__ = ["SUBJECTS", "function", "functions", "history"]

SUBJECTS = (
    "weather", "currency", "calendar", "email", "translation", "restaurant", "flight", "hotel", "train", "taxi",
    "stock", "invoice", "recipe", "movie", "music", "podcast", "photo", "video", "map", "parking",
    "library", "museum", "theatre", "football", "tennis", "gym", "doctor", "pharmacy", "dentist", "insurance",
    "mortgage", "tax", "passport", "visa", "school", "exam", "garden", "battery", "printer", "router",
)  # fmt: skip


def function(name: str, description: str = "", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema, **more}}


def functions(n: int = 40) -> list[dict[str, Any]]:
    return [function(f"{subject}_tool", f"Answers questions about a {subject}.") for subject in SUBJECTS[:n]]


def history(*turns: str) -> list[dict[str, Any]]:
    """User and assistant by turns."""
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(turns)]
