"""The only source of time: UTC and aware; durations come from a monotonic clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds from an arbitrary start; never goes back."""
    return time.monotonic()
