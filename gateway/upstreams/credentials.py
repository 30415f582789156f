"""How a key is shown to a backend."""

from catalog import BackendKind

__all__ = ["ANTHROPIC_VERSION", "credentials"]

ANTHROPIC_VERSION = "2023-06-01"
"""Of Anthropic's API, where nobody says another."""


def credentials(kind: BackendKind, key: str) -> dict[str, str]:
    """The headers that show it, with names in lower case."""
    return {"x-api-key": key} if kind == "anthropic" else {"authorization": f"Bearer {key}"}
