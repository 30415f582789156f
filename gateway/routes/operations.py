"""Health and metrics. No model is called by any of them."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from gateway.journal.protocol import Journal
from gateway.server.memory import resident_bytes
from gateway.serving import Serving
from gateway.telemetry import METRICS_CONTENT_TYPE, Telemetry
from gateway.upstreams.health import Health

__all__ = ["operations_routes"]


def operations_routes(
    *, serving: Callable[[], Serving], journal: Journal, telemetry: Telemetry, health: Health, metrics: bool
) -> APIRouter:
    """Liveness, readiness and, where wanted, metrics."""
    router = APIRouter(tags=["operations"])

    async def alive() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    async def ready() -> JSONResponse:
        """Somebody could answer a request now."""
        current = serving()
        backends = [entry.backend for entry in current.pool.entries if entry.backend is not None]
        well = [backend.id for backend in backends if health.admits(backend)]
        facts = {
            "status": "ready" if well else "not ready",
            "backends": len(backends),
            "available": len(well),
            "versions": dict(current.versions),
        }
        return JSONResponse(facts, status_code=200 if well else 503)

    for path in ("/health", "/health/liveliness", "/health/liveness", "/healthz"):
        router.add_api_route(path, alive, methods=["GET"], include_in_schema=path == "/health/liveliness")
    for path in ("/health/readiness", "/readyz"):
        router.add_api_route(path, ready, methods=["GET"], include_in_schema=path == "/health/readiness")

    def gauges() -> None:
        fares = journal.health
        telemetry.memory_held(resident_bytes())
        telemetry.backends_fare(health.states())
        telemetry.servers_told({name: asdict(load) for name, load in health.server_loads().items()})
        telemetry.journal_fares(
            {
                "written": fares.written,
                "lost": fares.lost,
                "pending_bytes": fares.pending_bytes,
                "limit_bytes": fares.limit_bytes,
                "store_failures": fares.store_failures,
            }
        )
        if fares.stream_records is not None and fares.stream_limit is not None:
            telemetry.stream_fares(records=fares.stream_records, limit=fares.stream_limit)

    telemetry.watch(gauges)
    if metrics:

        @router.get("/metrics", response_class=Response)
        async def exposition() -> Response:
            """Prometheus metrics."""
            telemetry.refresh()
            text = await asyncio.to_thread(telemetry.exposition)  # some thousand lines: not between two requests
            return Response(text, media_type=METRICS_CONTENT_TYPE)

    return router
