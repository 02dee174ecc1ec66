"""The UDP check: what a port answers to a datagram."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.errors import TargetFailed
from probes import escapes
from probes.base import Probe, ProbeContext, ProbeResult
from probes.datagrams import Datagrams
from probes.targets import HostConfig, Port, shown_endpoint
from probes.verdicts import one_line
from probes.visit import Visit, visit

Escaped = Annotated[str, AfterValidator(escapes.checked)]


class UdpConfig(HostConfig):
    """A UDP port. It counts as UP by its answer only: a datagram that is not refused may as well be lost."""

    port: Port = Field(title="Port", description="The UDP port to send to.", examples=[123])
    send: Escaped = Field(
        title="Send",
        description=f"The datagram to send. {escapes.HINT}",
        min_length=1,
        max_length=escapes.MAX_BYTES,
        examples=[r"ping\n"],
    )
    expect: Escaped = Field(
        default="",
        title="Expect",
        description=f"What the answer must contain; empty takes any answer. {escapes.HINT}",
        max_length=escapes.MAX_BYTES,
        examples=["pong"],
    )


async def run(config: UdpConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        address = (await run.resolve(config.host, config.port))[0]
        datagrams = Datagrams(run, address, config.port)
        datagrams.send(escapes.to_bytes(config.send))
        answer = await datagrams.receive()
        run.facts["body"] = one_line(answer)
        if escapes.to_bytes(config.expect) not in answer:
            raise TargetFailed("keyword", "The answer does not contain what was expected")
        return "The answer is as expected" if config.expect else "The port answers"

    return await visit(context, talk)


def describe(config: UdpConfig) -> str:
    return f"UDP {shown_endpoint(config.host, config.port)}"


UDP: Probe[UdpConfig] = Probe(kind="udp", title="UDP port", config=UdpConfig, run=run, describe=describe)
