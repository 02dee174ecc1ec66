"""The SSH check: a server that greets with its version."""

from pydantic import Field

from app.core.errors import TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.targets import HostConfig, Port, Text, port_field, shown_endpoint
from probes.verdicts import one_line
from probes.visit import Visit, visit

# RFC 4253, 4.2: a server may say other lines before its version.
_MAX_LINES = 20
_MAX_LINE = 8192


class SshConfig(HostConfig):
    """An SSH server, and what its version must contain."""

    port: Port = port_field(22)
    version: Text = Field(
        default="",
        title="Version",
        description="Text that the server's version must contain; empty takes any.",
        max_length=200,
        examples=["OpenSSH_9"],
    )


async def run(config: SshConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        for _ in range(_MAX_LINES):
            line = await stream.read_until(b"\n", _MAX_LINE)
            if line.startswith(b"SSH-"):
                return _judge(run, config, line)
        raise TargetFailed("protocol", "The server does not greet as an SSH server does")

    return await visit(context, talk)


def describe(config: SshConfig) -> str:
    return f"SSH {shown_endpoint(config.host, config.port)}"


SSH: Probe[SshConfig] = Probe(kind="ssh", title="SSH", config=SshConfig, run=run, describe=describe)


def _judge(run: Visit, config: SshConfig, line: bytes) -> str:
    greeting = one_line(line)
    run.facts["body"] = greeting
    if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
        raise TargetFailed("protocol", f"The server speaks no SSH 2: {greeting}")
    if config.version not in greeting:
        raise TargetFailed("keyword", f"The version is another one: {greeting}")
    return greeting
