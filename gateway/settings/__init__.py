"""The configuration: one frozen object, read once at the start from a file, then the environment, then flags.

`paretogate.toml` (or .yaml), then `PARETOGATE_*` variables with `__` between levels, then flags; the later wins.
The whole is checked at once, and an unknown key is an error that names the key, where it stands, and what was
probably meant. Keys of providers are never in here, only the names of the variables that hold them.
"""

from .backends import (
    BackendSettings,
    CanarySettings,
    DiscoverySettings,
    EmbeddedSettings,
    LimitSettings,
    PriceSettings,
    ScrapingSettings,
)
from .deciding import CatalogSettings, LearningSettings, PolicySettings, PredictorSettings, ToolSettings
from .door import AuthSettings, PrivacySettings, ResponseSettings, ServerSettings, TelemetrySettings
from .keeping import JournalSettings, StateSettings
from .loading import load_settings, settings_file
from .section import InvalidSettingsError
from .whole import Settings

__all__ = [
    "AuthSettings",
    "BackendSettings",
    "CanarySettings",
    "CatalogSettings",
    "DiscoverySettings",
    "EmbeddedSettings",
    "InvalidSettingsError",
    "JournalSettings",
    "LearningSettings",
    "LimitSettings",
    "PolicySettings",
    "PredictorSettings",
    "PriceSettings",
    "PrivacySettings",
    "ResponseSettings",
    "ScrapingSettings",
    "ServerSettings",
    "Settings",
    "StateSettings",
    "TelemetrySettings",
    "ToolSettings",
    "load_settings",
    "settings_file",
]
