"""Daily partitions of check_result: made ahead by the janitor, dropped whole when they are old."""

from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

DAYS_AHEAD = 7


def partition_name(day: date) -> str:
    return f"check_result_{day:%Y%m%d}"


async def ensure_partitions(connection: AsyncConnection, today: date, days_ahead: int = DAYS_AHEAD) -> list[str]:
    """Make yesterday's to `days_ahead` days' partitions where missing; returns the names of those made.

    A day whose rows already went to the DEFAULT partition can't get its own: it is left out, and
    `stray_rows` tells of them.
    """
    present = await _present(connection)
    made = []
    for offset in range(-1, days_ahead + 1):
        day = today + timedelta(days=offset)
        name = partition_name(day)
        if name in present or await _default_has(connection, day):
            continue
        # Names and bounds are dates of ours; utility statements take no parameters.
        await connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF check_result "
            f"FOR VALUES FROM ('{day} 00:00:00+00') TO ('{day + timedelta(days=1)} 00:00:00+00')"
        )
        made.append(name)
    return made


async def drop_partitions(connection: AsyncConnection, before: date) -> list[str]:
    """Drop the partitions of the days before `before`; returns their names."""
    old = sorted(name for name in await _present(connection) if name < partition_name(before))
    for name in old:
        await connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    return old


async def stray_rows(connection: AsyncConnection) -> bool:
    """Whether results had to go to the DEFAULT partition: an alarm, because retention can't drop them."""
    return bool((await connection.execute(text("SELECT EXISTS (SELECT FROM check_result_default)"))).scalar())


async def _present(connection: AsyncConnection) -> set[str]:
    rows = await connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'check_result'::regclass AND c.relname <> 'check_result_default'"
        )
    )
    return set(rows.scalars())


async def _default_has(connection: AsyncConnection, day: date) -> bool:
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    query = text("SELECT EXISTS (SELECT FROM check_result_default WHERE at >= :start AND at < :end)")
    return bool((await connection.execute(query, {"start": start, "end": start + timedelta(days=1)})).scalar())
