"""Waiting for the database to say something."""

import asyncio
from typing import Any

from sqlalchemy import text

from app.db.session import Database

_LOOK_S = 0.03


async def rows(database: Database, sql: str, **values: Any) -> list[Any]:
    """What the query finds now."""
    async with database.transaction() as session:
        return list(await (await session.connection()).execute(text(sql), values))


async def value(database: Database, sql: str, **values: Any) -> Any:
    """The one value that the query finds now, None when it finds nothing."""
    found = await rows(database, sql, **values)
    return found[0][0] if found else None


async def until(database: Database, sql: str, within_s: float = 20.0, **values: Any) -> Any:
    """The query's one value as soon as it is true."""
    try:
        async with asyncio.timeout(within_s):
            while not (found := await value(database, sql, **values)):  # noqa: ASYNC110  others change it
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {sql}") from None
    return found
