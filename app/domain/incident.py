"""What a confirmed change of status means for incidents and for whom it is told: pure rules."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.status import Change, Status


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


class IncidentStatus(StrEnum):
    OPEN = "open"
    INVESTIGATING = "investigating"
    RESOLVED = "resolved"


class Step(StrEnum):
    """What happens to the incident of a check."""

    NONE = "none"
    OPEN = "open"
    ESCALATE = "escalate"
    EASE = "ease"
    RESOLVE = "resolve"


class MessageKind(StrEnum):
    """What a message to a channel says."""

    DOWN = "down"
    RECOVERED = "recovered"
    TEST = "test"


class Announcement(StrEnum):
    """Whether channels are told, and why."""

    DOWN = "down: channels are told"
    RECOVERED = "recovered: channels that were told of the failure are told of its end"
    QUIET_DEGRADED = "degraded is shown, not sent"
    QUIET_FIRST_UP = "the first result of a check is not news"

    @property
    def message(self) -> MessageKind | None:
        """What channels are sent, None for nothing."""
        return {Announcement.DOWN: MessageKind.DOWN, Announcement.RECOVERED: MessageKind.RECOVERED}.get(self)


@dataclass(frozen=True, slots=True)
class Effect:
    step: Step
    announcement: Announcement


SEVERITY = {Status.DOWN: Severity.CRITICAL, Status.DEGRADED: Severity.WARNING}


def effect(change: Change, incident_open: bool) -> Effect:
    """The effect of `change` when the check's spell of trouble has an incident (`incident_open`) or none."""
    return Effect(_step(change, incident_open), _announcement(change))


def _step(change: Change, incident_open: bool) -> Step:
    if change.after is Status.UP:
        return Step.RESOLVE if incident_open else Step.NONE
    if not incident_open:
        return Step.OPEN
    return Step.ESCALATE if change.after is Status.DOWN else Step.EASE


def _announcement(change: Change) -> Announcement:
    if change.after is Status.DOWN:
        return Announcement.DOWN
    if change.before is Status.DOWN:
        return Announcement.RECOVERED
    return Announcement.QUIET_FIRST_UP if change.before is Status.PENDING else Announcement.QUIET_DEGRADED
