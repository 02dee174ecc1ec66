"""The bus on PostgreSQL's LISTEN and NOTIFY.

A NOTIFY carries at most 7,999 bytes, so a message is packed with others up to that size, or cut into parts that
the receiver joins. Messages that wait together are merged: lists of ids of one topic and team become one list.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator

import orjson
import psycopg
from loguru import logger

from app.live.bus import BusMessage, Subscriptions, Topic

CHANNEL = "pulseboard"
MAX_PAYLOAD = 7_900
_GAP_S = 0.02
_PROBE_S = 10.0
_PAUSE_S = 1.0
_CONNECT_S = 5
_MAX_WAITING = 10_000
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError)
_TOPICS = frozenset(topic.value for topic in Topic)


class PostgresBus(Subscriptions):
    """`url` is a libpq connection string. One connection listens, one publishes; both are remade when lost."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._waiting: list[BusMessage] = []
        self._work = asyncio.Event()
        self._listening = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._parts: dict[str, dict[int, str]] = {}

    @property
    def healthy(self) -> bool:
        return self._listening.is_set()

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._listen_for_ever()), asyncio.create_task(self._publish_for_ever())]
        await self._listening.wait()

    async def close(self) -> None:
        """Send what waits, at most for a second, and close."""
        for _ in range(50):
            if not self._waiting:
                break
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def publish(self, messages: Iterable[BusMessage]) -> None:
        """Hand over to the publisher; never waits for the database, and drops the oldest hints when it is away."""
        self._waiting.extend(messages)
        del self._waiting[:-_MAX_WAITING]
        if self._waiting:
            self._work.set()

    async def _publish_for_ever(self) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    while True:
                        await self._work.wait()
                        await self._publish_waiting(connection)
                        await asyncio.sleep(_GAP_S)
            except _AWAY:
                logger.bind(waiting=len(self._waiting)).warning("The bus can't publish; trying again")
            except Exception:
                logger.exception("The bus could not publish some messages")
            await asyncio.sleep(_PAUSE_S)

    async def _publish_waiting(self, connection: psycopg.AsyncConnection) -> None:
        self._work.clear()
        batch, self._waiting = self._waiting, []
        payloads = list(pack(batch))
        try:
            async with asyncio.timeout(_PROBE_S):
                await connection.execute(
                    "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", (CHANNEL, payloads)
                )
        except _AWAY:
            self._waiting[:0] = batch
            self._work.set()
            raise

    async def _listen_for_ever(self) -> None:
        first = True
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._listening.set()
                    if not first:
                        await self.dispatch(BusMessage(Topic.RESYNC))
                    first = False
                    await self._receive_on(connection)
            except _AWAY:
                logger.warning("The bus can't listen; trying again")
            except Exception:
                logger.exception("The bus stopped listening; trying again")
            self._listening.clear()
            self._parts.clear()
            await asyncio.sleep(_PAUSE_S)

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=_CONNECT_S)

    async def _receive_on(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            async for notify in connection.notifies(timeout=_PROBE_S):
                for message in self._unpack(notify.payload):
                    await self.dispatch(message)
            async with asyncio.timeout(_PROBE_S):  # a hung server is a lost bus
                await connection.execute("SELECT 1")

    def _unpack(self, payload: str) -> Iterator[BusMessage]:
        if payload.startswith("P"):
            whole = self._join(payload)
            if whole is None:
                return
            payload = whole
        for topic, team_id, data in orjson.loads(payload):
            if topic in _TOPICS:  # others are those of a newer Pulseboard beside us
                yield BusMessage(Topic(topic), team_id, data)

    def _join(self, payload: str) -> str | None:
        name, index, total, part = payload[1:].split(" ", 3)
        parts = self._parts.setdefault(name, {})
        parts[int(index)] = part
        if len(parts) < int(total):
            return None
        del self._parts[name]
        return "".join(parts[i] for i in range(int(total)))


def pack(messages: Iterable[BusMessage]) -> Iterator[str]:
    """Payloads of at most MAX_PAYLOAD bytes: JSON lists of [topic, team, data], or parts of one that is too long."""
    group: list[bytes] = []
    size = 2
    for message in merge(messages):
        encoded = _encoded(message)
        if encoded is None:
            continue
        if group and size + len(encoded) + 1 > MAX_PAYLOAD:
            yield from _payloads(group)
            group, size = [], 2
        group.append(encoded)
        size += len(encoded) + 1
    if group:
        yield from _payloads(group)


def merge(messages: Iterable[BusMessage]) -> list[BusMessage]:
    """One message for each topic and team whose data is only a list of ids; the others stay as they are."""
    ids: dict[tuple[Topic, int], dict[int, None]] = {}
    others = []
    for message in messages:
        if message.data.keys() == {"ids"}:
            ids.setdefault((message.topic, message.team_id), {}).update(dict.fromkeys(message.data["ids"]))
        else:
            others.append(message)
    return [BusMessage(topic, team, {"ids": list(found)}) for (topic, team), found in ids.items()] + others


def _encoded(message: BusMessage) -> bytes | None:
    try:
        return orjson.dumps([message.topic, message.team_id, message.data])
    except orjson.JSONEncodeError:
        logger.bind(topic=message.topic).error("A bus message can't be written as JSON and is left out")
        return None


def _payloads(group: list[bytes]) -> Iterator[str]:
    text = "[" + ",".join(item.decode() for item in group) + "]"
    if len(text.encode()) <= MAX_PAYLOAD:
        yield text
        return
    # Four bytes a character at most; the header takes less than 64.
    step = (MAX_PAYLOAD - 64) // 4
    parts = [text[i : i + step] for i in range(0, len(text), step)]
    name = uuid.uuid4().hex
    for index, part in enumerate(parts):
        yield f"P{name} {index} {len(parts)} {part}"
