"""Three models whose numbers can be checked by hand; every test of the router starts from them."""

from datetime import date
from decimal import Decimal

from catalog import Backend, ModelProfile, Pool, PoolEntry, Price
from predictors import Forecast
from router import FixedForecasts, Router, forecast_of

SMALL, MIDDLE, LARGE = 0, 1, 2


def entry(name: str, *, backend: dict[str, object] | None = None, **facts: object) -> PoolEntry:
    profile = ModelProfile(**{"id": name, "name": name, "context_tokens": 8_000, **facts})
    if backend is None:
        return PoolEntry(profile=profile)
    given = {"id": f"{name}@here", "profile_id": name, "kind": "fake", "provider": profile.owner, "model_name": name}
    return PoolEntry(profile=profile, backend=Backend(**{**given, **backend}))


def price(input_usd: str, output_usd: str, cached: str | None = None) -> Price:
    return Price(
        input_usd_per_mtok=Decimal(input_usd),
        output_usd_per_mtok=Decimal(output_usd),
        cached_input_usd_per_mtok=None if cached is None else Decimal(cached),
    )


def three_models() -> Pool:
    """Small is local and free, middle is European and keeps nothing, large is dear and knows tools."""
    return Pool(
        [
            entry(
                "meadow/small",
                params_total_b=1.0,
                license="apache-2.0",
                open_weights=True,
                released=date(2024, 1, 1),
                price=price("0", "0"),
                readability=60.0,
                backend={"privacy": "local", "tier": "device", "region": "eu-north-1", "quantization": "int4"},
            ),
            entry(
                "hill/middle",
                params_total_b=70.0,
                params_active_b=8.0,
                license="llama3",
                open_weights=True,
                released=date(2024, 6, 1),
                knowledge_cutoff=date(2023, 12, 1),
                price=price("1", "2", "0.1"),
                capabilities=frozenset({"streaming", "tools"}),
                energy_wh_per_mtok=500.0,
                backend={"privacy": "no_retention", "region": "eu-west-1"},
            ),
            entry(
                "peak/large",
                license="proprietary",
                released=date(2025, 1, 1),
                price=price("10", "30", "1"),
                context_tokens=200_000,
                capabilities=frozenset({"streaming", "tools", "json_schema"}),
                modalities_in=frozenset({"text", "image"}),
                risk_cvar95=0.5,
                backend={"privacy": "no_training", "region": "us-east-1"},
            ),
        ]
    )


def three_forecasts(pool: Pool | None = None, **columns: float | list[float]) -> Forecast:
    """The dearer the better: 0.6 for nothing, 0.8 for a tenth of a cent, 0.9 for a cent."""
    given: dict[str, float | list[float]] = {
        "quality": [0.6, 0.8, 0.9],
        "cost_usd": [0.0, 0.001, 0.01],
        "latency_s": [1.0, 2.0, 4.0],
        "ttft_s": [0.1, 0.2, 0.4],
        "output_tokens": [100.0, 200.0, 300.0],
        **columns,
    }
    return forecast_of(pool or three_models(), **given)


def three_model_router(*, explore: float = 0.0, policies: object = None, **columns: float | list[float]) -> Router:
    pool = three_models()
    return Router(FixedForecasts(pool=pool, fixed=three_forecasts(pool, **columns)), policies=policies, explore=explore)
