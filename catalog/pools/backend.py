"""Where a model is served: the endpoint, its price, its place and what was measured there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from catalog.errors import InvalidProfileError
from catalog.profiles.price import Price
from catalog.untrusted.printable import MOST_ID_CHARS, is_showable

from .openai_models import takes_sampling

__all__ = [
    "ANTHROPIC_MESSAGES",
    "CONTINUED_PROMPTS",
    "ECHOED_PROMPTS",
    "FILLED_PROMPTS",
    "OPENAI_RESPONSES",
    "PROTOCOLS",
    "Backend",
    "BackendKind",
    "DeploymentTier",
    "Limits",
    "Measured",
    "PrivacyTier",
]

# What a request needs that only one provider's own protocol has words for.
ANTHROPIC_MESSAGES = "anthropic_messages"
OPENAI_RESPONSES = "openai_responses"
CONTINUED_PROMPTS = "continued_prompts"  # OpenAI's legacy completions, in which a model goes on with a text
FILLED_PROMPTS = "filled_prompts"  # its `suffix`, which llama.cpp passes over
ECHOED_PROMPTS = "echoed_prompts"  # its `echo` and `best_of`, which llama.cpp and Ollama pass over
PROTOCOLS = frozenset({ANTHROPIC_MESSAGES, CONTINUED_PROMPTS, ECHOED_PROMPTS, FILLED_PROMPTS, OPENAI_RESPONSES})

BackendKind = Literal["openai", "anthropic", "vllm", "llama_cpp", "ollama", "litellm", "embedded", "fake"]
PrivacyTier = Literal["any", "no_training", "no_retention", "local"]  # from the weakest promise to the strongest
DeploymentTier = Literal["device", "edge", "cloud"]


_SPEAKS_MESSAGES, _SPEAKS_RESPONSES = frozenset({ANTHROPIC_MESSAGES}), frozenset({OPENAI_RESPONSES})
_NONE, _TELLS_LOGPROBS = frozenset[str](), frozenset({"logprobs"})
_SERVES_OPENAI = frozenset({"azure", "openai"})  # OpenAI's models with all their parameters
# Servers of open models hold any model to a schema, by its grammar, and most tell how likely its words were, whatever
# is known of the model elsewhere. Source: the manuals of vLLM, llama.cpp and Ollama.
_CONSTRAINS = frozenset({CONTINUED_PROMPTS, "json_schema", "logprobs"})
_OF_SERVERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(("llama_cpp", "embedded"), _CONSTRAINS),
        "vllm": _CONSTRAINS | {FILLED_PROMPTS, ECHOED_PROMPTS},
        "ollama": (_CONSTRAINS - {"logprobs"}) | {FILLED_PROMPTS},
        "fake": frozenset({CONTINUED_PROMPTS, FILLED_PROMPTS, ECHOED_PROMPTS}),
    }
)
_BY_RESPONSES = "openai/responses/"  # before a model's name: chats are translated by litellm, and OpenAI answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What our own journal saw of a backend; None where it saw too little."""

    n_calls: int = 0
    output_tokens_mean: float | None = None  # in answer to the average prompt, as the next
    output_tokens_sd: float | None = None
    input_token_ratio: float | None = None  # of a long prompt: the provider's count / our estimate
    input_tokens_added: float | None = None  # to every prompt, however short: a chat template, a preamble for tools
    ttft_s: float | None = None
    ttft_sd_s: float | None = None
    seconds_per_output_token: float | None = None
    error_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a backend may be asked for."""

    max_concurrency: int | None = None
    requests_per_minute: int | None = None  # of each process that asks it
    timeout_s: float = 600.0
    first_token_timeout_s: float = 60.0
    stall_timeout_s: float = 60.0
    max_waiting: int | None = None  # requests in the server's own queue, where it tells
    max_cache_use: float | None = None  # share of the server's key-value cache, 0..1, where it tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One endpoint that serves one profile. The API key stays in the environment: only its variable's name is here."""

    id: str
    profile_id: str
    kind: BackendKind
    provider: str
    model_name: str  # the name this endpoint knows the model by
    base_url: str | None = None
    api_key_env: str | None = None
    region: str | None = None
    privacy: PrivacyTier = "any"
    tier: DeploymentTier = "cloud"
    quantization: str | None = None
    price: Price | None = None
    context_tokens: int | None = None  # where it serves less than the model could
    limits: Limits = field(default_factory=Limits)
    measured: Measured = field(default_factory=Measured)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extra_parameters: frozenset[str] = frozenset()  # of requests, beside those that any provider is told

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do that no fact about its model says."""
        if self.kind == "anthropic":
            return _SPEAKS_MESSAGES
        if self.kind in _OF_SERVERS:
            return _OF_SERVERS[self.kind]
        is_openai = self.kind == "openai" and self.provider == "openai"
        if is_openai or (self.kind == "litellm" and self.model_name.startswith(_BY_RESPONSES)):
            return _SPEAKS_RESPONSES | _TELLS_LOGPROBS if self._tells_logprobs else _SPEAKS_RESPONSES
        return _TELLS_LOGPROBS if self._tells_logprobs else _NONE

    @property
    def _tells_logprobs(self) -> bool:
        """By its provider's API reference; no source of the catalog knows it of models."""
        if self.provider in _SERVES_OPENAI:
            maker, _, name = self.profile_id.partition("/")
            return maker == "openai" and takes_sampling(name)
        return self.provider == "deepseek" and self.model_name.rpartition("/")[2] == "deepseek-chat"

    @property
    def shown_url(self) -> str | None:
        """`base_url` as it may be told: without a user, a password and a query, which may be secrets."""
        if self.base_url is None:
            return None
        begin, mark, rest = self.base_url.partition("?")[0].partition("://")
        server, slash, path = rest.partition("/")
        return f"{begin}{mark}{server.rpartition('@')[2]}{slash}{path}"

    def address(self, path: str) -> str:
        """Where to ask for a path; what `base_url` has behind a question mark (Azure: `?api-version=...`) stays."""
        base, mark, query = (self.base_url or "").partition("?")
        return f"{base.rstrip('/')}{path}{mark}{query}"

    def __post_init__(self) -> None:
        if not is_showable(self.id):
            raise InvalidProfileError(
                f"a backend's id has at most {MOST_ID_CHARS} characters to show, since answers and logs bear it:"
                f" {self.id!r:.200}"
            )
        for name, allowed in (("kind", BackendKind), ("privacy", PrivacyTier), ("tier", DeploymentTier)):
            if getattr(self, name) not in get_args(allowed):
                raise InvalidProfileError(
                    f"backend {self.id}: {name} is {getattr(self, name)!r}; choose from {', '.join(get_args(allowed))}"
                )
