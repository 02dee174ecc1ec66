"""The whole board for a browser that has just come, or has missed a frame."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.db.session import DATABASE_AWAY
from app.web import plain
from app.web.feed import Feed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """GET /board/snapshot: the JSON of the board of the actor's team."""

    feed: Feed

    def routes(self) -> list[Route]:
        return [Route("/board/snapshot", self._snapshot, methods=["GET"])]

    async def _snapshot(self, request: Request) -> Response:
        try:
            board = await self.feed.board(request.scope["actor"].team_id)
        except DATABASE_AWAY:
            return plain.database_away(request.scope)
        return Response(board.snapshot(), media_type="application/json", headers={"Cache-Control": "no-store"})
