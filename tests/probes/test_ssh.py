"""The SSH check against servers that greet well, late, wrongly and without end."""

import asyncio
from typing import Any

import pytest

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.ssh import SSH, SshConfig
from tests.probes.servers import Server, saying, serving


async def check(server: Server, **config: Any) -> ProbeResult:
    made = SshConfig.model_validate({"host": "127.0.0.1", "port": server.port} | config)
    return await SSH.run(made, ProbeContext(timeout=5))


async def test_a_greeting_is_up_and_told() -> None:
    async with saying(b"Welcome.\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n") as server:
        result = await check(server, version="OpenSSH_9")
    assert (result.outcome, result.message) == (Outcome.UP, "SSH-2.0-OpenSSH_9.2p1 Debian-2")
    assert result.phases.first_byte is not None


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (b"SSH-2.0-dropbear\r\n", "keyword"),
        (b"SSH-1.5-OpenSSH_9\r\n", "protocol"),
        (b"220 mail\r\n", "protocol"),
        (b"hello\r\n" * 30, "protocol"),
    ],
)
async def test_another_greeting_is_down(greeting: bytes, cause: str) -> None:
    async with saying(greeting) as server:
        result = await check(server, version="OpenSSH_9")
    assert (result.outcome, result.cause) == (Outcome.DOWN, cause)


async def test_a_line_without_end_ends_at_its_bound() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with serving(flood) as server:
        result = await check(server)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")
    assert "longer" in result.message
