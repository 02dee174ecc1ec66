"""Browsers as the web process sees them, many in one process: the page, its snapshot, and its websocket.

Started by benchmarks.board, which writes one line of JSON to stdin, {"url": ..., "cookies": [...]}; this says "ready"
when every browser is connected, and prints what they have received at SIGTERM.
"""

import ast
import asyncio
import json
import re
import signal
import sys
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import orjson
import uvloop

_AT_A_TIME = 5
_QUERY = re.compile(r"query: (\{.*?\}),")
_REVISION = re.compile(r'"r":(\d+)')
_BOARD = '42["board",'
_DATA = ('"s":', '"p":')


@dataclass
class Frame:
    """A board frame: (service, time of the result) and (service, since) of its rows, and when it came to whom."""

    results: list[tuple[int, float]] = field(default_factory=list)
    changes: list[tuple[int, float]] = field(default_factory=list)
    received: list[float] = field(default_factory=list)


@dataclass
class Seen:
    """By all browsers together. A gap is a missed frame."""

    frames: dict[int, Frame] = field(default_factory=dict)
    bytes: int = 0
    messages: int = 0
    gaps: int = 0
    page_bytes: int = 0
    snapshot_bytes: int = 0

    def take(self, text: str, last: int) -> int:
        """One message of a browser whose last revision was `last`; returns the one it has now."""
        now = time.time()
        self.bytes += len(text)
        self.messages += 1
        if not text.startswith(_BOARD):
            return last
        found = _REVISION.search(text)
        assert found is not None
        revision = int(found[1])
        if revision > last + 1:
            self.gaps += 1
        if revision > last:
            frame = self.frames.get(revision)
            if frame is None:
                frame = self.frames[revision] = _read(text)
            frame.received.append(now)
        return max(revision, last)


def _read(text: str) -> Frame:
    data = orjson.loads(text.removeprefix("42"))[1]
    rows = data.get("s", [])
    results = [(point[0], point[3]) for point in data.get("p", [])] + [(row[0], row[7]) for row in rows]
    return Frame(results, [(row[0], row[5]) for row in rows])


class Browser:
    def __init__(self, http: aiohttp.ClientSession, url: str, cookie: str, seen: Seen) -> None:
        self._http = http
        self._url = url
        self._headers = {"Cookie": cookie, "Accept": "text/html,*/*"}
        self._seen = seen

    async def open(self) -> tuple[aiohttp.ClientWebSocketResponse, int]:
        """Load the page and the board, and connect as the page's own script does; the socket, the board's revision."""
        page = await self._get("/")
        found = _QUERY.search(page)
        assert found is not None, page[:500]
        query: dict[str, Any] = ast.literal_eval(found[1]) | {"EIO": 4, "transport": "websocket"}
        query |= {"document_id": str(uuid.uuid4()), "tab_id": str(uuid.uuid4()), "old_tab_id": "null"}
        self._seen.page_bytes = len(page)
        snapshot = await self._get("/board/snapshot")
        self._seen.snapshot_bytes = len(snapshot)
        socket = await self._http.ws_connect(
            f"{self._url}/_nicegui_ws/socket.io/",
            params={name: json.dumps(value) if value is True else str(value) for name, value in query.items()},
            headers=self._headers | {"Origin": self._url},
        )
        assert (await socket.receive_str()).startswith("0")
        await socket.send_str("40")
        answer = await socket.receive_str()
        assert answer.startswith("40"), answer
        return socket, int(orjson.loads(snapshot)["r"])

    async def watch(self, socket: aiohttp.ClientWebSocketResponse, last: int) -> None:
        """Follow the board, of which revision `last` is known."""
        async for message in socket:
            text = str(message.data)
            if text == "2":
                await socket.send_str("3")
            else:
                last = self._seen.take(text, last)
        raise ConnectionError("The web process has closed a socket")

    async def _get(self, path: str) -> str:
        async with self._http.get(self._url + path, headers=self._headers, allow_redirects=False) as response:
            assert response.status == 200, f"{path}: {response.status}"
            return await response.text()


async def _main(url: str, cookies: list[str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    seen, gate = Seen(), asyncio.Semaphore(_AT_A_TIME)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        watching: list[asyncio.Task[None]] = []

        async def come(cookie: str) -> None:
            browser = Browser(http, url, cookie, seen)
            async with gate:
                socket, revision = await browser.open()
            watching.append(asyncio.create_task(browser.watch(socket, revision)))

        await asyncio.gather(*(come(cookie) for cookie in cookies))
        print("ready", flush=True)
        started, before = time.time(), seen.bytes
        done, _ = await asyncio.wait([asyncio.create_task(stop.wait()), *watching], return_when="FIRST_COMPLETED")
        await asyncio.gather(*done)
        report: dict[str, Any] = asdict(seen)
        report["bytes_per_s"] = (seen.bytes - before) / (time.time() - started) / len(cookies)
        report["browsers"] = len(cookies)
        print(json.dumps(report), flush=True)
        for task in watching:
            task.cancel()


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    uvloop.run(_main(given["url"], given["cookies"]))
