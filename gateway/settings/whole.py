"""The whole configuration, and what holds between its sections."""

from pathlib import Path
from typing import Final, Self

import platformdirs
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .backends import BackendSettings, CanarySettings, DiscoverySettings, EmbeddedSettings, ScrapingSettings
from .deciding import CatalogSettings, LearningSettings, PolicySettings, PredictorSettings, ToolSettings
from .door import AuthSettings, PrivacySettings, ResponseSettings, ServerSettings, TelemetrySettings
from .keeping import JournalSettings, StateSettings
from .section import InvalidSettingsError

__all__ = ["PREFIX", "Settings"]

PREFIX: Final = "PARETOGATE_"


class Settings(BaseSettings):
    """Everything an operator can say. Building it by hand reads neither file nor environment; `load_settings` does."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False
    )

    server: ServerSettings = ServerSettings()
    catalog: CatalogSettings = CatalogSettings()
    backends: tuple[BackendSettings, ...] = ()
    discovery: DiscoverySettings = DiscoverySettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    scraping: ScrapingSettings = ScrapingSettings()
    canaries: CanarySettings = CanarySettings()
    predictor: PredictorSettings = PredictorSettings()
    policies: dict[str, PolicySettings] = Field(default_factory=dict)
    journal: JournalSettings = JournalSettings()
    state: StateSettings = StateSettings()
    learning: LearningSettings = LearningSettings()
    privacy: PrivacySettings = PrivacySettings()
    responses: ResponseSettings = ResponseSettings()
    auth: AuthSettings = AuthSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    tools: ToolSettings = ToolSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, and nothing else."""
        return (init_settings,)

    @model_validator(mode="after")
    def _backend_ids_differ(self) -> Self:
        ids = [backend.id for backend in self.backends]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two backends are called {twice[0]!r}; give each an id of its own")
        return self

    @model_validator(mode="after")
    def _responses_have_a_place(self) -> Self:
        if self.responses.store == "redis" and self.state.url.get_secret_value().startswith("memory://"):
            raise ValueError("responses.store: redis is that of state.url, which names none")
        if self.responses.store == "memory" and self.server.workers > 1:
            raise ValueError("responses.store: several workers share no memory; choose sqlite or redis")
        return self

    @property
    def responses_path(self) -> Path:
        """The file of stored Responses, where they are kept in one."""
        return self.state_dir / "responses.sqlite3"

    @property
    def state_dir(self) -> Path:
        """Where the journal and what was learned from it live.

        Raises:
            InvalidSettingsError: nobody said, and whoever runs this has no home.
        """
        if self.state.dir is not None:
            return self.state.dir
        try:
            return Path(platformdirs.user_state_dir("paretogate"))
        except RuntimeError as exc:
            raise InvalidSettingsError(
                "state.dir: it usually is in the home directory, and there is none; name one (PARETOGATE_STATE__DIR)"
            ) from exc

    @property
    def journal_path(self) -> Path:
        """The journal's SQLite file, or the one that is filled from the stream; the spool is beside it."""
        return self.journal.file or self.state_dir / "journal.sqlite3"

    @property
    def keys_path(self) -> Path:
        """The file of API keys."""
        return self.auth.keys or self.state_dir / "keys.json"

    @property
    def spent_path(self) -> Path:
        """What each key has spent, where no Redis keeps it."""
        return self.state_dir / "spent.json"

    @property
    def limits_dir(self) -> Path:
        """What each key takes of its limits, where several workers count and no Redis does."""
        return self.state_dir / "limits"

    @property
    def tools_dir(self) -> Path:
        """Registries of tools, and what was learned about them."""
        return self.state_dir / "tools"

    @property
    def predictors_dir(self) -> Path:
        """The predictors that were promoted."""
        return self.state_dir / "predictors"

    @property
    def measured_path(self) -> Path:
        """What refinement learned about the backends."""
        return self.state_dir / "measured.json"
