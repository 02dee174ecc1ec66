"""The way of live updates to pages: board frames by broadcast, messages of the bus to a page's own handler.

Everything a page starts here ends with its client. This is the only module that knows NiceGUI's socket server.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from loguru import logger
from nicegui import Client, background_tasks, core, ui
from nicegui import app as nicegui_app

from app.core import clock
from app.live.board import TeamBoard
from app.live.bus import Bus, BusMessage, Topic

TICK_S = 0.5
HEARTBEAT_S = 2.0
_BURST_S = 0.05
_REPLAYED = 6

Handler = Callable[[BusMessage], Awaitable[None] | None]


class Live:
    """Which browsers show which team, and the loop that sends them what changed.

    `boards` maps team ids to boards, and may grow. A browser with the board gets every frame; the others get a pulse
    with the number of open incidents. Both come every HEARTBEAT_S at least: that is how a page knows it is fresh.
    """

    def __init__(self, bus: Bus, boards: Mapping[int, TeamBoard]) -> None:
        self.bus = bus
        self._boards = boards
        self._with_board: defaultdict[int, set[str]] = defaultdict(set)
        self._without: defaultdict[int, set[str]] = defaultdict(set)
        self._recent: defaultdict[int, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=_REPLAYED))
        self._hurry = asyncio.Event()

    def add(self, client: Client, team_id: int, *, board: bool) -> None:
        """Send `client` what its team's pages need, until it ends."""
        viewers = (self._with_board if board else self._without)[team_id]
        viewers.add(client.id)
        client.on_delete(lambda: viewers.discard(client.id))
        if board:
            client.on_connect(lambda: self._replay(client, team_id))

    def open_incidents(self, team_id: int) -> int:
        board = self._boards.get(team_id)
        return len(board.incidents) if board else 0

    def hurry(self) -> None:
        """Send the next frames at once: a status changed."""
        self._hurry.set()

    async def run(self) -> None:
        """Send frames and pulses until cancelled."""
        beat_at = -HEARTBEAT_S
        while True:
            now = clock.monotonic()
            beat = now - beat_at >= HEARTBEAT_S
            if beat:
                beat_at = now
            for team_id in list(self._boards):
                try:
                    await self._send(team_id, beat=beat)
                except Exception:
                    logger.bind(team_id=team_id).exception("A board frame was not sent")
            await self._pause()

    async def _replay(self, client: Client, team_id: int) -> None:
        # What went out between the browser's snapshot and its connection; it skips what it has.
        for frame in list(self._recent[team_id]):
            await _emit("board", frame, {client.id})

    async def _send(self, team_id: int, *, beat: bool) -> None:
        board = self._boards[team_id]
        frame = board.frame()
        changed = len(frame) > len(("r", "t"))
        if changed:
            self._recent[team_id].append(frame)
        if beat or changed:
            await _emit("board", frame, self._with_board[team_id])
        if beat or "i" in frame:
            await _emit("pulse", {"open": len(board.incidents)}, self._without[team_id])

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(TICK_S):
                await self._hurry.wait()
            await asyncio.sleep(_BURST_S)
        except TimeoutError:
            return
        finally:
            self._hurry.clear()


def install(live: Live) -> None:
    """Make `live` the one that pages use."""
    nicegui_app.state.live = live


def follow(client: Client, team_id: int, *, board: bool) -> None:
    """Keep `client` fresh: see Live.add."""
    _live().add(client, team_id, board=board)


def open_incidents(team_id: int) -> int:
    return _live().open_incidents(team_id)


def listen(topic: Topic, team_id: int, handler: Handler) -> None:
    """Call `handler` in the current page for each message of `topic` about the team, until the page ends.

    After a gap in the bus the handler gets a RESYNC message, and reads its state again.
    """
    client = ui.context.client

    def receive(message: BusMessage) -> None:
        if message.topic is Topic.RESYNC or message.team_id == team_id:
            background_tasks.create(_in_page(client, handler, message), name=f"{message.topic} to a page")

    bus = _live().bus
    for end in (bus.subscribe(topic, receive), bus.subscribe(Topic.RESYNC, receive)):
        client.on_delete(end)


async def _in_page(client: Client, handler: Handler, message: BusMessage) -> None:
    if client.is_deleted:
        return
    with client:
        result = handler(message)
        if result is not None:
            await result


async def _emit(event: str, data: dict[str, Any], client_ids: set[str]) -> None:
    if client_ids:
        await core.sio.emit(event, data, room=list(client_ids))


def _live() -> Live:
    live: Live = nicegui_app.state.live
    return live
