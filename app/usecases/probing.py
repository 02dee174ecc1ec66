"""One run of a probe under a deadline. Our own failures become UNKNOWN here, never DOWN."""

import asyncio
from ipaddress import ip_address
from typing import Any

from loguru import logger

from app.core.addresses import AddressPolicy, IPAddress, probe_policy
from app.core.settings import Settings
from app.db.session import engine_url
from app.domain.status import Outcome
from probes import PROBES
from probes.base import ProbeContext, ProbeResult

# The probe keeps its own deadline; this is for one that doesn't.
_OVERRUN_S = 1.0


async def run_probe(kind: str, config: Any, context: ProbeContext) -> ProbeResult:
    """Run the kind's probe; returns a value whatever happens, except for cancellation."""
    try:
        async with asyncio.timeout(context.timeout + _OVERRUN_S):
            return await PROBES[kind].run(config, context)
    except TimeoutError:
        logger.bind(kind=kind).error("A probe overran its deadline")
        return ProbeResult(Outcome.UNKNOWN, cause="internal", message="The check was not finished in time by us")
    except Exception:
        logger.bind(kind=kind).exception("A probe raised")
        return ProbeResult(Outcome.UNKNOWN, cause="internal", message="The check failed inside Pulseboard")


def policy_for(settings: Settings) -> AddressPolicy:
    """Where checks may connect to: anywhere but metadata services and our own ports."""
    own: list[tuple[IPAddress, int]] = [(ip_address("127.0.0.1"), settings.port)]
    if settings.database_url is not None:
        url = engine_url(settings.database_url.get_secret_value())
        own.extend((address, url.port or 5432) for address in _literal(url.host))
    return probe_policy(own)


def _literal(host: str | None) -> list[IPAddress]:
    if host in {None, "localhost"}:
        return [ip_address("127.0.0.1")]
    try:
        return [ip_address(host or "")]
    except ValueError:
        return []
