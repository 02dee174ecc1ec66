"""One run of a probe under a deadline. Our own failures become UNKNOWN here, never DOWN."""

import asyncio
from typing import Any

from loguru import logger

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
