"""The Redis check against a real Redis, with and without a password."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.redis import REDIS, RedisConfig
from tests.probes.servers import saying


@pytest.fixture
def password() -> str:
    return ""


@pytest.fixture
async def redis(tmp_path: Path, free_port: int, password: str) -> AsyncIterator[int]:
    """A Redis of this test's; its port."""
    program = shutil.which("redis-server")
    assert program, "make test installs redis-server"
    settings = ["--port", str(free_port), "--save", "", "--dir", str(tmp_path), "--bind", "127.0.0.1"]
    settings += ["--requirepass", password] if password else []
    process = await asyncio.create_subprocess_exec(program, *settings, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    while b"Ready to accept" not in await process.stdout.readline():
        assert process.returncode is None
    yield free_port
    process.terminate()
    await process.communicate()


async def check(port: int, **config: Any) -> ProbeResult:
    made = RedisConfig.model_validate({"host": "127.0.0.1", "port": port} | config)
    return await REDIS.run(made, ProbeContext(timeout=5))


async def test_a_server_that_answers_is_up_and_its_keys_are_compared(redis: int) -> None:
    await order(redis, "SET greeting hello")
    await order(redis, "LPUSH list one")
    assert (await check(redis)).message == "PONG"
    assert (await check(redis, key="greeting")).outcome is Outcome.UP
    assert (await check(redis, key="greeting", value="hello")).outcome is Outcome.UP
    other = await check(redis, key="greeting", value="hell")
    assert (other.outcome, other.cause) == (Outcome.DOWN, "answer")
    missing = await check(redis, key="nothing")
    assert (missing.outcome, missing.message) == (Outcome.DOWN, "There is no such key")
    wrong_type = await check(redis, key="list")
    assert (wrong_type.outcome, wrong_type.cause) == (Outcome.DOWN, "status")
    assert "WRONGTYPE" in wrong_type.message


@pytest.mark.parametrize("password", ["open sesame"])
async def test_a_password_is_needed_and_checked(redis: int, password: str) -> None:
    assert (await check(redis, password=password)).outcome is Outcome.UP
    assert (await check(redis, user="default", password=password)).outcome is Outcome.UP
    for wrong in ({"password": "open barley"}, {}):
        result = await check(redis, **wrong)
        assert (result.outcome, result.cause) == (Outcome.DOWN, "auth")
        assert "open barley" not in result.message


@pytest.mark.parametrize("answer", [b"$99999999\r\n", b"$5\r\nab", b"*1\r\n", b"+PANG\r\n", b"$x\r\n"])
async def test_a_broken_answer_is_down(answer: bytes) -> None:
    async with saying(b"", answer) as server:
        result = await check(server.port)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")


async def order(port: int, command: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(command.encode() + b"\r\n")
    assert (await reader.readline())[:1] in {b"+", b":"}
    writer.close()
    await writer.wait_closed()
