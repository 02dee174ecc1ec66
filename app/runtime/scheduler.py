"""Claims due checks, as many as there is room for."""

from app.db.session import Database
from app.runtime.checker import Checker
from app.runtime.loop import Loop
from app.usecases.schedule import Claim, claim_due

_BATCH = 500
_AT_LEAST_S = 2.0


class Scheduler:
    """The clock and the bus wake it; a claim that found a full batch is followed by another at once."""

    def __init__(self, database: Database, checker: Checker, grace_s: float) -> None:
        self._database = database
        self._checker = checker
        self._grace_s = grace_s
        self._loop = Loop("claims", self._claim, _AT_LEAST_S)
        self.wake = self._loop.wake
        self.start = self._loop.start
        self.stop = self._loop.stop

    async def _claim(self) -> None:
        while room := min(self._checker.free, _BATCH):
            claims = await self._claim_up_to(room)
            self._checker.start(claims)
            if len(claims) < room:
                return

    async def _claim_up_to(self, room: int) -> list[Claim]:
        async with self._database.transaction() as session:
            claims = await claim_due(session, room, self._grace_s)
            if claims:
                await self._checker.prepare(session, claims)
        return claims
