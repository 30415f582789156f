"""What is kept, and where: the journal, and the state that requests and replicas share."""

from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr, field_validator, model_validator

from gateway.journal.prompts import PromptKeeping
from gateway.redis_keys import NAMESPACE, check_namespace

from .section import Count, Positive, Section
from .state_url import check_cluster_url, check_journal_url, check_state_url, shown_url

__all__ = ["JournalSettings", "StateSettings"]

_SQLITE = "sqlite:///"  # behind which a path stands


class JournalSettings(Section):
    """Where decisions and outcomes are kept, and how much of prompts."""

    # sqlite:///PATH, in the state directory where left out; or the stream in Redis that replicas share, from which
    # `paretogate journal collect` fills a file: redis://HOST, rediss://HOST or unix://PATH, as `state.url`
    url: SecretStr | None = None
    cluster: bool = False  # the address is that of any node of a Redis Cluster
    prompts: PromptKeeping = "off"
    keep_days: Positive | None = None  # for ever where left out
    spool_max_mb: Count = 512
    stream_max_records: Count = 1_000_000  # that wait in Redis to be collected; beyond them records wait in the spool
    when_full: Literal["count", "refuse"] = "count"  # count losses and answer, or refuse the request

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_journal_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _is_a_clusters_address(self) -> Self:
        if self.cluster:
            check_cluster_url(self.stream_url or "")
        return self

    @property
    def stream_url(self) -> str | None:
        """The address of Redis where that keeps the journal, secrets and all; None where a file does."""
        url = None if self.url is None else self.url.get_secret_value()
        return None if url is None or url.startswith(_SQLITE) else url

    @property
    def file(self) -> Path | None:
        """The SQLite file that `url` names; None where it names none."""
        if self.url is None or self.stream_url is not None:
            return None
        return Path(self.url.get_secret_value().removeprefix(_SQLITE))

    @property
    def shown_stream(self) -> str | None:
        """`stream_url` without users, passwords and options, for people to read."""
        return None if self.stream_url is None else shown_url(self.stream_url)


class StateSettings(Section):
    """Where limits, breakers and sessions live, and where files of ours go."""

    url: SecretStr = SecretStr(
        "memory://"
    )  # redis://HOST, rediss://HOST or unix://PATH where replicas share it; `state_url` has the options
    cluster: bool = False  # the address is that of any node of a Redis Cluster
    namespace: str = NAMESPACE  # how every key in Redis begins, the journal's too: another for each installation
    timeout_ms: Positive = 100.0  # after which Redis counts as away, and each replica keeps its own state
    session_keep_s: Positive = 600.0  # a conversation's model is remembered for so long after its last answer
    dir: Path | None = None  # the user's state directory where left out

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: SecretStr) -> SecretStr:
        check_state_url(value.get_secret_value())
        return value

    @field_validator("namespace")
    @classmethod
    def _begins_keys(cls, value: str) -> str:
        check_namespace(value)
        return value

    @model_validator(mode="after")
    def _is_a_clusters_address(self) -> Self:
        if self.cluster:
            check_cluster_url(self.url.get_secret_value())
        return self
