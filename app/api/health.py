"""For load balancers and Prometheus: is the process alive, can it serve, and what does it count."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from loguru import logger
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.api.deps import Ctx
from app.db.migrate import head
from app.usecases.context import Context
from app.usecases.workers import live_workers, worker_metrics

router = APIRouter(include_in_schema=False)

_DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /readyz looks at; each is "ok" or says what is wrong."""

    database: str
    migrations: str
    worker: str

    @property
    def ready(self) -> bool:
        return {self.database, self.migrations, self.worker} == {"ok"}


class _Collected(Collector):
    """Metrics that were read already: a collector itself can't await the database."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(context: Ctx) -> JSONResponse:
    """The database answers, its schema is this version's, and a worker is alive; else 503."""
    found = await _readiness(context)
    body = {"database": found.database, "migrations": found.migrations, "worker": found.worker}
    return JSONResponse(body, 200 if found.ready else 503)


@router.get("/metrics")
async def metrics(context: Ctx) -> Response:
    """Prometheus text format."""
    registry = CollectorRegistry()
    _web(registry, context)
    try:
        async with asyncio.timeout(_DEADLINE_S), context.database.transaction() as session:
            registry.register(_Collected(await worker_metrics(session)))
        _gauge(registry, "pulseboard_database_up", "1 when the database answered this request", 1)
    except Exception as error:  # metrics are most wanted when the database is away
        logger.bind(error=type(error).__name__).warning("Metrics of the database are missing")
        _gauge(registry, "pulseboard_database_up", "1 when the database answered this request", 0)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _readiness(context: Context) -> Readiness:
    try:
        async with asyncio.timeout(_DEADLINE_S), context.database.transaction() as session:
            version = (
                await (await session.connection()).execute(text("SELECT version_num FROM alembic_version"))
            ).scalar()
            workers = await live_workers(session)
    except Exception as error:
        logger.bind(error=type(error).__name__).warning("The readiness check could not read the database")
        return Readiness("does not answer", "unknown", "unknown")
    return Readiness(
        database="ok",
        migrations="ok" if version == head() else f"at {version}, this version needs {head()}",
        worker="ok" if workers else "none has been seen for 15 seconds",
    )


def _web(registry: CollectorRegistry, context: Context) -> None:
    services = Gauge("pulseboard_services", "Services by status", ["team", "status"], registry=registry)
    for board in context.boards.values():
        for status, number in board.counts().items():
            services.labels(team=str(board.team_id), status=status).set(number)
    _gauge(registry, "pulseboard_bus_up", "1 while this process hears the others", int(context.database.bus.healthy))


def _gauge(registry: CollectorRegistry, name: str, words: str, value: float) -> None:
    Gauge(name, words, registry=registry).set(value)
