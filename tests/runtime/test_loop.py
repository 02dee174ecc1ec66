"""One job, done again each time it is woken."""

import asyncio

from app.runtime.loop import Loop
from tests.kit.logs import watch_logs


class Job:
    """Counts its runs; raises what it is given, run by run, and can be held."""

    def __init__(self, *errors: Exception) -> None:
        self.runs = 0
        self.finished = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._errors = list(errors)
        self._ran = asyncio.Condition()

    async def __call__(self) -> None:
        self.runs += 1
        async with self._ran:
            self._ran.notify_all()
        await self.gate.wait()
        if self._errors:
            raise self._errors.pop(0)
        self.finished += 1

    async def wait_for(self, runs: int) -> None:
        async with asyncio.timeout(20), self._ran:
            await self._ran.wait_for(lambda: self.runs >= runs)


async def test_nothing_is_done_before_the_loop_is_woken() -> None:
    job = Job()
    loop = Loop("test", job)
    loop.start()
    await asyncio.sleep(0)
    assert job.runs == 0
    loop.wake()
    await job.wait_for(1)
    await loop.stop()


async def test_a_loop_woken_while_it_works_works_once_more() -> None:
    job = Job()
    job.gate.clear()
    loop = Loop("test", job)
    loop.start()
    loop.wake()
    await job.wait_for(1)
    loop.wake()
    loop.wake()
    job.gate.set()
    await job.wait_for(2)
    await loop.stop()
    assert job.runs == 2


async def test_a_loop_that_nobody_wakes_works_all_the_same_when_it_must() -> None:
    job = Job()
    loop = Loop("test", job, at_least_s=0.01)
    loop.start()
    await job.wait_for(3)
    await loop.stop()


async def test_a_job_that_failed_is_tried_again_without_being_woken() -> None:
    job = Job(ZeroDivisionError(), TimeoutError())
    loop = Loop("test", job)
    with watch_logs() as logs:
        loop.start()
        loop.wake()
        await job.wait_for(3)
        await logs.wait_for("The database is back")
    await loop.stop()
    assert logs.messages[0].startswith("A loop failed; trying again")
    assert logs.messages[1:] == ["The database is away; trying again", "The database is back"]


async def test_a_stop_lets_the_job_end() -> None:
    job = Job()
    job.gate.clear()
    loop = Loop("test", job)
    loop.start()
    loop.wake()
    await job.wait_for(1)
    asyncio.get_running_loop().call_later(0.05, job.gate.set)
    await loop.stop()
    assert job.finished == 1


async def test_a_stop_cancels_a_job_that_takes_too_long() -> None:
    job = Job()
    job.gate.clear()
    loop = Loop("test", job)
    loop.start()
    loop.wake()
    await job.wait_for(1)
    await loop.stop(patience_s=0.01)
    assert job.finished == 0
