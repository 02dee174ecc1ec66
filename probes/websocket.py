"""The WebSocket check: the handshake, a ping, and if asked a message and its answer."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from app.core.errors import TargetFailed
from probes import escapes
from probes.base import Probe, ProbeConfig, ProbeContext, ProbeResult
from probes.certificate import certificate_facts
from probes.http_config import HttpConfig, wire_url
from probes.stream import Stream
from probes.targets import verify_field
from probes.verdicts import one_line
from probes.visit import Tls, Visit, visit

_MAX_MESSAGES = 64 * 1024
_PING = b"pulseboard"
_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
Escaped = Annotated[str, AfterValidator(escapes.checked)]


class WebSocketConfig(ProbeConfig):
    """A WebSocket server, and what it must answer."""

    url: str = Field(
        title="URL",
        description="The address to check, with ws:// or wss://.",
        max_length=2048,
        examples=["wss://www.example.com/live"],
        json_schema_extra={"widget": "text"},
    )
    send: Escaped = Field(
        default="",
        title="Send",
        description=f"A text message to send after the handshake. {escapes.HINT}",
        max_length=escapes.MAX_BYTES,
        examples=['{"type": "ping"}'],
    )
    expect: Escaped = Field(
        default="",
        title="Expect",
        description=f"What the messages must contain, in their first 64 KiB; empty wants a pong only. {escapes.HINT}",
        max_length=escapes.MAX_BYTES,
        examples=["pong"],
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        title="Headers",
        description="Headers to send with the handshake. Their values are kept secret.",
        max_length=50,
        json_schema_extra={"widget": "mapping", "secret": True, "advanced": True},
    )
    verify_tls: bool = verify_field()

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        wire(value.strip())
        return value.strip()

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        return HttpConfig(url="http://headers.invalid", headers=value).headers


def wire(url: str) -> str:
    """The URL as sent; raises ValueError whose text tells people what is wrong."""
    scheme, separator, rest = url.partition("://")
    if scheme.lower() not in {"ws", "wss"} or not separator:
        raise ValueError("The URL must start with ws:// or wss://")
    secure = scheme.lower() == "wss"
    plain = wire_url(f"http{'s' if secure else ''}://{rest.partition('#')[0]}")
    return plain.replace("http", "ws", 1)


async def run(config: WebSocketConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        url = wire(config.url)
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        stream = await run.connect(host, parts.port or (443 if secure else 80))
        if secure:
            await run.start_tls(stream, Tls(host, config.verify_tls))
            if stream.tls is not None:
                run.facts.update(certificate_facts(stream.tls))
        session = _Session(stream, url)
        await session.open(config.headers)
        run.code = 101
        message = await _converse(run, session, config)
        await session.close()
        return message

    return await visit(context, talk)


def describe(config: WebSocketConfig) -> str:
    return f"WebSocket {config.url}"


WEBSOCKET: Probe[WebSocketConfig] = Probe(
    kind="websocket", title="WebSocket", config=WebSocketConfig, run=run, describe=describe
)


class _Session:
    """The protocol over our stream. Follows no redirect."""

    def __init__(self, stream: Stream, url: str) -> None:
        self._stream = stream
        self._protocol = ClientProtocol(parse_uri(url), max_size=_MAX_MESSAGES)

    async def open(self, headers: dict[str, str]) -> None:
        request = self._protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        answered: Sequence[object] = ()
        while not answered and self._protocol.handshake_exc is None:
            await self._move()
            answered = self._protocol.events_received()
        if (error := self._protocol.handshake_exc) is not None:
            raise _refusal(error)
        self._early = [event for event in answered if isinstance(event, Frame)]

    async def send_text(self, data: bytes) -> None:
        self._protocol.send_text(data)
        await self._flush()

    async def ping(self) -> None:
        self._protocol.send_ping(_PING)
        await self._flush()

    async def frames(self) -> list[Frame]:
        """The next frames. Raises TargetFailed at the end of the connection."""
        frames, self._early = self._early, []
        while not frames:
            await self._move()
            frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            if not frames and self._protocol.parser_exc is not None:
                raise TargetFailed("protocol", "The server broke the protocol")
        if any(frame.opcode is Opcode.CLOSE for frame in frames):
            raise TargetFailed("protocol", "The server closed the connection")
        return frames

    async def close(self) -> None:
        self._protocol.send_close(1000)
        await self._flush()

    async def _move(self) -> None:
        await self._flush()
        data = await self._stream.receive()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            await self._stream.send(data)


def _refusal(error: Exception) -> TargetFailed:
    if isinstance(error, InvalidStatus):
        answer = error.response
        return TargetFailed("status", one_line(f"The handshake was answered with {answer.status_code}"))
    return TargetFailed("protocol", f"The handshake failed: {one_line(str(error), 150)}")


async def _converse(run: Visit, session: _Session, config: WebSocketConfig) -> str:
    if config.send:
        await session.send_text(escapes.to_bytes(config.send))
    if not config.expect:
        await session.ping()
    wanted, seen = escapes.to_bytes(config.expect), bytearray()
    while len(seen) <= _MAX_MESSAGES:
        for frame in await session.frames():
            if frame.opcode is Opcode.PONG and not wanted:
                return "The server answers"
            if frame.opcode in _DATA:
                seen += frame.data
        run.facts["body"] = one_line(bytes(seen))
        if wanted and wanted in seen:
            return "The answer is as expected"
    raise TargetFailed("keyword", "The messages do not contain what was expected")
