"""Housekeeping: partitions ahead, old ones dropped, finished jobs deleted, jobs of dead workers given to others."""

from datetime import timedelta

from loguru import logger
from sqlalchemy import text

from app.core import clock
from app.db.jobs import prune_jobs, retry_stalled
from app.db.partitions import drop_partitions, ensure_partitions, stray_rows
from app.db.session import Database
from app.runtime.metrics import Counters
from app.usecases.workers import forget_workers

RESULTS_KEPT = timedelta(days=90)
JOBS_KEPT_HOURS = 24
# Any constant that every worker shares: two must not make the same partition.
_LOCK = 0x70756C7366


class Janitor:
    """Any number of workers may keep house at the same time."""

    def __init__(self, database: Database, counters: Counters, sender_lease_s: float) -> None:
        self._database = database
        self._counters = counters
        self._sender_lease_s = sender_lease_s

    async def make_partitions(self) -> None:
        """For today and the days ahead; before the first result is stored, and then hourly."""
        async with self._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            made = await ensure_partitions(connection, clock.now().date())
            stray = await stray_rows(connection)
        logger.bind(made=len(made)).debug("Partitions are in order")
        if stray:
            logger.error("Results are in the DEFAULT partition, which retention can't drop")

    async def tidy(self) -> None:
        """Delete what is old; hourly."""
        async with self._database.transaction() as session:
            await forget_workers(session)
            await prune_jobs(session, JOBS_KEPT_HOURS)
        async with self._database.transaction() as session:
            await drop_partitions(await session.connection(), clock.now().date() - RESULTS_KEPT)

    async def retry_stalled(self) -> None:
        """Give the jobs of dead senders to living ones."""
        async with self._database.transaction() as session:
            count = await retry_stalled(session, self._sender_lease_s)
        if count:
            self._counters.stalled_jobs += count
            logger.bind(jobs=count).warning("Jobs of a worker that is gone are tried again")
