"""The board: the latest state of every service of a team, in memory, one per web process.

It is fed rows and gives out two things: `snapshot()`, the whole as JSON, and `frame()`, what changed since the last
frame. Frames are numbered; a browser that misses one asks for the snapshot again. Pure state: no clock, no database.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.domain.status import Status, fresh_or_unknown, worst

POINTS = 30


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check as the database has it now. Times in seconds since the epoch, latency in ms.

    `level` is the character of the last result: u up, g degraded, d down, n unknown.
    """

    check_id: int
    service_id: int
    label: str
    interval_s: int
    timeout_s: int
    degraded_ms: int | None
    paused: bool
    status: Status
    since: float
    last_at: float | None = None
    latency_ms: float | None = None
    level: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    service_id: int
    name: str
    group: str
    tags: tuple[str, ...]


@dataclass(slots=True)
class _Check:
    row: CheckRow
    spark: deque[int | None] = field(default_factory=lambda: deque(maxlen=POINTS))
    strip: deque[str] = field(default_factory=lambda: deque(maxlen=POINTS))

    def status(self, now: float) -> Status:
        """The confirmed status, or UNKNOWN when no result came for three intervals: old green is not shown."""
        row = self.row
        if row.paused:
            return Status.PAUSED
        age_s = None if row.last_at is None else now - row.last_at
        return fresh_or_unknown(row.status, age_s, row.interval_s, row.timeout_s)


@dataclass(slots=True)
class _Service:
    row: ServiceRow
    checks: dict[int, _Check] = field(default_factory=dict)
    uptime: float | None = None
    shown: tuple[Any, ...] = ()

    def status(self, now: float) -> Status:
        statuses = [check.status(now) for check in self.checks.values()]
        active = [status for status in statuses if status is not Status.PAUSED]
        return worst(active) if active else worst(statuses)

    def main_check(self, now: float) -> _Check | None:
        """The check whose latency and strip stand for the service: the worst, the first of equals."""
        if not self.checks:
            return None
        shown = self.status(now)
        return next((check for check in self.checks.values() if check.status(now) is shown), None)


class TeamBoard:
    """The board of one team. Rows are lists in the order that the browser's component documents."""

    def __init__(self, team_id: int) -> None:
        self.team_id = team_id
        self.rev = 0
        self.now = 0.0
        self.incidents: list[dict[str, Any]] = []
        self.activity: deque[dict[str, Any]] = deque(maxlen=POINTS)
        self._services: dict[int, _Service] = {}
        self._owner: dict[int, int] = {}
        self._dirty: set[int] = set()
        self._removed: set[int] = set()
        self._points: list[list[Any]] = []
        self._news: list[dict[str, Any]] = []
        self._incidents_changed = False
        self._uptime_shown: float | None = None
        self._snapshot: tuple[int, bytes] | None = None

    def __contains__(self, service_id: int) -> bool:
        return service_id in self._services

    def put_service(self, row: ServiceRow, checks: Iterable[CheckRow]) -> None:
        """Add or replace a service and its list of checks, keeping the points of those it already has."""
        service = self._services.setdefault(row.service_id, _Service(row))
        service.row = row
        kept = service.checks
        service.checks = {}
        for check_row in checks:
            check = kept.get(check_row.check_id) or _Check(check_row)
            check.row = check_row
            service.checks[check_row.check_id] = check
            self._owner[check_row.check_id] = row.service_id
        self._dirty.add(row.service_id)
        self._removed.discard(row.service_id)

    def remove_service(self, service_id: int) -> None:
        if self._services.pop(service_id, None):
            self._removed.add(service_id)
            self._dirty.discard(service_id)

    def service_ids(self) -> set[int]:
        return set(self._services)

    def put_history(self, check_id: int, latencies: Iterable[float | None], levels: Iterable[str]) -> None:
        """Set a check's last points, oldest first."""
        check = self._check(check_id)
        if check:
            check.spark = deque((_rounded(latency) for latency in latencies), maxlen=POINTS)
            check.strip = deque(levels, maxlen=POINTS)
            self._dirty.add(self._owner[check_id])

    def put_check(self, row: CheckRow) -> None:
        """Take the latest state of a known check; an older or equal one than is held adds no point."""
        check = self._check(row.check_id)
        if check is None:
            return
        before, check.row = check.row, row
        is_new = row.last_at is not None and (before.last_at is None or row.last_at > before.last_at)
        if is_new:
            check.spark.append(_rounded(row.latency_ms) if row.level in "ug" else None)
            check.strip.append(row.level)
        service = self._services[row.service_id]
        if service.main_check(self.now) is check and is_new:
            self._points.append([row.service_id, check.spark[-1], row.level, row.last_at])
        if self._looks(service) != service.shown:
            self._dirty.add(row.service_id)

    def put_uptimes(self, uptimes: dict[int, float | None]) -> None:
        """Percent over the last 24 hours by service id."""
        for service_id, service in self._services.items():
            value = uptimes.get(service_id)
            if value != service.uptime:
                service.uptime = value
                self._dirty.add(service_id)

    def put_incidents(self, incidents: list[dict[str, Any]]) -> None:
        if incidents != self.incidents:
            self.incidents = incidents
            self._incidents_changed = True

    def add_activity(self, line: dict[str, Any]) -> None:
        """Newest last; a line that is held already is left out."""
        if all(line["id"] != held["id"] for held in self.activity):
            self.activity.append(line)
            self._news.append(line)

    def tick(self, now: float) -> None:
        """Let time pass: checks without fresh results become unknown."""
        self.now = now
        for service_id, service in self._services.items():
            if service.shown and service.shown[0] is not service.status(now):
                self._dirty.add(service_id)

    def frame(self) -> dict[str, Any]:
        """What changed since the last frame; `r` grows only when something did."""
        changed: dict[str, Any] = {}
        if self._dirty:
            changed["s"] = [self._row(self._services[found]) for found in sorted(self._dirty)]
        if points := [point for point in self._points if point[0] not in self._dirty]:
            changed["p"] = points
        if self._removed:
            changed["x"] = sorted(self._removed)
        if self._dirty or self._removed:
            changed |= {"c": self.counts(), "u": self.uptime()}
        if self._incidents_changed:
            changed["i"] = self.incidents
        if self._news:
            changed["a"] = self._news
        if changed:
            self.rev += 1
        self._dirty, self._removed, self._points, self._news = set(), set(), [], []
        self._incidents_changed = False
        return {"r": self.rev, "t": self.now} | changed

    def snapshot(self) -> bytes:
        """The whole board at `rev` as JSON, made once per revision."""
        if self._snapshot is None or self._snapshot[0] != self.rev:
            whole = {
                "r": self.rev,
                "now": self.now,
                "counts": self.counts(),
                "uptime": self.uptime(),
                "rows": [self._row(service) for service in self._services.values()],
                "incidents": self.incidents,
                "activity": list(self.activity)[::-1],
            }
            self._snapshot = (self.rev, orjson.dumps(whole))
        return self._snapshot[1]

    def counts(self) -> dict[str, int]:
        """Number of services by status; every status is there."""
        counts = dict.fromkeys((status.value for status in Status), 0)
        for service in self._services.values():
            counts[service.status(self.now).value] += 1
        return counts

    def uptime(self) -> float | None:
        """The mean of the services' 24 h uptimes, in percent."""
        known = [service.uptime for service in self._services.values() if service.uptime is not None]
        return round(sum(known) / len(known), 3) if known else None

    def _check(self, check_id: int) -> _Check | None:
        service = self._services.get(self._owner.get(check_id, 0))
        return service.checks.get(check_id) if service else None

    def _looks(self, service: _Service) -> tuple[Any, ...]:
        """What of a service only a whole row can tell; points alone can't."""
        check = service.main_check(self.now)
        status = service.status(self.now)
        return (status, check and check.row.check_id, _note(status, check))

    def _row(self, service: _Service) -> list[Any]:
        service.shown = self._looks(service)
        status, _, note = service.shown
        check = service.main_check(self.now)
        row = check.row if check else None
        return [
            service.row.service_id,
            service.row.name,
            service.row.group,
            list(service.row.tags),
            status.value,
            row and row.since,
            _rounded(row.latency_ms) if row and row.level in "ug" else None,
            row and row.last_at,
            row.interval_s if row else 0,
            list(check.spark) if check else [],
            "".join(check.strip) if check else "",
            service.uptime,
            note,
        ]


def _note(status: Status, check: _Check | None) -> str:
    if check is None:
        return "No checks yet"
    row = check.row
    if status is Status.DOWN:
        return row.message or "No answer"
    if status is Status.DEGRADED:
        return f"over {row.degraded_ms:,} ms" if row.degraded_ms else row.message
    if status is Status.UNKNOWN:
        return "No fresh results"
    if status is Status.PENDING:
        return "Waiting for the first result"
    return f"{row.label} · every {_span(row.interval_s)}"


def _span(seconds: int) -> str:
    if seconds % 3600 == 0:
        return f"{seconds // 3600} h"
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _rounded(latency: float | None) -> int | None:
    return None if latency is None else round(latency)
