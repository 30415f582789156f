"""The configuration: one frozen object, read once at the start from a file, then the environment, then flags.

`paretogate.toml` (or .yaml), then `PARETOGATE_*` variables with `__` between levels, then flags; the later wins.
The whole is checked at once, and an unknown key is an error that names the key, where it stands, and what was
probably meant. Keys of providers are never in here, only the names of the variables that hold them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from catalog import Backend, BackendKind, DeploymentTier, Limits, Price, PrivacyTier

from .errors import GatewayError
from .journal.prompts import PromptKeeping

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
    "load_settings",
]

DEFAULT_FILES = ("paretogate.toml", "paretogate.yaml", "paretogate.yml")

_PREFIX = "PARETOGATE_"
_NOT_SETTINGS = frozenset({"PARETOGATE_CONFIG", "PARETOGATE_DATA"})  # where the file and the public datasets are

PrivacyMode = Literal["off", "redact", "local"]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class InvalidSettingsError(GatewayError, ValueError):
    """A configuration key or value is wrong; the message names it, where it stands and what is allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(_Section):
    """The door: where it is, and how much may come through."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8321  # 0: any free port
    workers: Count = 1
    max_body_bytes: Count = 10 << 20
    max_concurrency: Count = 1024
    request_timeout_s: Positive = 600.0


class CatalogSettings(_Section):
    """What is known of models, beyond what ships."""

    overlays: tuple[Path, ...] = ()  # TOML or YAML files of profiles


class PriceSettings(_Section):
    """What a backend charges, US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached_input: Annotated[float, Field(ge=0)] | None = None
    cache_write: Annotated[float, Field(ge=0)] | None = None
    long_context_above_tokens: Count | None = None
    long_context: "PriceSettings | None" = None

    @model_validator(mode="after")
    def _long_context_is_whole(self) -> Self:
        if (self.long_context is None) != (self.long_context_above_tokens is None):
            raise ValueError("long_context and long_context_above_tokens must be given together")
        return self

    def price(self) -> Price:
        """The same as the catalog has it."""

        def rate(value: float | None) -> Decimal | None:
            return None if value is None else Decimal(str(value))

        return Price(
            input_usd_per_mtok=Decimal(str(self.input)),
            output_usd_per_mtok=Decimal(str(self.output)),
            cached_input_usd_per_mtok=rate(self.cached_input),
            cache_write_usd_per_mtok=rate(self.cache_write),
            long_context=self.long_context.price() if self.long_context else None,
            long_context_above_tokens=self.long_context_above_tokens,
        )


class LimitSettings(_Section):
    """How much a backend may be asked for."""

    max_concurrency: Count | None = None
    requests_per_minute: Count | None = None
    timeout_s: Positive = 600.0
    first_token_timeout_s: Positive = 60.0
    stall_timeout_s: Positive = 60.0
    max_waiting: Annotated[int, Field(ge=0)] | None = None  # of vLLM and llama.cpp: requests that queue there
    max_cache_use: Share | None = None  # likewise: how full their key-value cache may be

    def limits(self) -> Limits:
        """The same as the catalog has it."""
        return Limits(**self.model_dump())


class BackendSettings(_Section):
    """One endpoint that serves one model: `[[backends]]`."""

    id: Annotated[str, Field(min_length=1)]
    profile: Annotated[str, Field(min_length=1)]  # a catalog id, an alias or an unambiguous bare name
    kind: BackendKind
    model: str | None = None  # the name this endpoint knows the model by; the profile's bare name where left out
    provider: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    region: str | None = None
    privacy: PrivacyTier = "any"
    tier: DeploymentTier = "cloud"
    quantization: str | None = None
    price: PriceSettings | None = None
    context_tokens: Count | None = None
    limits: LimitSettings = LimitSettings()
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an endpoint starts with http:// or https://")
        return value

    @model_validator(mode="after")
    def _has_an_endpoint(self) -> Self:
        if self.base_url is None and self.kind in {"openai", "vllm", "llama_cpp", "ollama"}:
            raise ValueError(f"a backend of kind {self.kind} needs base_url")
        return self

    def backend(self, profile_id: str) -> Backend:
        """The same as the catalog has it, once the profile is known."""
        return Backend(
            id=self.id,
            profile_id=profile_id,
            kind=self.kind,
            provider=self.provider or profile_id.partition("/")[0],
            model_name=self.model or profile_id.partition("/")[2],
            base_url=self.base_url.rstrip("/") if self.base_url else None,
            api_key_env=self.api_key_env,
            region=self.region,
            privacy=self.privacy,
            tier=self.tier,
            quantization=self.quantization,
            price=self.price.price() if self.price else None,
            context_tokens=self.context_tokens,
            limits=self.limits.limits(),
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
        )


class EmbeddedSettings(_Section):
    """The language model that runs here, without a key."""

    enabled: Literal["auto", "on", "off"] = "auto"  # auto: where it is installed
    gguf: Path | None = None  # another model file; the profile then says which model it is
    profile: str = "SmolLM2-135M-Instruct"
    threads: Count = 1  # more wait for each other at every layer: on a busy machine that is a hundred times slower
    context_tokens: Count = 4096  # of each request
    slots: Count = 2  # requests at a time


class DiscoverySettings(_Section):
    """Which backends may join by themselves."""

    environment_keys: bool = True  # OPENAI_API_KEY, ANTHROPIC_API_KEY, ...
    loopback: bool = True  # Ollama, vLLM, LM Studio and llama.cpp on this machine
    loopback_urls: tuple[str, ...] | None = None  # instead of their usual ports


class ScrapingSettings(_Section):
    """How often vLLM and llama.cpp servers are asked how busy they are."""

    every_s: Annotated[float, Field(ge=0)] = 1.0  # 0: never
    timeout_s: Positive = 0.5
    stale_after_s: Positive = 10.0  # after which a reading is forgotten


class CanarySettings(_Section):
    """Whether each backend is still the model it claims to be, asked on a schedule."""

    files: tuple[Path, ...] = ()  # what `paretogate probe --what canary` wrote, or folders of it
    every_s: Positive | None = None  # never where left out
    calls_per_day: Count = 1_000  # of all backends and workers together
    significance: Annotated[float, Field(gt=0, lt=1)] = 1e-4  # of false alarms, per check of one backend
    on_mismatch: Literal["warn", "rest"] = "warn"  # rest: ask it for nothing until its answers fit again


class PredictorSettings(_Section):
    """Which predictor decides."""

    path: Path | None = None  # a folder written by `paretogate train`; the shipped one where left out
    encoder_key: SecretStr | None = None  # of the endpoint that its encoder is behind, if it was trained with one


class PolicySettings(_Section):
    """One named policy: soft goals, or a tradeoff on top of a preset."""

    base: str = "balanced"
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    cost_quality_tradeoff: Annotated[float, Field(ge=0, le=10)] | None = None
    require: dict[str, Any] = Field(default_factory=dict)


class JournalSettings(_Section):
    """Where decisions and outcomes are kept, and how much of prompts."""

    url: str | None = None  # sqlite:///path; in the state directory where left out
    prompts: PromptKeeping = "off"
    keep_days: Positive | None = None  # for ever where left out
    spool_max_mb: Count = 512
    when_full: Literal["count", "refuse"] = "count"  # count losses and answer, or refuse the request

    @field_validator("url")
    @classmethod
    def _is_sqlite(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("sqlite:///"):
            raise ValueError("a journal is kept in sqlite:///PATH")
        return value


class StateSettings(_Section):
    """Where limits, breakers and sessions live, and where files of ours go."""

    url: SecretStr = SecretStr("memory://")  # redis://HOST, rediss://HOST or unix://PATH where replicas share it
    cluster: bool = False  # the address is that of any node of a Redis Cluster
    timeout_ms: Positive = 100.0  # after which Redis counts as away, and each replica keeps its own state
    session_keep_s: Positive = 600.0  # a conversation's model is remembered for so long after its last answer
    dir: Path | None = None  # the user's state directory where left out

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("memory://", "redis://", "rediss://", "unix://")):
            raise ValueError("state is kept in memory://, or in Redis: redis://HOST:PORT/DB, rediss:// or unix://PATH")
        return value

    @model_validator(mode="after")
    def _is_a_clusters_address(self) -> Self:
        url = urlsplit(self.url.get_secret_value())
        if self.cluster and (url.scheme not in {"redis", "rediss"} or url.path not in {"", "/", "/0"}):
            raise ValueError(
                "of a cluster, url names any node: redis://HOST:PORT or rediss://HOST:PORT, and no database"
            )
        return self


class ResponseSettings(_Section):
    """Whether Responses are stored for a while, as OpenAI's clients expect, and where."""

    store: Literal["auto", "off", "memory", "sqlite", "redis"] = (
        "auto"  # redis where `state` is, else the memory of a single worker; of several workers: off
    )
    keep_s: Positive = 3_600.0
    max_per_tenant: Count = 1_000
    max_mb: Count = 64  # of all tenants together, in memory or in SQLite
    max_kb_each: Count = 1_024  # longer conversations are not stored


class AuthSettings(_Section):
    """Who may come in."""

    required: bool | None = None  # an API key; where left out: once there are keys and others can reach the address
    allow_open: bool = False  # let everybody in who can reach an address beyond loopback, without a key
    keys: Path | None = None  # the key file; in the state directory where left out


class LearningSettings(_Section):
    """How the gateway learns from its own traffic."""

    explore: Share = 0.02
    refine_every_s: Annotated[float, Field(ge=0)] = (
        30.0  # how often `serve` refines its own journal; 0 leaves it to you
    )
    watch_s: Positive = 2.0  # how often a running gateway looks for newly measured facts
    latency_half_life_s: Positive = 3600.0  # speed and errors change by the hour
    length_half_life_s: Positive = 7 * 86_400.0  # how long answers get does not


class PrivacySettings(_Section):
    """What prompts may do and where they may go."""

    prompt_flags: bool = False  # obey `[Flag: ...]` in prompts, which can come from strangers
    mode: PrivacyMode = "off"  # of personal data: pass it, redact and restore it, or keep its prompts on local backends
    phone_region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None  # of phone numbers without a country code


class ToolSettings(_Section):
    """Which tools of a request are sent, and to whom."""

    select: Literal["auto", "off"] = "auto"  # auto: offers of more than `above` tools are cut to those that are needed
    above: Annotated[int, Field(ge=0)] = 20
    top_k: Count = 10  # that a turn adds by ranking, beside those that must stay
    min_score: Annotated[float, Field(ge=0)] = 0.0  # what ranks below is not sent
    max_tokens: Count | None = None  # of all declarations together
    always: tuple[str, ...] = ()  # tools that are never dropped
    set: str | None = None  # a registry, NAME or NAME@VERSION, whose usage helps to rank
    encoder: Literal["static", "auto"] = (
        "static"  # auto: MiniLM as well, where it is installed; slower and a little better
    )
    deadline_ms: Positive = 1_000.0  # after which all tools are sent, and the index is made for the next request
    search_limit: Count = 5  # deferred tools that a turn loads
    native_search: tuple[str, ...] = ()  # named so by callers, these search deferred tools themselves
    learn: bool = True  # from calls whose results come back; see `paretogate refine`
    half_life_s: Positive = 30 * 86_400.0  # of what was learned
    repair: Literal["off", "repair", "escalate"] = (
        "off"  # of calls that break their schema: ask again, or ask a stronger model
    )
    risk: dict[str, Literal["reads", "writes", "unknown", "destroys"]] = Field(default_factory=dict)  # by tool name
    risky_from: Literal["writes", "unknown", "destroys"] = (
        "destroys"  # tools of this class or above need a trusted model
    )
    max_agent_risk: Share | None = None  # of models that get risky tools; None trusts every model


class TelemetrySettings(_Section):
    """What is said about the running gateway."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["console", "json"] = "console"
    metrics: bool = True
    otlp: Literal["auto", "on", "off"] = "auto"  # traces and GenAI metrics; auto: where an endpoint is named
    otlp_endpoint: str | None = None  # http://HOST:4318; else what the usual OTEL_* variables say


class Settings(BaseSettings):
    """Everything an operator can say. Building it by hand reads neither file nor environment; `load_settings` does."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=_PREFIX, env_nested_delimiter="__", case_sensitive=False
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
        """Where the journal and what was learned from it live."""
        return self.state.dir or Path(platformdirs.user_state_dir("paretogate"))

    @property
    def journal_path(self) -> Path:
        """The journal's SQLite file."""
        if self.journal.url is not None:
            return Path(self.journal.url.removeprefix("sqlite:///"))
        return self.state_dir / "journal.sqlite3"

    @property
    def keys_path(self) -> Path:
        """The file of API keys."""
        return self.auth.keys or self.state_dir / "keys.json"

    @property
    def tools_dir(self) -> Path:
        """Registries of tools, and what was learned about them."""
        return self.state_dir / "tools"

    @property
    def measured_path(self) -> Path:
        """What refinement learned about the backends."""
        return self.state_dir / "measured.json"


def load_settings(
    *,
    config: Path | None = None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read the configuration.

    Args:
        config: the file; else the one that PARETOGATE_CONFIG names; else `paretogate.toml` or `.yaml` in `folder`.
        environ: usually `os.environ`.
        flags: what the command line said, nested like the file; None values are ignored.
        folder: usually the working directory; None looks for no file.

    Raises:
        InvalidSettingsError: a file cannot be read, a key is unknown or a value is impossible.
    """
    file = config or (Path(environ["PARETOGATE_CONFIG"]) if environ.get("PARETOGATE_CONFIG") else _find(folder))
    sources = [("flag", _without_none(flags or {})), ("environment", _from_environment(environ))]
    if file is not None:
        sources.append((str(file), _from_file(file)))
    merged: dict[str, Any] = {}
    for _, values in reversed(sources):
        merged = _merge(merged, values)
    try:
        return Settings(**merged)
    except ValidationError as exc:
        raise InvalidSettingsError(_explain(exc, sources)) from exc


def _find(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    return next((folder / name for name in DEFAULT_FILES if (folder / name).is_file()), None)


def _from_file(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only where there is a file

    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as exc:
        raise InvalidSettingsError(f"cannot read {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as exc:
        kind = "TOML" if path.suffix == ".toml" else "YAML"
        raise InvalidSettingsError(f"{path} is not valid {kind}: {' '.join(str(exc).split())}") from exc
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidSettingsError(f"{path}: the file must hold sections, not a {type(values).__name__}")
    return _relative_to(path.parent, values)


def _relative_to(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Paths in a file are relative to the file, wherever the command was run."""
    for section, key in (
        ("predictor", "path"),
        ("state", "dir"),
        ("embedded", "gguf"),
        ("catalog", "overlays"),
        ("canaries", "files"),
        ("auth", "keys"),
    ):
        table = values.get(section)
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(folder / table[key])
        elif isinstance(table, dict) and isinstance(table.get(key), list):
            table[key] = [str(folder / str(item)) for item in table[key]]
    return values


class _GivenEnvironment(EnvSettingsSource):
    """The library's reader of nested variables, over an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    for name in environ:
        top = name.upper().removeprefix(_PREFIX).partition("__")[0].lower()
        if name.upper().startswith(_PREFIX) and name.upper() not in _NOT_SETTINGS and top not in Settings.model_fields:
            raise InvalidSettingsError(f"environment: {name} is no setting{_meant(top, Settings.model_fields)}")
    try:
        return _GivenEnvironment(environ)()
    except ValueError as exc:
        raise InvalidSettingsError(f"environment: {exc}; a list or a table is written as JSON") from exc


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _without_none(v) if isinstance(v, Mapping) else v for key, v in values.items() if v is not None}
    return {key: value for key, value in kept.items() if value != {}}


def _explain(exc: ValidationError, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    lines = []
    for error in exc.errors(include_input=False, include_url=False):
        location = error["loc"]
        where = next((name for name, values in sources if _holds(values, location)), sources[-1][0])
        key = ".".join(str(part) for part in location)
        if error["type"] == "extra_forbidden":
            known = _known_keys(location[:-1])
            lines.append(f"{where}: {key}: unknown key{_meant(str(location[-1]), known)}")
        else:
            problem = error["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
    return "; ".join(lines)


def _holds(values: object, location: tuple[int | str, ...]) -> bool:
    for part in location:
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        elif isinstance(part, int) and isinstance(values, list | tuple) and part < len(values):
            values = values[part]  # a list of sections: part is the position
        else:
            return False
    return True


def _known_keys(location: tuple[int | str, ...]) -> Sequence[str]:
    """The keys that a section has; the section may lie inside a list or a table of sections."""
    model: type[BaseModel] = Settings
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = _section_of(model.model_fields[part].annotation) or model
    return tuple(model.model_fields)


def _section_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((section for part in get_args(annotation) if (section := _section_of(part)) is not None), None)


def _meant(key: str, known: Sequence[str] | Mapping[str, object]) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
