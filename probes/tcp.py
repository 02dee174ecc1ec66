"""The TCP check: a port that accepts connections and, if asked, answers as expected."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.errors import TargetFailed
from probes import escapes
from probes.base import Probe, ProbeContext, ProbeResult
from probes.stream import Stream
from probes.targets import HostConfig, OptionalHost, Port, server_name_field, shown_endpoint, tls_field, verify_field
from probes.verdicts import one_line
from probes.visit import Tls, Visit, visit

_MAX_ANSWER = 64 * 1024

Escaped = Annotated[str, AfterValidator(escapes.checked)]


class TcpConfig(HostConfig):
    """A TCP port, with or without TLS, and what to say and hear there."""

    port: Port = Field(title="Port", description="The TCP port to connect to.", examples=[5432])
    tls: bool = tls_field()
    send: Escaped = Field(
        default="",
        title="Send",
        description=f"What to send once connected. {escapes.HINT}",
        max_length=escapes.MAX_BYTES,
        examples=[r"PING\r\n"],
    )
    expect: Escaped = Field(
        default="",
        title="Expect",
        description=f"What the first 64 KiB of the answer must contain; empty asks for no answer. {escapes.HINT}",
        max_length=escapes.MAX_BYTES,
        examples=["PONG"],
    )
    verify_tls: bool = verify_field()
    server_name: OptionalHost = server_name_field()


async def run(config: TcpConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        if config.tls:
            await run.start_tls(stream, Tls(config.server_name or config.host, config.verify_tls))
        await stream.send(escapes.to_bytes(config.send))
        if not config.expect:
            return "The port is open"
        await _expect(run, stream, escapes.to_bytes(config.expect))
        return "The answer is as expected"

    return await visit(context, talk)


def describe(config: TcpConfig) -> str:
    return f"{'TLS' if config.tls else 'TCP'} {shown_endpoint(config.host, config.port)}"


TCP: Probe[TcpConfig] = Probe(kind="tcp", title="TCP port", config=TcpConfig, run=run, describe=describe)


async def _expect(run: Visit, stream: Stream, wanted: bytes) -> None:
    answer = bytearray()
    while wanted not in answer:
        data = await stream.receive()
        answer += data
        run.facts["body"] = one_line(bytes(answer))
        if not answer:
            raise TargetFailed("protocol", "The connection was closed without an answer")
        if not data or len(answer) > _MAX_ANSWER:
            raise TargetFailed("keyword", "The answer does not contain what was expected")
