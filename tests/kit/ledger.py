"""The ledger receiver: a real HTTP server in the place of Slack that writes down what it got before it answers.

What stands in the ledger was received, whatever became of the sender afterwards; so tests can count lost and
doubled messages. In process: `async with open_ledger(tmp_path / "ledger.jsonl") as ledger`. As a program:
`python -m tests.kit.ledger --port 9099 --file ledger.jsonl`, which prints its address and is steered by
POST /_mode {"behaviour": "error", "path": "*", "times": 3}, POST /_release and GET /_entries.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from tests.kit.wire import close, reset

EVERY_PATH = "*"


class Behaviour(StrEnum):
    """What the receiver does with a request; see _ANSWERS for the plain ones."""

    OK = "ok"
    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    ERROR = "error"
    GONE = "gone"
    WRONG_BODY = "wrong_body"  # 200 with a refusal as its text, as old webhooks do
    REDIRECT = "redirect"
    HOLD_BEFORE_READ = "hold_before_read"  # for every path; on release the held connections are reset unread
    HOLD_AFTER_READ = "hold_after_read"  # written down; answered on release
    REPLY_THEN_HANG = "reply_then_hang"  # says ok, but never ends the answer
    RESET_AFTER_READ = "reset_after_read"


_ANSWERS = {
    Behaviour.RATE_LIMIT: (429, "rate_limited"),
    Behaviour.ERROR: (500, "rollup_error"),
    Behaviour.GONE: (410, "channel_is_archived"),
    Behaviour.WRONG_BODY: (200, "invalid_payload"),
    Behaviour.REDIRECT: (307, ""),
}


@dataclass
class Mode:
    """`times` None means until changed; else the mode ends after so many requests. `seconds` is for Retry-After."""

    behaviour: Behaviour = Behaviour.OK
    times: int | None = None
    seconds: int = 30
    location: str = ""


@dataclass(frozen=True)
class Entry:
    """One request. Header names are in lower case; `body` is the parsed JSON, or the text when it is none.

    `accepted` is False when the answer told the sender that the message was refused.
    """

    path: str
    headers: dict[str, str]
    body: Any
    wall: float
    monotonic: float
    behaviour: Behaviour
    accepted: bool

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


def read_ledger(file: Path) -> list[Entry]:
    """The entries of a ledger's file, also while or after a program writes it."""
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [Entry(**{**row, "behaviour": Behaviour(row["behaviour"])}) for row in rows]


@dataclass
class Ledger:
    """Use `open_ledger`. `holding` counts the connections that wait for `release()`."""

    file: TextIO
    port: int = 0
    entries: list[Entry] = field(default_factory=list)
    holding: int = 0
    _modes: dict[str, Mode] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return self.url_of("/hook")

    def url_of(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def accepted(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.accepted]

    def mode(self, behaviour: Behaviour, path: str = EVERY_PATH, **options: Any) -> None:
        """Change what happens to requests that come from now on; options as in Mode."""
        self._modes[path] = Mode(behaviour, **options)

    def release(self) -> None:
        """Let go of all that is held now; what comes later is held again until the mode changes."""
        self._released.set()
        self._released = asyncio.Event()

    async def wait_for(self, count: int, within_s: float = 10.0) -> list[Entry]:
        """The entries, as soon as there are `count` of them."""
        await self.wait_until(lambda: len(self.entries) >= count, within_s)
        return self.entries

    async def wait_until(self, predicate: Callable[[], bool], within_s: float = 10.0) -> None:
        """Returns once the predicate holds; it is asked again after each change of the ledger."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(predicate)
        except TimeoutError:
            seen = [(entry.path, entry.behaviour.value, entry.key) for entry in self.entries]
            raise AssertionError(f"not within {within_s} s; holding {self.holding}; entries {seen}") from None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            if self._mode_for(EVERY_PATH).behaviour is Behaviour.HOLD_BEFORE_READ:
                self._take(EVERY_PATH)
                await self._hold()
                reset(writer)
                return
            method, path, headers, body = await _read_request(reader)
            if path.startswith("/_"):
                await _reply(writer, 200, self._control(method, path, body))
            else:
                await self._receive(writer, path, headers, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            await close(writer)

    async def _receive(self, writer: asyncio.StreamWriter, path: str, headers: dict[str, str], body: bytes) -> None:
        mode = self._take(path)
        await self._write_down(path, headers, body, mode.behaviour)
        match mode.behaviour:
            case Behaviour.HOLD_AFTER_READ:
                await self._hold()
                await _reply(writer, 200, "ok")
            case Behaviour.RESET_AFTER_READ:
                reset(writer)
            case Behaviour.REPLY_THEN_HANG:
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
                await writer.drain()
                await self._hold()
            case behaviour:
                status, text = _ANSWERS.get(behaviour, (200, "ok"))
                await _reply(writer, status, text, _extra_headers(mode))

    async def _write_down(self, path: str, headers: dict[str, str], body: bytes, behaviour: Behaviour) -> None:
        accepted = behaviour not in _ANSWERS
        entry = Entry(path, headers, _parsed(body), time.time(), time.monotonic(), behaviour, accepted)
        self.file.write(json.dumps(asdict(entry)) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.entries.append(entry)
        await self._tell()

    async def _hold(self) -> None:
        released = self._released
        self.holding += 1
        await self._tell()
        try:
            await released.wait()
        finally:
            self.holding -= 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _mode_for(self, path: str) -> Mode:
        return self._modes.get(path) or self._modes.get(EVERY_PATH) or Mode()

    def _take(self, path: str) -> Mode:
        mode = self._mode_for(path)
        if mode.times is not None:
            mode.times -= 1
            if mode.times <= 0:
                self._modes = {place: other for place, other in self._modes.items() if other is not mode}
        return mode

    def _control(self, method: str, path: str, body: bytes) -> str:
        match method, path:
            case "POST", "/_mode":
                options = json.loads(body)
                self.mode(Behaviour(options.pop("behaviour")), options.pop("path", EVERY_PATH), **options)
            case "POST", "/_release":
                self.release()
            case "GET", "/_entries":
                return json.dumps([asdict(entry) for entry in self.entries])
        return "ok"


@asynccontextmanager
async def open_ledger(file: Path, port: int = 0) -> AsyncIterator[Ledger]:
    """A running receiver on 127.0.0.1 that appends to `file`; port 0 takes a free one."""
    with file.open("a") as stream:
        ledger = Ledger(stream)
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            with contextlib.suppress(asyncio.CancelledError):
                await ledger.serve(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", port)
        ledger.port = server.sockets[0].getsockname()[1]
        try:
            yield ledger
        finally:
            server.close()
            open_tasks = list(tasks)
            for task in open_tasks:
                task.cancel()
            await asyncio.gather(*open_tasks)


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.rstrip().split("\r\n")
    method, path, _ = request_line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def _reply(writer: asyncio.StreamWriter, status: int, text: str, extra: str = "") -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status} Answer\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _extra_headers(mode: Mode) -> str:
    if mode.behaviour is Behaviour.RATE_LIMIT:
        return f"Retry-After: {mode.seconds}\r\n"
    return f"Location: {mode.location}\r\n" if mode.behaviour is Behaviour.REDIRECT else ""


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A webhook receiver that writes down what it got before it answers.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--file", type=Path, required=True)
    options = parser.parse_args()
    async with open_ledger(options.file, options.port) as ledger:
        sys.stdout.write(f"{ledger.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
