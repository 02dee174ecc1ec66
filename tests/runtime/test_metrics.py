"""A worker knows how long its own event loop stood still."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from app.core import clock
from app.runtime.metrics import LoopLag


@pytest.fixture
async def lag() -> AsyncIterator[LoopLag]:
    watch = LoopLag()
    watch.start()
    yield watch
    watch.stop()


async def test_a_stall_is_seen_at_once_and_remembered(lag: LoopLag) -> None:
    start = clock.monotonic()
    time.sleep(0.3)  # noqa: ASYNC251  the stall
    assert lag.worst_since(start) > 0.2
    await asyncio.sleep(0.1)
    assert lag.worst_since(start) > 0.2


async def test_a_stall_that_was_over_before_does_not_count(lag: LoopLag) -> None:
    time.sleep(1.0)  # noqa: ASYNC251  the stall
    await asyncio.sleep(0.1)
    assert lag.worst_since(clock.monotonic()) < 0.5
