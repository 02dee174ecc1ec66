"""Deadlines, sizes and cancelling: no target holds up the others or fills the memory (F14, F16)."""

import asyncio
import resource
import socket

import pytest

from app.domain.status import Outcome
from probes.base import ProbeResult
from tests.probes.helpers import Context, check, open_sockets
from tests.zoo import Behaviour, Kind, Zoo


@pytest.mark.parametrize(
    ("host", "phase"),
    [
        ("silent", "waiting for the first byte"),
        ("dripping", "reading the body"),
        ("dripping-headers", "reading the headers"),
    ],
)
async def test_a_target_that_does_not_finish_is_down_at_the_deadline(
    zoo: Zoo, context: Context, host: str, phase: str
) -> None:
    result = await check(zoo.url(host), context(timeout=0.3))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "timeout")
    assert result.message == f"No answer within 0.3 s ({phase})"
    assert result.latency_ms is not None
    assert result.latency_ms >= 290


async def test_a_connection_that_is_not_accepted_is_down_at_the_deadline(context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        filling = [_connecting(full.getsockname()) for _ in range(4)]
        result = await check(f"http://127.0.0.1:{full.getsockname()[1]}/", context(timeout=0.3))
        for client in filling:
            client.close()
    assert (result.outcome, result.message) == (Outcome.DOWN, "No answer within 0.3 s (connecting)")


def _connecting(address: tuple[str, int]) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(address)
    return client


async def test_a_handshake_that_never_ends_is_down_at_the_deadline(zoo: Zoo, context: Context) -> None:
    async with await asyncio.start_server(_never_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result = await check(f"https://127.0.0.1:{port}/", context(timeout=0.3))
    assert result.message == "No answer within 0.3 s (in the TLS handshake)"


async def test_the_deadline_covers_all_redirects_together(zoo: Zoo, context: Context) -> None:
    zoo.set("redirect-loop", Behaviour(kind=Kind.REDIRECT, status=302, delay=0.2))
    result = await check(zoo.url("redirect-loop"), context(timeout=0.5))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "timeout")
    assert result.message.startswith("No answer within 0.5 s (waiting for the first byte) (after 2 redirects")


async def test_hanging_targets_do_not_delay_the_others(zoo: Zoo, context: Context) -> None:
    """200 silent and dripping targets wait for their deadline; a fast one is done while all of them still hang."""
    order: list[str] = []

    async def note(name: str) -> ProbeResult:
        result = await check(zoo.url(name), context(timeout=3.0))
        order.append(name)
        return result

    hanging = [asyncio.create_task(note(name)) for name in ("silent", "dripping") for _ in range(100)]
    residences = (zoo.residences["silent"], zoo.residences["dripping"])
    await zoo.until(lambda: sum(residence.request_count for residence in residences) == 200)
    sockets = len(open_sockets())
    quick = [await note("fast") for _ in range(20)]
    assert order == ["fast"] * 20
    assert all(result.outcome is Outcome.UP for result in quick)
    slow = await asyncio.gather(*hanging)
    assert {(result.outcome, result.cause) for result in slow} == {(Outcome.DOWN, "timeout")}
    await zoo.until(lambda: not any(residence.connections for residence in residences))
    assert len(open_sockets()) <= sockets - 400  # both ends of each are here


async def test_cancelling_closes_the_connection_at_once(zoo: Zoo, context: Context) -> None:
    await check(zoo.url("fast"), context())
    await zoo.until(lambda: not zoo.residences["fast"].connections)
    before = open_sockets()
    running = asyncio.create_task(check(zoo.url("silent"), context(timeout=60)))
    await zoo.until(lambda: zoo.residences["silent"].request_count == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await zoo.until(lambda: not zoo.residences["silent"].connections)
    assert open_sockets() == before


async def test_a_caller_with_less_patience_wins(zoo: Zoo, context: Context) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await check(zoo.url("silent"), context(timeout=60))
    await zoo.until(lambda: not zoo.residences["silent"].connections)


@pytest.mark.parametrize("host", ["endless-body", "gzip-bomb"])
async def test_a_body_is_read_up_to_a_cap(zoo: Zoo, context: Context, host: str) -> None:
    result = await check(zoo.url(host), context(), keyword="All systems operational")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "keyword")
    assert result.message == "The answer does not contain the keyword in its first 1 MiB"
    assert len(result.facts["body"]) <= 2048
    await zoo.until(lambda: not zoo.residences[host].connections)


@pytest.mark.parametrize("host", ["endless-body", "gzip-bomb"])
async def test_a_capped_body_without_keyword_is_judged_by_its_status(zoo: Zoo, context: Context, host: str) -> None:
    assert (await check(zoo.url(host), context())).outcome is Outcome.UP


async def test_bombs_do_not_fill_the_memory(zoo: Zoo, context: Context) -> None:
    """The peak of the process grows by less than 20 MB, far below the 64 MiB that one bomb decodes to."""
    bomb = ("gzip-bomb", "endless-body", "endless-headers")
    await asyncio.gather(*(check(zoo.url(name), context()) for name in bomb))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(*(check(zoo.url(name), context(), keyword="x" * 9) for name in bomb * 2))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


async def test_headers_without_end_are_down(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("endless-headers"), context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")
    await zoo.until(lambda: not zoo.residences["endless-headers"].connections)


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
