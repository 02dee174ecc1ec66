"""Brings results to the database: changes of status at once, plain results together.

While the database is away results wait here; those whose lease ran out meanwhile are refused as stale when it returns.
"""

import asyncio
from collections import deque
from dataclasses import replace

from loguru import logger

from app.db.session import DATABASE_AWAY, Database
from app.domain.status import Outcome
from app.runtime.loop import Loop
from app.runtime.metrics import Counters
from app.usecases.results import Run, record
from models.result import Level
from probes.base import ProbeResult

_BATCH = 500
# A change takes a dozen statements and locks its team's counter; many of them at once are still worth joining.
_CHANGES = 25
_SOON = 100
_AT_LEAST_S = 1.0
_MAX_WAITING = 20_000
# After these the same results are tried again.
_PASSING: tuple[type[BaseException], ...] = (*DATABASE_AWAY, asyncio.CancelledError)
_UNSTORABLE = ProbeResult(Outcome.UNKNOWN, cause="internal", message="The result could not be stored")


class Recorder:
    """`add` never waits. The clock wakes the rest; a change, a failure being confirmed and many results don't wait."""

    def __init__(self, database: Database, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._changes: deque[Run] = deque()
        self._plain: deque[Run] = deque()
        self._suspects: deque[Run] = deque()
        self._at_once = Loop("changes", self._flush_changes, _AT_LEAST_S)
        self._together = Loop("results", self._flush_plain, _AT_LEAST_S)

    @property
    def waiting(self) -> int:
        return len(self._changes) + len(self._plain) + len(self._suspects)

    def start(self) -> None:
        self._at_once.start()
        self._together.start()

    def add(self, run: Run) -> None:
        if run.change is not None:
            self._changes.append(run)
            self._at_once.wake()
        else:
            self._plain.append(run)
            # A check on its way to a change is due again soon.
            if run.streak.suspect or len(self._plain) >= _SOON:
                self._together.wake()
        if self.waiting > _MAX_WAITING:
            (self._plain or self._changes or self._suspects).popleft()
            self._counters.dropped_results += 1

    def wake(self) -> None:
        """Store what waits."""
        self._at_once.wake()
        self._together.wake()

    async def stop(self) -> None:
        """Store what waits; raises one of DATABASE_AWAY when that fails."""
        await self._at_once.stop()
        await self._together.stop()
        await self._flush_plain()
        await self._flush_changes()

    async def _flush_changes(self) -> None:
        while self._changes or self._suspects:
            await self._store(self._changes, _CHANGES)
            await self._store(self._suspects, 1)

    async def _flush_plain(self) -> None:
        while self._plain:
            await self._store(self._plain, _BATCH)

    async def _store(self, waiting: deque[Run], limit: int) -> None:
        batch = [waiting.popleft() for _ in range(min(limit, len(waiting)))]
        if not batch:
            return
        try:
            async with self._database.transaction() as session:
                stale = await record(session, batch)
        except _PASSING:
            waiting.extendleft(reversed(batch))
            raise
        except Exception:
            self._set_apart(batch)
        else:
            self._counters.results += len(batch) - stale
            self._counters.stale_results += stale

    def _set_apart(self, batch: list[Run]) -> None:
        """One of these can't be stored: find out which, and say in its place that we failed."""
        if len(batch) > 1:
            self._suspects.extend(batch)
        else:
            (run,) = batch
            logger.bind(check_id=run.claim.check_id).exception("A result can't be stored")
            self._counters.unstorable_results += 1
            if run.result is not _UNSTORABLE:
                unknown = replace(run, result=_UNSTORABLE, streak=run.claim.streak, change=None, level=Level.UNKNOWN)
                self._suspects.append(unknown)
        self._at_once.wake()
