"""The ledger receiver itself: what it wrote down was received, whatever the sender saw."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.kit.ledger import Behaviour, Ledger, open_ledger, read_ledger
from tests.kit.wire import close

SENDER = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], b'{\"n\": 1}', {'Idempotency-Key': 'k'}))"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(tmp_path / "ledger.jsonl") as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@asynccontextmanager
async def sender(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that posts once; what it thinks of the answer is its own affair."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, url, stderr=asyncio.subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_entry_holds_the_request_and_stands_in_the_file_before_the_answer(
    ledger: Ledger, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    answer = await http.post(ledger.url_of("/a"), json={"text": "ü\u20ac"}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.text) == (200, "ok")
    (entry,) = ledger.entries
    assert (entry.path, entry.key, entry.body, entry.accepted) == ("/a", "k1", {"text": "ü\u20ac"}, True)
    assert read_ledger(tmp_path / "ledger.jsonl") == ledger.entries


async def test_a_body_that_is_no_json_is_kept_as_text(ledger: Ledger, http: httpx.AsyncClient) -> None:
    await http.post(ledger.url, content=b"plain")
    assert ledger.entries[0].body == "plain"


async def test_a_ledger_opened_again_is_appended_to(tmp_path: Path, http: httpx.AsyncClient) -> None:
    for _ in range(2):
        async with open_ledger(tmp_path / "l.jsonl") as ledger:
            await http.post(ledger.url, json=1)
    assert len(read_ledger(tmp_path / "l.jsonl")) == 2


@pytest.mark.parametrize(
    ("behaviour", "status", "text"),
    [
        (Behaviour.RATE_LIMIT, 429, "rate_limited"),
        (Behaviour.ERROR, 500, "rollup_error"),
        (Behaviour.GONE, 410, "channel_is_archived"),
        (Behaviour.WRONG_BODY, 200, "invalid_payload"),
    ],
)
async def test_a_refusal_is_written_down_as_not_accepted_and_ends_after_its_times(
    ledger: Ledger, http: httpx.AsyncClient, behaviour: Behaviour, status: int, text: str
) -> None:
    ledger.mode(behaviour, times=2, seconds=9)
    answers = [await http.post(ledger.url, json=n) for n in range(3)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(status, text), (status, text), (200, "ok")]
    assert [entry.accepted for entry in ledger.entries] == [False, False, True]
    assert answers[0].headers.get("Retry-After") == ("9" if behaviour is Behaviour.RATE_LIMIT else None)


async def test_a_mode_for_one_path_leaves_the_others_alone(ledger: Ledger, http: httpx.AsyncClient) -> None:
    ledger.mode(Behaviour.GONE, path="/gone")
    assert (await http.post(ledger.url_of("/gone"))).status_code == 410
    assert (await http.post(ledger.url_of("/other"))).status_code == 200


async def test_a_sender_killed_after_the_read_leaves_its_message(ledger: Ledger) -> None:
    ledger.mode(Behaviour.HOLD_AFTER_READ)
    async with sender(ledger.url) as process:
        await ledger.wait_until(lambda: ledger.holding == 1)
        process.kill()
        await process.wait()
    ledger.mode(Behaviour.OK)
    ledger.release()
    await ledger.wait_until(lambda: ledger.holding == 0)
    async with sender(ledger.url) as process:
        assert await process.wait() == 0
    assert [entry.key for entry in ledger.accepted] == ["k", "k"]


async def test_what_is_held_before_the_read_is_reset_unread(ledger: Ledger, http: httpx.AsyncClient) -> None:
    ledger.mode(Behaviour.HOLD_BEFORE_READ)
    reader, writer = await asyncio.open_connection("127.0.0.1", ledger.port)
    writer.write(b"POST /hook HTTP/1.1\r\nContent-Length: 1\r\n\r\n1")
    await writer.drain()
    await ledger.wait_until(lambda: ledger.holding == 1)
    ledger.mode(Behaviour.OK)
    ledger.release()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await close(writer)
    await http.post(ledger.url, json=2)
    assert [entry.body for entry in ledger.entries] == [2]


async def test_a_held_sender_is_answered_on_release(ledger: Ledger, http: httpx.AsyncClient) -> None:
    ledger.mode(Behaviour.HOLD_AFTER_READ)
    sending = asyncio.create_task(http.post(ledger.url))
    await ledger.wait_until(lambda: ledger.holding == 1)
    assert not sending.done()
    ledger.release()
    assert (await sending).text == "ok"


async def test_a_reset_comes_after_the_message_was_written_down(ledger: Ledger, http: httpx.AsyncClient) -> None:
    ledger.mode(Behaviour.RESET_AFTER_READ)
    with pytest.raises(httpx.ReadError):
        await http.post(ledger.url)
    assert len(ledger.accepted) == 1


async def test_a_hanging_answer_never_ends(ledger: Ledger, http: httpx.AsyncClient) -> None:
    ledger.mode(Behaviour.REPLY_THEN_HANG)
    async with http.stream("POST", ledger.url, timeout=0.2) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            await answer.aread()
    assert len(ledger.accepted) == 1


async def test_waiting_in_vain_says_what_there_is(ledger: Ledger, http: httpx.AsyncClient) -> None:
    await http.post(ledger.url, headers={"Idempotency-Key": "only-one"})
    with pytest.raises(AssertionError, match="only-one"):
        await ledger.wait_for(2, within_s=0.01)


async def test_the_program_is_steered_over_http_and_its_file_outlives_a_kill(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    file = tmp_path / "ledger.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.ledger", "--file", str(file), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        base = url.removesuffix("/hook")
        await http.post(f"{base}/_mode", json={"behaviour": "error", "times": 1})
        assert [(await http.post(url, json=n)).status_code for n in range(2)] == [500, 200]
        assert [entry["accepted"] for entry in json.loads((await http.get(f"{base}/_entries")).text)] == [False, True]
    finally:
        process.kill()
        await process.communicate()
    assert [entry.body for entry in read_ledger(file)] == [0, 1]
