"""What is kept, and where: the journal, and the state that requests and replicas share."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from gateway.journal.prompts import PromptKeeping

from .section import Count, Positive, Section
from .state_url import check_state_url

__all__ = ["JournalSettings", "StateSettings"]


class JournalSettings(Section):
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


class StateSettings(Section):
    """Where limits, breakers and sessions live, and where files of ours go."""

    url: SecretStr = SecretStr(
        "memory://"
    )  # redis://HOST, rediss://HOST or unix://PATH where replicas share it; `state_url` has the options
    cluster: bool = False  # the address is that of any node of a Redis Cluster
    timeout_ms: Positive = 100.0  # after which Redis counts as away, and each replica keeps its own state
    session_keep_s: Positive = 600.0  # a conversation's model is remembered for so long after its last answer
    dir: Path | None = None  # the user's state directory where left out

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: SecretStr) -> SecretStr:
        check_state_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _is_a_clusters_address(self) -> Self:
        url = urlsplit(self.url.get_secret_value())
        if self.cluster and (url.scheme not in {"redis", "rediss"} or url.path not in {"", "/", "/0"}):
            raise ValueError(
                "of a cluster, url names any node: redis://HOST:PORT or rediss://HOST:PORT, and no database"
            )
        return self
