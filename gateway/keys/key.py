"""An API key: what it may do, and how it is told from a guess. The key itself is never kept.

A key reads `sk-pg-<id>-<secret>`. The id finds the record; the secret has 256 random bits, so that one salted hash is
as good as a slow one and costs a microsecond (slow hashes are for what people choose). `sk-` is what loggers blank and
what clients expect of a key.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from catalog import is_meant
from gateway.errors import GatewayError
from gateway.state import Quota

__all__ = ["ApiKey", "InvalidKeyRecordError", "hash_secret", "issue", "read_record", "split_token"]

PREFIX = "sk-pg-"
_TOKEN = re.compile(r"sk-pg-([0-9a-f]{12})-([A-Za-z0-9_-]{43})")
_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})+")
_PRIVACY_MODES = ("off", "redact", "local")
_LISTS = ("allow", "deny", "tools_allow", "tools_deny")


class InvalidKeyRecordError(GatewayError, ValueError):
    """A key's record has an unknown or impossible field; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key's record. `salt` and `digest` are hexadecimal; times are seconds since the epoch."""

    key_id: str
    tenant: str
    salt: str = field(repr=False)
    digest: str = field(repr=False)
    created_s: float
    name: str = ""
    allow: tuple[str, ...] = ()  # globs over catalog ids; empty admits all
    deny: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    budget_usd_per_day: float | None = None
    budget_usd_per_month: float | None = None
    prompt_flags: bool | None = None  # obey flags in prompts; the deployment's setting where left out
    privacy: str | None = None  # off, redact or local; the deployment's setting where left out
    policy: str | None = None  # of requests that name none
    tools_allow: tuple[str, ...] = ()  # globs over names of tools; empty admits all
    tools_deny: tuple[str, ...] = ()
    tools_select: str | None = None  # auto or off; the deployment's setting where left out, here and below
    tools_top_k: int | None = None
    tools_max_tokens: int | None = None
    max_agent_risk: float | None = None  # of models that get risky tools
    admin: bool = False
    expires_s: float | None = None
    revoked_s: float | None = None

    def __post_init__(self) -> None:
        if not self.tenant or len(self.tenant) > 200 or not self.tenant.isprintable():
            raise InvalidKeyRecordError("tenant: must be a name of 1 to 200 printable characters")
        for name in ("requests_per_minute", "tokens_per_minute", "max_concurrency", "tools_top_k", "tools_max_tokens"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise InvalidKeyRecordError(f"{name}: must be at least 1; leave it out for no limit")
        for name in ("budget_usd_per_day", "budget_usd_per_month"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < 1e6:
                raise InvalidKeyRecordError(f"{name}: must be above 0 and below a million; leave it out for no limit")
        if self.tools_select not in (None, "auto", "off"):
            raise InvalidKeyRecordError(f"tools_select: must be auto or off, not {self.tools_select!r}")
        if self.max_agent_risk is not None and not 0 <= self.max_agent_risk <= 1:
            raise InvalidKeyRecordError("max_agent_risk: must be between 0 and 1; leave it out for no cap")
        if self.privacy is not None and self.privacy not in _PRIVACY_MODES:
            raise InvalidKeyRecordError(f"privacy: must be one of {', '.join(_PRIVACY_MODES)}, not {self.privacy!r}")

    @property
    def quota(self) -> Quota:
        """What may be used with it."""
        return Quota(**{f.name: getattr(self, f.name) for f in fields(Quota)})

    def opens(self, secret: str) -> bool:
        """Whether this is the secret, told in constant time."""
        return hmac.compare_digest(hash_secret(secret, salt=self.salt), self.digest)

    def problem(self, now_s: float) -> str | None:
        """Why it is no longer good; None where it is."""
        if self.revoked_s is not None:
            return "was revoked"
        return "has expired" if self.expires_s is not None and self.expires_s <= now_s else None

    def may_use(self, model_id: str) -> bool:
        """Whether a catalog model is on its list."""
        return (not self.allow or is_meant((model_id,), self.allow)) and not is_meant((model_id,), self.deny)

    def record(self) -> dict[str, Any]:
        """Plain values, with what was left at its default left out."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def public(self) -> dict[str, Any]:
        """The same without what only the gateway needs."""
        return {name: value for name, value in self.record().items() if name not in {"salt", "digest"}}


def issue(*, random_bytes: Callable[[int], bytes], now_s: float, **what: Any) -> tuple[ApiKey, str]:  # noqa: ANN401
    """A new key and its token, which nobody can tell again.

    Args:
        random_bytes: a cryptographic source, such as `secrets.token_bytes`.
        now_s: seconds since the epoch.
        what: the fields of `ApiKey`.
    """
    import base64  # noqa: PLC0415 - only where keys are made

    secret = base64.urlsafe_b64encode(random_bytes(32)).rstrip(b"=").decode()
    key_id, salt = random_bytes(6).hex(), random_bytes(16).hex()
    key = ApiKey(key_id=key_id, salt=salt, digest=hash_secret(secret, salt=salt), created_s=now_s, **what)
    return key, f"{PREFIX}{key_id}-{secret}"


def hash_secret(secret: str, *, salt: str) -> str:
    """The salted hash that is kept, hexadecimal."""
    return hashlib.sha256(bytes.fromhex(salt) + secret.encode()).hexdigest()


def split_token(token: str) -> tuple[str, str] | None:
    """A token's id and secret; None where it is none of ours."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def read_record(record: Mapping[str, Any]) -> ApiKey:
    """A record as it was kept.

    Raises:
        InvalidKeyRecordError: naming the field.
    """
    kinds = {f.name: f.type for f in fields(ApiKey)}
    for name, value in record.items():
        if name not in kinds:
            raise InvalidKeyRecordError(f"{name}: unknown field of a key")
        if not _is_of_kind(name, value, kinds[name]):
            kind = "a list of texts" if name in _LISTS else getattr(kinds[name], "__name__", kinds[name])
            raise InvalidKeyRecordError(f"{name}: must be {kind}, not {value!r:.80}")
    lists = {name: tuple(record[name]) for name in _LISTS if name in record}
    try:
        return ApiKey(**{**record, **lists})
    except TypeError as exc:
        raise InvalidKeyRecordError(f"a key's record is incomplete: {exc}") from exc


def _is_of_kind(name: str, value: object, kind: Any) -> bool:  # noqa: ANN401 - a type, or several
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name in {"salt", "digest"} and isinstance(value, str):
        return _HEXADECIMAL.fullmatch(value) is not None
    if isinstance(value, bool):
        return kind is bool or kind == bool | None
    return isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))
