"""Keeps the boards of this process like the database: by hints of the bus, and by asking for what a hint has missed."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loguru import logger
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.db.session import DATABASE_AWAY, Database
from app.live.board import CheckRow, ServiceRow, TeamBoard
from app.live.bus import BusMessage, Topic
from app.usecases import overview

GAP_S = 0.25
POLL_S = 2.0
UPTIME_S = 30.0
_PAUSE_S = 1.0
# A state may be stamped this long before its commit makes it visible.
_OVERLAP = timedelta(seconds=2)

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class _Stale:
    """What is to be read again."""

    everything: bool = True
    checks: set[int] = field(default_factory=set)
    services: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    incidents: set[int] = field(default_factory=set)
    activity: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.everything or bool(self.checks or self.services or self.incidents or self.activity)


class Feed:
    """`on_change` is called after what should be seen at once: an incident, a line of activity, a service edited.

    `with_viewers` fills in who looks at each incident.
    """

    def __init__(
        self,
        database: Database,
        boards: dict[int, TeamBoard],
        on_change: Callable[[], None],
        with_viewers: Callable[[Rows], Rows],
    ) -> None:
        self._database = database
        self._boards = boards
        self._on_change = on_change
        self._with_viewers = with_viewers
        self._stale = _Stale()
        self._hinted = asyncio.Event()
        self._polled_at: datetime | None = None
        # The newest line of activity at the last poll, and at the one before it.
        self._last_event = 0
        self._event_before = 0
        # Checks read since the last poll, and between the two before it.
        self._read: set[int] = set()
        self._read_before: set[int] = set()

    async def start(self) -> None:
        """Read everything once, and follow the bus from then on."""
        handlers = {
            Topic.CHECKS: self._hear_checks,
            Topic.SERVICES: self._hear_services,
            Topic.INCIDENTS: self._hear_incidents,
            Topic.EVENTS: self._hear_event,
            Topic.RESYNC: self._hear_gap,
        }
        for topic, handler in handlers.items():
            self._database.bus.subscribe(topic, handler)
        await self._poll()
        await self._read_stale()
        await self._read_uptimes()

    async def run(self) -> None:
        """Follow until cancelled; `start` comes first."""
        polled = timed = clock.monotonic()
        while True:
            await self._wait(polled + POLL_S)
            try:
                if clock.monotonic() - polled >= POLL_S:
                    polled = clock.monotonic()
                    await self._poll()
                if clock.monotonic() - timed >= UPTIME_S:
                    timed = clock.monotonic()
                    await self._read_uptimes()
                await self._read_stale()
            except DATABASE_AWAY as error:
                logger.bind(error=type(error).__name__).warning("The boards can't be read; trying again")
                self._stale.everything = True
                await asyncio.sleep(_PAUSE_S)
            except Exception:
                logger.exception("The boards can't be read; trying again")
                self._stale.everything = True
                await asyncio.sleep(_PAUSE_S)
            self._tick()
            await asyncio.sleep(GAP_S)

    async def board(self, team_id: int) -> TeamBoard:
        """The team's board, read now when the team is new."""
        if team_id not in self._boards:
            async with self._database.transaction() as session:
                await self._read_team(session, team_id)
        return self._boards[team_id]

    def _hear_checks(self, message: BusMessage) -> None:
        self._stale.checks.update(message.data["ids"])
        self._hinted.set()

    def _hear_services(self, message: BusMessage) -> None:
        self._stale.services[message.team_id].update(message.data["ids"])
        self._hinted.set()

    def _hear_incidents(self, message: BusMessage) -> None:
        self._stale.incidents.add(message.team_id)
        self._hinted.set()

    def _hear_event(self, message: BusMessage) -> None:
        self._stale.activity.add(message.team_id)
        self._hinted.set()

    def _hear_gap(self, _: BusMessage) -> None:
        self._stale.everything = True
        self._hinted.set()

    async def _wait(self, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, until - clock.monotonic())):
                await self._hinted.wait()
        except TimeoutError:
            return
        self._hinted.clear()

    async def _poll(self) -> None:
        """Find what changed without a hint."""
        async with self._database.transaction() as session:
            now = await overview.database_time(session)
            if self._polled_at is None:
                self._last_event = self._event_before = await overview.newest_event_id(session)
            else:
                await self._find_events(session)
                changed = set(await overview.changed_checks(session, self._polled_at - _OVERLAP))
                self._stale.checks |= changed - self._read - self._read_before
            for team_id in set(await overview.team_ids(session)) - self._boards.keys():
                await self._read_team(session, team_id)
        self._polled_at = now
        self._read_before, self._read = self._read, set()

    async def _find_events(self, session: AsyncSession) -> None:
        newest = self._last_event
        for event_id, team_id, service_id in await overview.events_after(session, self._event_before):
            newest = max(newest, event_id)
            board = self._boards.get(team_id)
            if board is None or any(line["id"] == event_id for line in board.activity):
                continue
            self._stale.activity.add(team_id)
            self._stale.incidents.add(team_id)
            if service_id is not None:
                self._stale.services[team_id].add(service_id)
        self._event_before, self._last_event = self._last_event, newest

    async def _read_stale(self) -> None:
        stale, self._stale = self._stale, _Stale(everything=False)
        if not stale:
            return
        async with self._database.transaction() as session:
            if stale.everything:
                for team_id in await overview.team_ids(session):
                    await self._read_team(session, team_id)
                self._on_change()
                return
            for team_id, ids in stale.services.items():
                await self._read_services(session, team_id, ids)
            await self._read_checks(session, stale.checks)
            for team_id in stale.incidents & self._boards.keys():
                incidents = await overview.board_incidents(session, team_id)
                self._boards[team_id].put_incidents(self._with_viewers(incidents))
            for team_id in stale.activity & self._boards.keys():
                await self._read_activity(session, team_id)
        if stale.services or stale.incidents or stale.activity:
            self._on_change()

    async def _read_team(self, session: AsyncSession, team_id: int) -> None:
        board = self._boards.get(team_id) or TeamBoard(team_id)
        board.tick(clock.now().timestamp())
        services = await overview.board_services(session, team_id)
        _put(board, services)
        for gone in board.service_ids() - {row.service_id for row, _ in services}:
            board.remove_service(gone)
        checks = [check.check_id for _, rows in services for check in rows]
        for check_id, (latencies, levels) in (await overview.board_history(session, checks)).items():
            board.put_history(check_id, latencies, levels)
        board.put_incidents(self._with_viewers(await overview.board_incidents(session, team_id)))
        for line in await overview.board_activity(session, team_id):
            board.add_activity(line)
        self._boards[team_id] = board

    async def _read_services(self, session: AsyncSession, team_id: int, ids: set[int]) -> None:
        board = self._boards.get(team_id)
        if board is None:
            return
        services = await overview.board_services(session, team_id, sorted(ids))
        _put(board, services)
        for gone in ids - {row.service_id for row, _ in services}:
            board.remove_service(gone)

    async def _read_checks(self, session: AsyncSession, ids: set[int]) -> None:
        if not ids:
            return
        self._read |= ids
        for team_id, row in await overview.board_checks(session, sorted(ids)):
            board = self._boards.get(team_id)
            if board is not None:
                board.put_check(row)

    async def _read_activity(self, session: AsyncSession, team_id: int) -> None:
        # Lines become visible in the order of commits, not of ids.
        board = self._boards[team_id]
        oldest = min((line["id"] for line in board.activity), default=0)
        for line in await overview.board_activity(session, team_id, after_id=oldest):
            board.add_activity(line)

    async def _read_uptimes(self) -> None:
        async with self._database.transaction() as session:
            uptimes = await overview.board_uptimes(session)
        for team_id, board in self._boards.items():
            board.put_uptimes(uptimes.get(team_id, {}))

    def _tick(self) -> None:
        now = clock.now().timestamp()
        for board in self._boards.values():
            board.tick(now)
            board.put_incidents(self._with_viewers(board.incidents))


def _put(board: TeamBoard, services: Iterable[tuple[ServiceRow, list[CheckRow]]]) -> None:
    for row, checks in services:
        # First as news: a service put anew replaces the state of its checks and adds no point to their strips.
        for check in checks:
            board.put_check(check)
        board.put_service(row, checks)
