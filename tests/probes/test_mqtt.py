"""The MQTT check against a real broker."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.mqtt import MQTT, MqttConfig, connect_packet
from tests.probes.helpers import Context
from tests.probes.servers import saying, upgrading
from tests.zoo import Zoo

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"])
_CONNACK = b"\x20\x02\x00"


@pytest.fixture
def anonymous() -> bool:
    return True


@pytest.fixture
async def broker(tmp_path: Path, free_port: int, anonymous: bool) -> AsyncIterator[int]:
    """A mosquitto of this test's; its port."""
    program = shutil.which("mosquitto", path=PATH)
    assert program, "make test installs mosquitto"
    settings = tmp_path / "mosquitto.conf"
    allowed = "true" if anonymous else "false"
    settings.write_text(f"listener {free_port} 127.0.0.1\nallow_anonymous {allowed}\nuser root\n")
    process = await asyncio.create_subprocess_exec(
        program, "-v", "-c", str(settings), stderr=asyncio.subprocess.STDOUT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    while b" running" not in await process.stdout.readline():
        assert process.returncode is None
    yield free_port
    process.terminate()
    await process.communicate()


async def check(port: int, **config: Any) -> ProbeResult:
    made = MqttConfig.model_validate({"host": "127.0.0.1", "port": port} | config)
    return await MQTT.run(made, ProbeContext(timeout=5))


async def test_a_broker_that_answers_is_up(broker: int) -> None:
    result = await check(broker)
    assert (result.outcome, result.message, result.code) == (Outcome.UP, "The broker answers", 0)
    assert (await check(broker, user="ann", password="x" * 200)).outcome is Outcome.UP


@pytest.mark.parametrize("anonymous", [False])
async def test_a_broker_that_lets_nobody_in_is_down(broker: int, anonymous: bool) -> None:
    result = await check(broker)
    assert (result.outcome, result.cause, result.code) == (Outcome.DOWN, "auth", 5)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (_CONNACK + b"\x01", "protocol"),
        (_CONNACK + b"\x03", "status"),
        (_CONNACK + b"\x04", "auth"),
        (_CONNACK + b"\x63", "status"),
        (_CONNACK, "protocol"),
        (_CONNACK + b"\x00\x30\x00", "protocol"),
    ],
)
async def test_other_answers_are_down(answer: bytes, cause: str) -> None:
    async with saying(b"", answer) as server:
        result = await check(server.port)
    assert (result.outcome, result.cause) == (Outcome.DOWN, cause)


async def test_a_broker_behind_tls(zoo: Zoo, context: Context) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(zoo.ca_file.parent / "valid.pem")
    dialogue = ((b"\x10", _CONNACK + b"\x00"), (b"\xc0\x00", b"\xd0\x00"))
    async with upgrading(tls, secure=dialogue) as port:
        result = await MQTT.run(MqttConfig(host="127.0.0.1", port=port, tls=True), context())
    assert (result.outcome, result.facts["certificate_days"]) == (Outcome.UP, 90)


def test_a_long_packet_tells_its_length_in_two_bytes() -> None:
    packet = connect_packet("ann", "x" * 200)
    assert packet[0] == 0x10
    assert (packet[1] & 0x7F) + packet[2] * 128 == len(packet) - 3
