"""What a worker measures of itself: counts for its heartbeat, and how late its event loop is."""

import asyncio
from collections import deque
from dataclasses import dataclass

from app.core import clock

_TICK_S = 0.05
_NOTABLE_S = 0.05
_REMEMBERED = 512


@dataclass(slots=True)
class Counters:
    """Since the worker's start. A stale result came after its lease; a dropped one found the buffer full."""

    results: int = 0
    stale_results: int = 0
    dropped_results: int = 0
    unstorable_results: int = 0
    overloaded_results: int = 0
    messages_sent: int = 0
    messages_failed: int = 0
    stalled_jobs: int = 0


class LoopLag:
    """Watches how long the running event loop was stuck; knows when, for about the last half minute of trouble."""

    def __init__(self) -> None:
        self._stalls: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._expected = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._expected = clock.monotonic() + _TICK_S
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def worst_since(self, start: float) -> float:
        """The longest stall in seconds that was not over before `start`, a monotonic reading."""
        worst = max(0.0, clock.monotonic() - self._expected)
        for ended, length in reversed(self._stalls):
            if ended < start:
                break
            worst = max(worst, length)
        return worst

    def _tick(self) -> None:
        now = clock.monotonic()
        if now - self._expected > _NOTABLE_S:
            self._stalls.append((now, now - self._expected))
        self.start()
