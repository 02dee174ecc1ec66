"""The MQTT check: connect, sign in and ping a broker, by MQTT 3.1.1."""

import struct

from app.core.errors import TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.certificate import certificate_facts
from probes.stream import Stream
from probes.targets import (
    HostConfig,
    OptionalHost,
    Port,
    Text,
    password_field,
    port_field,
    server_name_field,
    shown_endpoint,
    tls_field,
    user_field,
    verify_field,
)
from probes.visit import Tls, Visit, visit

_CONNECT, _CONNACK, _PINGREQ, _PINGRESP, _DISCONNECT = 0x10, 0x20, 0xC0, 0xD0, 0xE0
_CLEAN, _WITH_PASSWORD, _WITH_USER = 0x02, 0x40, 0x80
_KEEP_ALIVE_S = 60
_REFUSALS = {
    1: ("protocol", "The broker does not speak MQTT 3.1.1"),
    2: ("status", "The broker refuses our client identifier"),
    3: ("status", "The broker is not available"),
    4: ("auth", "The broker refuses the user or the password"),
    5: ("auth", "The broker does not let this user in"),
}


class MqttConfig(HostConfig):
    """An MQTT broker."""

    port: Port = port_field(1883)
    user: Text = user_field("Signs in when it is not empty.")
    password: Text = password_field("Sent with the user when it is not empty.")
    tls: bool = tls_field()
    verify_tls: bool = verify_field()
    server_name: OptionalHost = server_name_field()


async def run(config: MqttConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        if config.tls:
            await run.start_tls(stream, Tls(config.server_name or config.host, config.verify_tls))
            if stream.tls is not None:
                run.facts.update(certificate_facts(stream.tls))
        await stream.send(connect_packet(config.user, config.password))
        code = (await _read(stream, _CONNACK, 2))[1]
        run.code = code
        if code:
            raise TargetFailed(*_REFUSALS.get(code, ("status", f"The broker refuses the connection with code {code}")))
        await stream.send(bytes([_PINGREQ, 0]))
        await _read(stream, _PINGRESP, 0)
        await stream.send(bytes([_DISCONNECT, 0]))
        return "The broker answers"

    return await visit(context, talk)


def describe(config: MqttConfig) -> str:
    return f"MQTT {shown_endpoint(config.host, config.port)}"


MQTT: Probe[MqttConfig] = Probe(kind="mqtt", title="MQTT", config=MqttConfig, run=run, describe=describe)


def connect_packet(user: str, password: str) -> bytes:
    """CONNECT with a clean session and no client identifier, so that the broker keeps nothing of ours."""
    flags = _CLEAN
    payload = _text("")
    if user:
        flags |= _WITH_USER
        payload += _text(user)
        if password:
            flags |= _WITH_PASSWORD
            payload += _text(password)
    body = _text("MQTT") + bytes([4, flags]) + struct.pack("!H", _KEEP_ALIVE_S) + payload
    return bytes([_CONNECT]) + _length(len(body)) + body


async def _read(stream: Stream, kind: int, length: int) -> bytes:
    head = await stream.read_exactly(2)
    if head != bytes([kind, length]):
        raise TargetFailed("protocol", "This is no answer of an MQTT broker")
    return await stream.read_exactly(length)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _length(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)
