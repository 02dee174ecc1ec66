"""Durable background jobs (procrastinate), deferred in the transaction of the fact that owes them."""

from typing import Any

from procrastinate import App, PsycopgConnector
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.session import driver_connection, libpq_url

DELIVERIES = "deliveries"

# Never opened: it only names tasks when a job is deferred on a session's own connection.
_deferrer = App(connector=PsycopgConnector())


async def defer(session: AsyncSession, task: str, *, queue: str, lock: str, **args: Any) -> None:
    """Owe a job. Jobs of one `lock` run one at a time in the order they were deferred, retries included."""
    job = _deferrer.configure_task(
        task, queue=queue, lock=lock, allow_unknown=True, connection=await driver_connection(session)
    )
    await job.defer_async(**args)


def job_app(url: str, pool_size: int = 4) -> App:
    """The procrastinate app of a worker; the caller opens it and registers its tasks."""
    connector = PsycopgConnector(conninfo=libpq_url(url), min_size=1, max_size=pool_size)
    return App(connector=connector)
