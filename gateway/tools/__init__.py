"""Tools on their way through the gateway: which are sent, found, learned from, trusted, and repaired."""

from .desk import Prepared, ToolDesk
from .registries import RegistryStore, StoredRegistry, StoredTool
from .trail import ToolTrail

__all__ = ["Prepared", "RegistryStore", "StoredRegistry", "StoredTool", "ToolDesk", "ToolTrail"]
