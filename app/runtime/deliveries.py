"""Sends the messages owed to channels: procrastinate jobs, run inside the worker."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
from loguru import logger
from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from app.core import clock
from app.core.crypto import Sealer
from app.core.errors import NotifyError
from app.db.jobs import DELIVERIES, job_app
from app.db.session import DATABASE_AWAY, Database
from app.runtime.metrics import Counters
from app.usecases.deliveries import Attempt, Owed, owed, settle
from app.usecases.sending import send
from app.usecases.transitions import DELIVER_TASK

CONCURRENCY = 20
_POLL_S = 1.0
_PAUSE_S = 1.0
_GRACE_S = 4.0
_BEATS_PER_LEASE = 6
_LONGEST_WAIT_S = 30.0


class TryLater(Exception):
    """The message is still owed; its job is to be run again after `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self.wait_s = wait_s


class _Later(BaseRetryStrategy):
    """A job that raises keeps its place in its lock's line; one that fails by our own fault is tried for ever."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, TryLater):
            wait_s = exception.wait_s
        else:
            wait_s = min(2.0**job.attempts, _LONGEST_WAIT_S)
            _tell(exception, job)
        return RetryDecision(retry_in={"milliseconds": round(wait_s * 1000)})


def _tell(exception: BaseException, job: Job) -> None:
    if isinstance(exception, (*DATABASE_AWAY, asyncio.CancelledError)):
        logger.bind(job=job.id, error=type(exception).__name__).warning("A delivery was cut off; trying again")
    else:
        logger.bind(job=job.id).opt(exception=exception).error("A delivery failed; trying again")


@dataclass(frozen=True, slots=True)
class Means:
    """What messages are sent with. `lease_s` is how long a silent sender keeps its jobs."""

    sealer: Sealer
    http: httpx.AsyncClient
    public_url: str
    lease_s: float
    counters: Counters


class Deliveries:
    def __init__(self, database: Database, means: Means) -> None:
        self._database = database
        self._means = means
        self._app = self._make_app()
        self._task: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run_for_ever(), name="deliveries")

    async def stop(self) -> None:
        """Take no more jobs, and let those under way end; one that takes long is cut off and given to other senders."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_GRACE_S)
        for job in tuple(self._jobs):
            job.cancel()
        await asyncio.wait([self._task])

    def _make_app(self) -> App:
        app = job_app(self._database)
        app.task(name=DELIVER_TASK, queue=DELIVERIES, retry=_Later())(self.deliver)
        return app

    async def _run_for_ever(self) -> None:
        while True:
            try:
                # Without a deadline for its shutdown: it ends when the database goes away, and what was sent by then
                # must still be settled when it is back.
                await self._app.run_worker_async(
                    queues=[DELIVERIES],
                    concurrency=CONCURRENCY,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLL_S,
                    update_heartbeat_interval=self._means.lease_s / _BEATS_PER_LEASE,
                    stalled_worker_timeout=self._means.lease_s,
                )
            except DATABASE_AWAY as error:
                logger.bind(error=type(error).__name__).warning("Deliveries stopped; starting them again")
            except Exception:
                logger.exception("Deliveries stopped; starting them again")
            await asyncio.sleep(_PAUSE_S)

    async def deliver(self, delivery_id: int) -> None:
        """One attempt at one message; raises TryLater when it is to be tried again."""
        job = asyncio.current_task()
        assert job is not None  # noqa: S101  procrastinate runs us in a task
        self._jobs.add(job)
        try:
            async with self._database.transaction() as session:
                found = await owed(session, delivery_id, self._means.sealer, self._means.public_url)
            wait_s = await self._settle(found, await self._attempt(found)) if found else None
        finally:
            self._jobs.discard(job)
        if wait_s is not None:
            raise TryLater(wait_s)

    async def _attempt(self, found: Owed) -> Attempt:
        started = clock.monotonic()
        error: NotifyError | None = None
        try:
            await send(found.kind, found.config, found.message, self._means.http)
        except NotifyError as raised:
            error = raised
        return Attempt(error, clock.monotonic() - started)

    async def _settle(self, found: Owed, attempt: Attempt) -> float | None:
        """Waits for a database that is away: what was sent must not be sent again."""
        while True:
            try:
                async with self._database.transaction() as session:
                    wait_s = await settle(session, found, attempt)
            except DATABASE_AWAY:
                await asyncio.sleep(_PAUSE_S)
            else:
                self._count(attempt)
                return wait_s

    def _count(self, attempt: Attempt) -> None:
        if attempt.error is None:
            self._means.counters.messages_sent += 1
        else:
            self._means.counters.messages_failed += 1
