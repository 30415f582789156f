"""What a gateway consists of; and what it serves: a catalog and a predictor, bound to whatever backends there are."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from catalog import Backend, Catalog
from predictors import Forecaster
from router import PRESETS, Router

from .dispatch import Clocks
from .journal import Journal
from .policies import configured_policies
from .serving import Serving, ServingFactory
from .settings import Settings
from .tracing import Tracing
from .upstreams.protocol import Upstream

__all__ = ["Parts", "serving_factory"]

_SYSTEM_CLOCKS = Clocks(wall=time.time, monotonic=time.perf_counter)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a gateway consists of."""

    settings: Settings
    backends: tuple[Backend, ...]
    make_serving: ServingFactory
    journal: Journal
    api_keys: Mapping[str, str] = field(default_factory=dict)  # by backend id
    clocks: Clocks = _SYSTEM_CLOCKS
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    upstreams: Mapping[str, Upstream] | None = None  # by kind; the real ones where left out
    tracing: Tracing | None = None
    metrics_dir: Path | None = None  # where several workers count together
    catalog: Catalog | None = None  # what the dashboard shows; the served models where left out


def serving_factory(settings: Settings, catalog: Catalog) -> ServingFactory:
    """Binds one catalog and one predictor to whatever backends there are."""
    key = settings.predictor.encoder_key
    forecaster = Forecaster.load(settings.predictor.path, encoder_key=key.get_secret_value() if key else None)
    policies = configured_policies(settings.policies)

    def make(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
        source = forecaster.bind(catalog.pool(backends, also=also))
        router = Router(source, policies=policies, explore=settings.learning.explore)
        return Serving.of(
            source=source,
            router=router,
            policies=frozenset({*PRESETS, *policies}),
            versions={"catalog": catalog.version, "predictor": source.version, "policy": version("paretogate")},
        )

    return make
