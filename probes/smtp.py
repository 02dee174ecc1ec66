"""The SMTP check: a mail server that greets, offers TLS if asked, and lets a user in."""

import base64
from typing import Literal, Self

from pydantic import Field, model_validator

from app.core.errors import TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.certificate import certificate_facts
from probes.starttls import read_reply
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
    user_field,
    verify_field,
)
from probes.verdicts import one_line
from probes.visit import Tls, Visit, visit


class SmtpConfig(HostConfig):
    """A mail server. Nothing is ever sent through it."""

    port: Port = port_field(25)
    security: Literal["none", "STARTTLS", "TLS"] = Field(
        default="none",
        title="Security",
        description="STARTTLS asks for TLS after the greeting (ports 25 and 587), TLS starts with it (port 465).",
        json_schema_extra={"widget": "select"},
    )
    user: Text = user_field("Signs in with PLAIN when it is not empty.")
    password: Text = password_field()
    verify_tls: bool = verify_field()
    server_name: OptionalHost = server_name_field()

    @model_validator(mode="after")
    def _check_secrecy(self) -> Self:
        if self.user and self.security == "none":
            raise ValueError("A password is not sent in the clear: choose STARTTLS or TLS")
        return self


async def run(config: SmtpConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        if config.security == "TLS":
            await _secure(run, stream, config)
        greeting = await _ask(stream, b"", 220)
        run.facts["body"] = greeting
        await _ask(stream, b"EHLO pulseboard\r\n", 250)
        if config.security == "STARTTLS":
            await _ask(stream, b"STARTTLS\r\n", 220, "tls")
            await _secure(run, stream, config)
            await _ask(stream, b"EHLO pulseboard\r\n", 250)
        if config.user:
            token = base64.b64encode(f"\0{config.user}\0{config.password}".encode())
            await _ask(stream, b"AUTH PLAIN " + token + b"\r\n", 235, "auth")
        await stream.send(b"QUIT\r\n")
        return f"220 {greeting}" if greeting else "220"

    return await visit(context, talk)


def describe(config: SmtpConfig) -> str:
    return f"SMTP {shown_endpoint(config.host, config.port)}"


SMTP: Probe[SmtpConfig] = Probe(kind="smtp", title="SMTP", config=SmtpConfig, run=run, describe=describe)


async def _secure(run: Visit, stream: Stream, config: SmtpConfig) -> None:
    await run.start_tls(stream, Tls(config.server_name or config.host, config.verify_tls))
    if stream.tls is not None:
        run.facts.update(certificate_facts(stream.tls))


async def _ask(stream: Stream, command: bytes, wanted: int, cause: str = "status") -> str:
    """Send a command and return the first line of its answer."""
    await stream.send(command)
    code, texts = await read_reply(stream)
    if code != wanted:
        verb = one_line(command.partition(b" ")[0]) or "the connection"
        raise TargetFailed(cause, f"{code} {texts[-1]} (answer to {verb})")
    return texts[0]
