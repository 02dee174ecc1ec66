"""One job of a worker, done again each time it is woken and never twice at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loguru import logger

from app.db.session import DATABASE_AWAY

_PAUSE_S = 1.0


class Loop:
    """Survives whatever its job raises: trouble is logged, and the job is tried again after a pause.

    With `at_least_s` the job is done after so many seconds even if nobody woke it: whoever wakes it may follow a wall
    clock, and that can be set back by an hour.
    """

    def __init__(self, name: str, job: Callable[[], Awaitable[object]], at_least_s: float | None = None) -> None:
        self._name = name
        self._job = job
        self._at_least_s = at_least_s
        self._woken = asyncio.Event()
        self._stopping = False
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, unless it was started before."""
        if self._task is None:
            self._task = asyncio.create_task(self._run_for_ever(), name=self._name)

    def wake(self) -> None:
        """Do the job soon; once more when it is being done right now."""
        self._woken.set()

    async def stop(self, patience_s: float = 2.0) -> None:
        """Let the job end if it is being done, and cancel it when that takes more than `patience_s` seconds."""
        if self._task is None:
            return
        self._stopping = True
        self._woken.set()
        await asyncio.wait([self._task], timeout=patience_s)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run_for_ever(self) -> None:
        while True:
            await self._wait()
            if self._stopping:
                return
            self._woken.clear()
            try:
                await self._job()
            except DATABASE_AWAY as error:
                self._tell_away(error)
            except Exception:
                logger.bind(loop=self._name).exception("A loop failed; trying again")
            else:
                self._tell_back()
                continue
            self._woken.set()
            await asyncio.sleep(_PAUSE_S)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._at_least_s):
                await self._woken.wait()

    def _tell_away(self, error: Exception) -> None:
        if not self._away:
            logger.bind(loop=self._name, error=type(error).__name__).warning("The database is away; trying again")
        self._away = True

    def _tell_back(self) -> None:
        if self._away:
            logger.bind(loop=self._name).info("The database is back")
        self._away = False
