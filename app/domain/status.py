"""When a check changes its status: pure rules over outcomes, no clock and no database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Outcome(StrEnum):
    """What one run of a check found. Only code that talked to the target may say DOWN."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """What people see of a check or a service."""

    PENDING = "pending"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    PAUSED = "paused"
    UNKNOWN = "unknown"


_WORST_FIRST = (
    Status.DOWN,
    Status.DEGRADED,
    Status.UNKNOWN,
    Status.PENDING,
    Status.MAINTENANCE,
    Status.UP,
    Status.PAUSED,
)

_STALE_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """How many consecutive observations confirm a change; `degraded_ms` None means never degraded."""

    failures: int = 1
    recoveries: int = 1
    degraded_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Streak:
    """A check's confirmed status and the change it may be on the way to.

    `candidate` is the status that the last `count` observations pointed at, None when they agree
    with `status`. `seq` numbers the check's transitions from 1 without gaps.
    """

    status: Status = Status.PENDING
    candidate: Status | None = None
    count: int = 0
    seq: int = 0

    @property
    def suspect(self) -> bool:
        """On the way to a worse status: runs come at the retry interval."""
        return self.candidate is not None and is_worse(self.candidate, self.status)


@dataclass(frozen=True, slots=True)
class Change:
    """A confirmed change of status, the `seq`-th of its check."""

    seq: int
    before: Status
    after: Status


def observe(outcome: Outcome, latency_ms: float | None, policy: Policy) -> Status | None:
    """The status one result points at; None when it says nothing about the target."""
    if outcome is Outcome.UNKNOWN:
        return None
    if outcome is Outcome.DOWN:
        return Status.DOWN
    slow = policy.degraded_ms is not None and (latency_ms or 0.0) > policy.degraded_ms
    return Status.DEGRADED if slow else Status.UP


def advance(streak: Streak, observed: Status | None, policy: Policy) -> tuple[Streak, Change | None]:
    """Take one observation. UNKNOWN (None) neither advances nor resets a streak."""
    if observed is None or streak.status is Status.PAUSED:
        return streak, None
    if observed is streak.status:
        return (streak if streak.candidate is None else replace(streak, candidate=None, count=0)), None
    count = streak.count + 1 if _continues(streak, observed) else 1
    if count < _needed(streak.status, observed, policy):
        return replace(streak, candidate=observed, count=count), None
    change = Change(seq=streak.seq + 1, before=streak.status, after=observed)
    return Streak(status=observed, seq=change.seq), change


def worst(statuses: Sequence[Status]) -> Status:
    """The status a service shows for its enabled checks."""
    return min(statuses, key=_WORST_FIRST.index, default=Status.PENDING)


def is_worse(status: Status, than: Status) -> bool:
    return _WORST_FIRST.index(status) < _WORST_FIRST.index(than)


def _continues(streak: Streak, observed: Status) -> bool:
    if streak.candidate is None:
        return False
    # A recovery counts whatever is not DOWN; a slowdown that turns into a failure starts anew.
    return streak.status is Status.DOWN or streak.candidate is observed


def _needed(status: Status, observed: Status, policy: Policy) -> int:
    if status is Status.PENDING and observed is not Status.DOWN:
        return 1
    return policy.failures if is_worse(observed, status) else policy.recoveries


def fresh_or_unknown(status: Status, age_s: float | None, interval_s: float, timeout_s: float) -> Status:
    """The status of a check whose last result is `age_s` old (None: no result yet): old green is not shown as live."""
    if age_s is None or age_s <= _STALE_INTERVALS * interval_s + timeout_s:
        return status
    return Status.UNKNOWN
