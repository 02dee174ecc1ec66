"""People before browsers: plain requests, pages of NiceGUI, and raw sockets to them."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from models import User

PATIENCE_S = 20.0
HTML = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """What a browser learns from a page's HTML."""

    client_id: str
    html: str
    headers: httpx.Headers

    def listener_of(self, event: str) -> tuple[int, str]:
        """The element and the listener that wait for `event`."""
        elements = json.loads(re.search(r"String\.raw`(.*?)`", self.html, re.DOTALL)[1].replace("&lt;", "<"))  # type: ignore[index]
        for number, element in elements.items():
            for listener in element.get("events", []):
                if listener["type"] == event:
                    return int(number), str(listener["listener_id"])
        raise AssertionError(f"nothing on the page waits for {event}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    origin: str
    user: User
    team_id: int
    session_id: str
    token: str

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"pulseboard={self.token}"}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.origin, trust_env=False) as client:
            return await client.get(path, headers=self.cookie | headers)

    async def open_page(self, path: str = "/") -> OpenedPage:
        answer = await self.get(path, **HTML)
        assert answer.status_code == 200
        found = re.search(r"client_id[^0-9a-f]+([0-9a-f-]{36})", answer.text)
        assert found
        return OpenedPage(found[1], answer.text, answer.headers)


class Refused(Exception):
    """A socket was not let in; `said` is the reason."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class PageSocket:
    """A socket that speaks just enough of the protocol of NiceGUI's pages."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.received: list[str] = []

    async def join(self) -> None:
        """Connect to the namespace; raises Refused when NiceGUI or the guard says no."""
        await self._connection.send("40")
        answer = await self.wait_for("4")
        if answer.startswith("44"):
            raise Refused(answer[2:])

    async def emit(self, event: str, data: Any) -> None:
        await self._connection.send("42" + json.dumps([event, data]))

    async def ask(self, event: str, data: Any) -> Any:
        """Emit and wait until the handler is done; returns what it returned, None for nothing."""
        await self._connection.send("420" + json.dumps([event, data]))
        return next(iter(json.loads((await self.wait_for("430"))[3:])), None)

    async def wait_for(self, start: str) -> str:
        """The next message that begins so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self._next()
                if message.startswith(start):
                    return message

    async def settled(self) -> None:
        """All that was sent before has been handled: the answer to a last question has come."""
        await self.ask("handshake", {})

    async def wait_for_end(self) -> None:
        """Read until the server closes the socket."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    await self._next()
            except ConnectionClosed:
                return

    async def _next(self) -> str:
        message = str(await self._connection.recv())
        if message == "2":
            await self._connection.send("3")
        self.received.append(message)
        return message


@asynccontextmanager
async def open_socket(
    person: Person, client_id: str, headers: dict[str, str] | None = None, **query: str
) -> AsyncIterator[PageSocket]:
    """A socket as the page of `client_id` opens it, not joined yet; raises InvalidStatus when the guard refuses it.

    `headers` replace Cookie and Origin; a `query` value replaces what a browser would send.
    """
    if headers is None:
        headers = person.cookie | {"Origin": person.origin}
    asked = {
        "client_id": client_id,
        "tab_id": f"tab-{client_id}",
        "document_id": str(uuid.uuid4()),
        "next_message_id": "0",
        "implicit_handshake": "true",
        "EIO": "4",
        "transport": "websocket",
    }
    address = f"{person.origin.replace('http', 'ws')}/_nicegui_ws/socket.io/?{urlencode(asked | query)}"
    async with connect(address, additional_headers=headers, proxy=None, open_timeout=PATIENCE_S) as connection:
        socket = PageSocket(connection)
        await socket.wait_for("0")
        yield socket


@asynccontextmanager
async def joined_socket(person: Person, page: OpenedPage) -> AsyncIterator[PageSocket]:
    """The socket of a page that its own browser has opened."""
    async with open_socket(person, page.client_id) as socket:
        await socket.join()
        yield socket
