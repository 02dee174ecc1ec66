"""Who looks at which incident right now, over every process; and word of who is typing. Nothing of it is stored.

Each process publishes all of its own viewers when they change and every BEAT_S, and believes another process for
TTL_S: the viewers of one that was killed are gone within TTL_S + BEAT_S.
"""

import asyncio
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.core import clock
from app.live.bus import Bus, BusMessage, Topic

BEAT_S = 5.0
TTL_S = 15.0
_GATHER_S = 0.05  # many pages that open or close together are one message

Watcher = Callable[[], None]


@dataclass(frozen=True, slots=True, order=True)
class Viewer:
    """One person at one incident. Several tabs of theirs are equal, and so count once."""

    incident_id: int
    user_id: int
    name: str
    initials: str
    color: str


@dataclass(slots=True)
class _Process:
    heard_at: float
    viewers: frozenset[Viewer] = field(default_factory=frozenset)


class Presence:
    """`process` names this process among the others; `now` is a monotonic clock in seconds."""

    def __init__(self, bus: Bus, process: str | None = None, now: Callable[[], float] = clock.monotonic) -> None:
        self._bus = bus
        self._process = process or uuid.uuid4().hex
        self._now = now
        self._tabs: Counter[Viewer] = Counter()
        self._others: dict[str, _Process] = {}
        self._watchers: defaultdict[int, list[Watcher]] = defaultdict(list)
        self._changed = asyncio.Event()
        bus.subscribe(Topic.PRESENCE, self._hear)

    def join(self, viewer: Viewer) -> Callable[[], None]:
        """A tab shows an incident; returns the function that says it no longer does, which may be called twice."""
        self._tabs[viewer] += 1
        self._tell(viewer)
        joined = [viewer]

        def leave() -> None:
            if joined:
                gone = joined.pop()
                self._tabs -= Counter([gone])
                self._tell(gone)

        return leave

    def here(self, incident_id: int) -> list[Viewer]:
        """The people who look at the incident, in any process, each once, by name."""
        found = {viewer.user_id: viewer for viewer in self._all() if viewer.incident_id == incident_id}
        return sorted(found.values(), key=lambda viewer: (viewer.name, viewer.user_id))

    def with_viewers(self, incidents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same rows, for TeamBoard.put_incidents, with `viewers` filled in by their `id`."""
        return [row | {"viewers": [_row(viewer) for viewer in self.here(row["id"])]} for row in incidents]

    def watch(self, incident_id: int, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` when the people at the incident may have changed; returns the function that ends it."""
        watchers = self._watchers[incident_id]
        watchers.append(watcher)

        def end() -> None:
            if watcher in watchers:
                watchers.remove(watcher)
                if not watchers:
                    del self._watchers[incident_id]

        return end

    async def typing(self, team_id: int, viewer: Viewer) -> None:
        """Tell every page of the incident that this person is writing."""
        data = {"incident_id": viewer.incident_id, "user_id": viewer.user_id, "name": viewer.name}
        await self._bus.publish([BusMessage(Topic.TYPING, team_id, data)])

    async def run(self) -> None:
        """Publish this process's viewers and forget those of silent processes, until cancelled."""
        while True:
            self._changed.clear()
            await self.beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()
                await asyncio.sleep(_GATHER_S)

    async def beat(self) -> None:
        """Forget silent processes, and tell the others who looks here."""
        silent = [name for name, process in self._others.items() if not self._is_fresh(process)]
        self._notify(frozenset().union(*(self._others.pop(name).viewers for name in silent)))
        rows = [[v.incident_id, v.user_id, v.name, v.initials, v.color] for v in sorted(self._tabs)]
        await self._bus.publish([BusMessage(Topic.PRESENCE, 0, {"process": self._process, "viewers": rows})])

    def _hear(self, message: BusMessage) -> None:
        name = message.data["process"]
        if name == self._process:
            return
        viewers = frozenset(Viewer(*row) for row in message.data["viewers"])
        before = self._others.get(name)
        self._others[name] = _Process(self._now(), viewers)
        if before is None:
            self._changed.set()  # it may not know us either
        self._notify(viewers ^ (before.viewers if before else frozenset()))

    def _all(self) -> set[Viewer]:
        fresh = (process.viewers for process in self._others.values() if self._is_fresh(process))
        return set(self._tabs).union(*fresh)

    def _is_fresh(self, process: _Process) -> bool:
        return self._now() - process.heard_at <= TTL_S

    def _tell(self, viewer: Viewer) -> None:
        self._changed.set()
        self._notify({viewer})

    def _notify(self, viewers: frozenset[Viewer] | set[Viewer]) -> None:
        for incident_id in {viewer.incident_id for viewer in viewers}:
            for watcher in list(self._watchers.get(incident_id, ())):
                watcher()


def _row(viewer: Viewer) -> dict[str, str]:
    return {"name": viewer.name, "initials": viewer.initials, "color": viewer.color}
