"""Durable background jobs (procrastinate), deferred in the transaction of the fact that owes them."""

import asyncio
from collections.abc import Iterable
from typing import Any, LiteralString

import orjson
from loguru import logger
from procrastinate import App, PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from psycopg.errors import RaiseException
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.session import DATABASE_AWAY, Database, announce, driver_connection
from app.live.bus import BusMessage, Topic

DELIVERIES = "deliveries"

_PAUSE_S = 0.5

# Never opened: it only names tasks when a job is deferred on a session's own connection.
_deferrer = App(connector=PsycopgConnector())

_RETRY_STALLED = text(
    """
    UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = NULL
    WHERE status = 'doing' AND (worker_id IS NULL OR worker_id IN (
        SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => :lease)))
    RETURNING id
    """
)
_PRUNE = text(
    """
    DELETE FROM procrastinate_jobs j WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')
    AND NOT EXISTS (SELECT FROM procrastinate_events e
        WHERE e.job_id = j.id AND e.at > now() - make_interval(hours => :hours))
    """
)


async def defer(session: AsyncSession, task: str, *, queue: str, lock: str, **args: Any) -> None:
    """Owe a job. Jobs of one `lock` run one at a time in the order they were deferred, retries included."""
    job = _deferrer.configure_task(
        task, queue=queue, lock=lock, allow_unknown=True, connection=await driver_connection(session)
    )
    announce(session, Topic.JOBS, 0, ids=[await job.defer_async(**args)])


async def retry_stalled(session: AsyncSession, lease_s: float) -> int:
    """Give the jobs of workers that were silent for `lease_s` seconds to others; returns how many.

    One statement, so that two workers that look at the same time don't start a job twice.
    """
    found = await (await session.connection()).execute(_RETRY_STALLED, {"lease": lease_s})
    return len(found.all())


async def prune_jobs(session: AsyncSession, hours: int) -> int:
    """Delete the jobs that ended more than `hours` ago; returns how many."""
    return int((await (await session.connection()).execute(_PRUNE, {"hours": hours})).rowcount)


def job_app(database: Database) -> App:
    """The procrastinate app of a worker; the caller registers its tasks."""
    return App(connector=DatabaseConnector(database))


class DatabaseConnector(PsycopgConnector):
    """procrastinate on a Database: its pool, its deadlines, and its bus for the news of new jobs."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    async def open_async(self, pool: Any = None) -> None:
        """Nothing to open: the Database is its owner's."""

    async def close_async(self) -> None:
        """Nothing to close."""

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Run a statement that must not get lost, such as the end of a job: waits for a database that is away."""
        while True:
            try:
                await self.execute_query_all_async(query, **arguments)
                return
            except RaiseException:
                logger.warning("A job that this worker ended was given to another meanwhile")
                return
            except DATABASE_AWAY:
                await asyncio.sleep(_PAUSE_S)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        return (await self.execute_query_all_async(query, **arguments))[0]

    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        async with self._database.transaction() as session:
            connection = await driver_connection(session)
            try:
                rows = await self.execute_query_all_async_with_connection(connection, query, **arguments)
            except ConnectorException as error:
                raise error.__cause__ or error from None
        return list(rows)

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Tell the worker of new jobs; those that the bus loses are found by polling."""
        payload = orjson.dumps({"type": "job_inserted", "job_id": 0}).decode()

        async def tell(message: BusMessage) -> None:
            await on_notification(channel="", payload=payload)

        unsubscribe = self._database.bus.subscribe(Topic.JOBS, tell)
        try:
            await asyncio.Event().wait()
        finally:
            unsubscribe()
