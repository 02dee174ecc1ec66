"""What only the browser knows."""

from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

_ASK = "return [Intl.DateTimeFormat().resolvedOptions().timeZone, -new Date().getTimezoneOffset()]"
_KEPT = "zone"


async def zone() -> tzinfo:
    """The time zone of the person at the connected page; UTC when the browser doesn't say."""
    storage = ui.context.client.storage
    if _KEPT not in storage:
        try:
            answer = await ui.run_javascript(_ASK, timeout=3)
        except TimeoutError:
            return UTC
        if not isinstance(answer, list) or len(answer) != 2:  # None when the page is gone
            return UTC
        storage[_KEPT] = zone_of(*answer)
    kept: tzinfo = storage[_KEPT]
    return kept


def zone_of(name: Any, minutes: Any) -> tzinfo:
    """The zone of that name, or one with a fixed offset east of UTC where the name isn't known."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError):
        known = isinstance(minutes, int) and abs(minutes) < 24 * 60
        return timezone(timedelta(minutes=minutes)) if known else UTC
