"""Runs claimed checks side by side and hands their results to the recorder."""

import asyncio
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.addresses import AddressPolicy
from app.core.crypto import Sealer
from app.domain.status import Outcome
from app.runtime.metrics import Counters, LoopLag
from app.runtime.recorder import Recorder
from app.usecases.probing import run_probe
from app.usecases.results import judge
from app.usecases.schedule import CheckConfig, Claim, load_configs
from probes.base import ProbeContext, ProbeResult

# A stall of our own of more than this part of the timeout makes a measurement worthless.
_LAG_SHARE = 0.2
_CACHED_CONFIGS = 20_000
_OVERLOADED = ProbeResult(
    Outcome.UNKNOWN, cause="overloaded", message="The check was not measured: Pulseboard was too busy"
)


@dataclass(frozen=True, slots=True)
class Means:
    """What checks are run with."""

    sealer: Sealer
    policy: AddressPolicy
    lag: LoopLag
    counters: Counters


class Checker:
    """`capacity` is how many checks run at the same time."""

    def __init__(self, means: Means, recorder: Recorder, capacity: int) -> None:
        self._means = means
        self._recorder = recorder
        self._capacity = capacity
        self._configs: dict[int, CheckConfig] = {}
        self._running: dict[asyncio.Task[None], Claim] = {}

    @property
    def free(self) -> int:
        return self._capacity - self.running

    @property
    def running(self) -> int:
        return len(self._running)

    async def prepare(self, session: AsyncSession, claims: list[Claim]) -> None:
        """Read the configs that are missing or of another version; in the transaction that makes the claims."""
        if len(self._configs) > _CACHED_CONFIGS:
            self._configs.clear()
        missing = [claim.check_id for claim in claims if not self._is_known(claim)]
        if missing:
            self._configs |= await load_configs(session, missing, self._means.sealer)

    def start(self, claims: list[Claim]) -> None:
        """Run the claims, which must be prepared; returns at once."""
        for claim in claims:
            task = asyncio.create_task(self._run(claim, self._configs[claim.check_id]))
            self._running[task] = claim
            task.add_done_callback(self._running.pop)

    async def stop(self, patience_s: float) -> list[Claim]:
        """Let runs end for `patience_s` seconds, cancel the others, and return their claims."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience_s)
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
        return list(unfinished.values())

    def _is_known(self, claim: Claim) -> bool:
        config = self._configs.get(claim.check_id)
        return config is not None and config.version == claim.version

    async def _run(self, claim: Claim, config: CheckConfig) -> None:
        started = clock.monotonic()
        result = await self._measure(claim, config)
        ended = clock.monotonic()
        if self._means.lag.worst_since(started) > _LAG_SHARE * claim.timeout_s:
            self._means.counters.overloaded_results += 1
            result = _OVERLOADED
        self._recorder.add(judge(claim, result, started, ended))

    async def _measure(self, claim: Claim, config: CheckConfig) -> ProbeResult:
        if config.error:
            return ProbeResult(Outcome.UNKNOWN, cause="internal", message=config.error)
        context = ProbeContext(timeout=claim.timeout_s, address_policy=self._means.policy)
        return await run_probe(config.kind, config.config, context)
