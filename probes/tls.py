"""The TLS check: the certificate, its names and days, the chain, and the protocol."""

import ssl
from typing import Annotated, Literal

from pydantic import Field

from app.core.errors import ProbeError, TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.certificate import certificate_facts
from probes.starttls import Protocol, ask_for_tls
from probes.targets import HostConfig, OptionalHost, Port, port_field, server_name_field, shown_endpoint
from probes.verdicts import EXPIRED
from probes.visit import Tls, Visit, visit

Minimum = Literal["TLS 1.2", "TLS 1.3"]
_MINIMUM = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


class TlsConfig(HostConfig):
    """A TLS server whose certificate must be trusted, of its name, and not about to expire."""

    port: Port = port_field(443)
    starttls: Protocol = Field(
        default="none",
        title="STARTTLS",
        description="The protocol in which to ask for TLS; none starts with the TLS handshake.",
        json_schema_extra={"widget": "select"},
    )
    days: Annotated[int, Field(ge=0, le=825)] = Field(
        default=14,
        title="Days left",
        description="DOWN when a certificate of the chain that the server sends has fewer days left than this.",
    )
    minimum: Minimum = Field(
        default="TLS 1.2",
        title="Lowest protocol",
        description="The oldest version of TLS that the server may choose when it is offered newer ones.",
        json_schema_extra={"widget": "select"},
    )
    server_name: OptionalHost = server_name_field()


async def run(config: TlsConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        try:
            await _shake_hands(run, config, verify=True)
        except TargetFailed as error:
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise
            await _look_closer(run, config)
            raise _with_days(error, run) from None
        return _judge(run, config)

    return await visit(context, talk)


def describe(config: TlsConfig) -> str:
    return f"TLS certificate of {shown_endpoint(config.host, config.port)}"


TLS: Probe[TlsConfig] = Probe(kind="tls", title="TLS certificate", config=TlsConfig, run=run, describe=describe)


async def _shake_hands(run: Visit, config: TlsConfig, verify: bool) -> None:
    stream = await run.connect(config.host, config.port)
    await ask_for_tls(stream, config.starttls)
    await run.start_tls(stream, Tls(config.server_name or config.host, verify, _MINIMUM[config.minimum]))
    if stream.tls is not None:
        run.facts.update(certificate_facts(stream.tls))


async def _look_closer(run: Visit, config: TlsConfig) -> None:
    """Fetch a certificate that was refused as evidence: OpenSSL shows it only to who does not verify it."""
    try:
        await _shake_hands(run, config, verify=False)
    except ProbeError:
        return


def _with_days(error: TargetFailed, run: Visit) -> TargetFailed:
    cause = error.__cause__
    days = -run.facts.get("certificate_days", 0)
    if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code == EXPIRED and days > 0:
        return TargetFailed(error.cause, f"{error.message} {_days(days)} ago")
    return error


def _judge(run: Visit, config: TlsConfig) -> str:
    own, chain = run.facts.get("certificate_days"), run.facts.get("certificate_chain_days")
    if own is None or chain is None:
        raise TargetFailed("tls", "The server's certificate can't be read")
    if own < config.days:
        raise TargetFailed("tls", f"Certificate expires in {_days(own)}")
    if chain < config.days:
        raise TargetFailed("tls", f"A certificate of its chain expires in {_days(chain)}")
    return f"Certificate valid for {_days(own)}, {run.facts['tls_version'].replace('v', ' ')}"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
