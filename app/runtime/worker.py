"""A worker: claims due checks, runs them, records their results, and sends the messages that are owed.

APScheduler is its clock. Any number of workers share one database; none of them keeps anything that can't be lost.
"""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC

import uvloop
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from loguru import logger

from app.core import clock
from app.core.addresses import AddressPolicy, probe_policy
from app.core.crypto import Sealer, load_or_create_key
from app.core.settings import Settings
from app.db.location import database_url, own_ports
from app.db.session import DATABASE_AWAY, Database, libpq_url, make_engine
from app.live.bus import BusMessage, Topic
from app.live.postgres_bus import PostgresBus
from app.runtime import checker, deliveries
from app.runtime.janitor import Janitor
from app.runtime.loop import Loop
from app.runtime.metrics import Counters, LoopLag
from app.runtime.recorder import Recorder
from app.runtime.scheduler import Scheduler
from app.usecases.schedule import Claim, release
from app.usecases.workers import Beat, heartbeat, sign_off
from notifiers.egress import build_client
from probes.curl import close_transport

STOP_S = 5.0
_RUNS_END_S = 2.0
_TICK_S = 0.5
_STALLED_S = 1.0
_HEARTBEAT_S = 5.0
_HOUR_S = 3600.0
_SENDER_CONNECTIONS = 4


class Worker:
    """The parts of one worker process. It starts with the database away, and waits for it."""

    def __init__(self, settings: Settings, url: str, sealer: Sealer, policy: AddressPolicy) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.counters = Counters()
        self.bus = PostgresBus(libpq_url(url))
        self.database = Database(make_engine(url), self.bus)
        self._senders = Database(make_engine(url, _SENDER_CONNECTIONS), self.bus)
        self._lag = LoopLag()
        self.recorder = Recorder(self.database, self.counters)
        means = checker.Means(sealer, policy, self._lag, self.counters)
        self.checker = checker.Checker(means, self.recorder, settings.worker_concurrency)
        self.scheduler = Scheduler(self.database, self.checker, settings.lease_grace_s)
        self._http = build_client(settings.notify_allow)
        sending = deliveries.Means(sealer, self._http, settings.public_url, settings.sender_lease_s, self.counters)
        self.deliveries = deliveries.Deliveries(self._senders, sending)
        self._janitor = Janitor(self.database, self.counters, settings.sender_lease_s)
        self._stalled = Loop("stalled jobs", self._janitor.retry_stalled, 2 * _STALLED_S)
        self._house = Loop("house", self._keep_house)
        self._heart = Loop("heartbeat", self._beat, 2 * _HEARTBEAT_S)
        self._clock = AsyncIOScheduler(timezone=UTC)
        self._started_at = clock.now()
        self._last_beat = clock.monotonic()
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._lag.start()
        self._starting = asyncio.create_task(self.bus.start())
        self.bus.subscribe(Topic.WAKE, self._on_wake)
        for loop in (self._house, self._heart, self._stalled, self.recorder, self.deliveries):
            loop.start()
        self._house.wake()
        self._heart.wake()
        self._every(_TICK_S, self.scheduler.wake, self.recorder.wake)
        self._every(_STALLED_S, self._stalled.wake)
        self._every(_HEARTBEAT_S, self._heart.wake)
        self._every(_HOUR_S, self._house.wake)
        self._clock.start()
        logger.bind(worker=self.id).info("The worker runs")

    async def stop(self) -> bool:
        """Hand back what isn't finished; returns whether all was done within STOP_S seconds."""
        logger.bind(worker=self.id, running=self.checker.running).info("The worker stops")
        self._clock.shutdown(wait=False)
        try:
            async with asyncio.timeout(STOP_S):
                await self._stop_parts()
        except TimeoutError:
            logger.warning("The worker could not end everything in time; leases and other workers see to the rest")
            return False
        return True

    async def _stop_parts(self) -> None:
        await asyncio.gather(*[loop.stop() for loop in (self._house, self._heart, self._stalled)])
        await self.scheduler.stop()
        sending = asyncio.create_task(self.deliveries.stop())
        unfinished = await self.checker.stop(_RUNS_END_S)
        with suppress(*DATABASE_AWAY):
            await self.recorder.stop()
            await self._sign_off(unfinished)
        await sending
        self._lag.stop()
        if self._starting is not None:
            self._starting.cancel()
        close_transport()
        await self.bus.close()
        await self._http.aclose()
        await self.database.engine.dispose()
        await self._senders.engine.dispose()

    async def _sign_off(self, unfinished: list[Claim]) -> None:
        async with self.database.transaction() as session:
            await release(session, unfinished)
            await sign_off(session, self.id)

    def _every(self, seconds: float, *wakes: Callable[[], None]) -> None:
        async def tick() -> None:
            for wake in wakes:
                wake()

        self._clock.add_job(tick, "interval", seconds=seconds, coalesce=True, misfire_grace_time=None)

    def _on_wake(self, message: BusMessage) -> None:
        self.scheduler.wake()

    async def _keep_house(self) -> None:
        await self._janitor.make_partitions()
        self.scheduler.start()  # not before its results have a place to go to
        await self._janitor.tidy()

    async def _beat(self) -> None:
        since, self._last_beat = self._last_beat, clock.monotonic()
        lag_ms = self._lag.worst_since(since) * 1000
        async with self.database.transaction() as session:
            await heartbeat(session, Beat(self.id, self._started_at, lag_ms, asdict(self.counters)))


def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then end within STOP_S seconds; a second signal ends at once. Raises StartError."""
    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(0)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    url = database_url(settings)
    sealer = Sealer(load_or_create_key(settings.data_dir, settings.secret_key))
    worker = Worker(settings, url, sealer, probe_policy(own_ports(settings, url)))
    worker.start()
    await stop.wait()
    if not await worker.stop():
        os._exit(0)  # without waiting for what hangs
