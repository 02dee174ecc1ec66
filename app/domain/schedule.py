"""When a check runs next. Slots keep their phase; a late worker skips slots rather than bunching them."""

from datetime import datetime, timedelta

# A lease outlives the probe's deadline by this much (seconds), so that a slow worker isn't taken for a dead one.
LEASE_GRACE_S = 10.0


def next_slot(slot: datetime, interval_s: float, now: datetime) -> datetime:
    """The first slot after `now` on the grid slot + k * interval, k >= 1."""
    late = (now - slot).total_seconds()
    steps = max(1, int(late // interval_s) + 1)
    return slot + timedelta(seconds=steps * interval_s)
