"""The tables, one file per noun. Importing this package fills SQLModel.metadata."""

from models.channel import Channel, Delivery
from models.check import Check, CheckSchedule, CheckState
from models.incident import Event, Incident, Transition
from models.result import CheckHour, CheckResult
from models.service import Service
from models.team import Membership, Team
from models.user import AuthSession, Installation, User, WorkerSeen

__all__ = [
    "AuthSession",
    "Channel",
    "Check",
    "CheckHour",
    "CheckResult",
    "CheckSchedule",
    "CheckState",
    "Delivery",
    "Event",
    "Incident",
    "Installation",
    "Membership",
    "Service",
    "Team",
    "Transition",
    "User",
    "WorkerSeen",
]
