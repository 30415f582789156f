"""What a gateway consists of; and what it serves: a catalog and a predictor, bound to whatever backends there are."""

import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import structlog

from catalog import Backend, Catalog
from predictors import BadArtefactError, EncoderAwayError, Forecaster
from predictors.versions import PredictorVersions
from router import PRESETS, Router

from .dispatch import Clocks
from .journal import Journal
from .pauses import Patience
from .policies import configured_policies
from .serving import Serving, ServingFactory
from .settings import Settings
from .tracing import Tracing
from .upstreams.protocol import Upstream
from .upstreams.proxies import Proxy

__all__ = ["Binder", "Parts"]

log = structlog.get_logger(__name__)

_SYSTEM_CLOCKS = Clocks(wall=time.time, monotonic=time.perf_counter)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a gateway consists of."""

    settings: Settings
    backends: tuple[Backend, ...]
    make_serving: ServingFactory
    journal: Journal
    api_keys: MutableMapping[str, str] = field(default_factory=dict)  # by backend id; adapters that join have theirs
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # holds what stored MCP servers name
    clocks: Clocks = _SYSTEM_CLOCKS
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    upstreams: Mapping[str, Upstream] | None = None  # by kind; the real ones where left out
    proxy: Proxy | None = None  # the way to them
    tracing: Tracing | None = None
    metrics_dir: Path | None = None  # where several workers count together
    catalog: Catalog | None = None  # what the dashboard shows; the served models where left out
    own_process: bool = False  # nothing else runs in it: garbage collection, threads and BLAS are minded for it
    promoted: "Binder | None" = None  # that of `make_serving`, where other predictors may be put in force


class Binder:
    """Binds one catalog and the predictor in force to whatever backends there are (a `ServingFactory`).

    The operator's `predictor.path` decides where it is set; else the version promoted last, else what ships.

    Raises:
        EncoderAwayError: the encoder of the operator's own does not answer for the moment, or of any where `waits` is
            not said.
        BadArtefactError: the predictor is missing, damaged, or of another version.
    """

    def __init__(self, settings: Settings, catalog: Catalog, *, waits: bool = False) -> None:
        """Where it `waits`, what ships decides until the encoder of the version promoted last answers."""
        self._settings, self._catalog = settings, catalog
        self._versions = PredictorVersions(settings.predictors_dir)
        self._policies = configured_policies(settings.policies)
        self._seen: int | None = None
        self._patience = Patience(clock=time.monotonic)
        try:
            self.renew()
        except EncoderAwayError as exc:
            if not waits or settings.predictor.path is not None:
                raise
            log.warning("predictor_waits", reason=str(exc), decides="the predictor that ships")
            self._forecaster = Forecaster.load()

    @property
    def is_waiting(self) -> bool:
        """Whether the version in force waits for its encoder, and what was there before decides."""
        return self._patience.is_tried

    def is_behind(self) -> bool:
        """Whether another version was put in force since, or one whose encoder was away is to be tried again.

        Never where the operator's own predictor decides.
        """
        if self._settings.predictor.path is not None:
            return False
        is_due = self._patience.is_tried and not self._patience.is_waiting
        return is_due or self._versions.changed_ns() != self._seen

    def renew(self) -> None:
        """Take up the version in force; until it is, what decided goes on deciding.

        Raises:
            EncoderAwayError: its encoder does not answer for the moment; `is_behind` says when to try again.
            BadArtefactError, EncoderUnavailableError: it is refused, and not tried again.
        """
        changed_ns = self._versions.changed_ns()
        if changed_ns != self._seen:
            self._patience.begin_anew()
        self._seen = changed_ns
        try:
            self._forecaster = self._load()
        except EncoderAwayError:
            self._patience.failed()
            raise
        except BaseException:
            self._patience.begin_anew()
            raise
        self._patience.begin_anew()

    def know(self, catalog: Catalog) -> None:
        """Another catalog, for all that is bound from now on."""
        self._catalog = catalog

    def __call__(self, backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
        """See `ServingFactory`."""
        source = self._forecaster.bind(self._catalog.pool(backends, also=also))
        return Serving.of(
            source=source,
            router=Router(source, policies=self._policies, explore=self._settings.learning.explore),
            policies=frozenset({*PRESETS, *self._policies}),
            versions={"catalog": self._catalog.version, "predictor": source.version, "policy": version("paretogate")},
        )

    def _load(self) -> Forecaster:
        settings = self._settings.predictor
        key = settings.encoder_key
        promoted = self._versions.deciding() if settings.path is None else None
        try:
            return Forecaster.load(settings.path or promoted, encoder_key=key.get_secret_value() if key else None)
        except BadArtefactError as exc:
            if promoted is None:
                raise
            raise BadArtefactError(
                path=f"{promoted}, which was promoted",
                problem=f"{exc.path}: {exc.problem}",
                remedy="`paretogate rollback` lets the predictor before it decide; then train and promote it again",
            ) from exc
