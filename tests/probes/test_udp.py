"""The UDP check against real sockets."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.udp import UDP, UdpConfig
from tests.probes.servers import saying, serving, silence


async def check(port: int, **config: Any) -> ProbeResult:
    made = UdpConfig.model_validate({"host": "127.0.0.1", "port": port, "send": r"ping\n"} | config)
    return await UDP.run(made, ProbeContext(timeout=5))


async def test_an_answer_is_up() -> None:
    heard: list[bytes] = []

    def answer(data: bytes) -> bytes:
        heard.append(data)
        return b"pong\xff"

    async with serving(_nothing, answer=answer) as server:
        result = await check(server.port, send=r"ping\x00", expect=r"pong\xff")
    assert result.outcome is Outcome.UP
    assert heard == [b"ping\x00"]
    assert result.phases.first_byte is not None


async def test_another_answer_is_down() -> None:
    async with saying(b"pang") as server:
        result = await check(server.port, expect="pong")
        anything = await check(server.port)
    assert (result.outcome, result.cause, result.facts["body"]) == (Outcome.DOWN, "keyword", "pang")
    assert anything.outcome is Outcome.UP


async def test_a_closed_port_is_refused_at_once() -> None:
    async with silence() as server:
        port = server.port
    result = await check(port)
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "connect", "Connection refused")


def test_something_must_be_sent() -> None:
    with pytest.raises(ValidationError):
        UdpConfig(host="127.0.0.1", port=1, send="")


async def _nothing(*_: object) -> None:
    """UDP alone."""
