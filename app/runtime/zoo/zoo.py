"""The zoo as a whole: starts the hosts, plays schedules, and takes orders in process or on its control port."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from app.core import clock
from app.runtime.zoo.behaviour import Behaviour
from app.runtime.zoo.cast import DEMO_CAST, Host
from app.runtime.zoo.certificates import Authority
from app.runtime.zoo.connection import Connection, Received
from app.runtime.zoo.journal import Journal
from app.runtime.zoo.residence import Residence
from app.runtime.zoo.schedule import Step

_LOOPBACK = "127.0.0.1"


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    behaviour: Behaviour


class Zoo:
    """An async context manager. With a `port_base` the control port is the base and the hosts follow in order.

    Raises OSError when a port is taken. `ca_file` holds the authority to trust for hosts with a valid certificate.
    """

    def __init__(self, cast: Sequence[Host] = DEMO_CAST, port_base: int = 0, journal: Path | None = None) -> None:
        self._cast = tuple(cast)
        self._port_base = port_base
        self._journal = Journal(journal)
        self._stirred = asyncio.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="zoo-")
        self._control = _Control(self)
        self.residences: dict[str, Residence] = {}

    @property
    def ca_file(self) -> Path:
        return Path(self._folder.name) / "ca.pem"

    @property
    def control_url(self) -> str:
        return f"http://{_LOOPBACK}:{self._control.port}/_control"

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _start(self) -> None:
        authority = Authority(Path(self._folder.name))
        await self._control.start(_LOOPBACK, self._port_base)
        for index, host in enumerate(self._cast, start=1):
            port = self._port_base + index if self._port_base else 0
            residence = Residence(host, (_LOOPBACK, port), self._journal, self._stirred.set)
            self.residences[host.name] = residence
            await residence.start(authority.context(host.tls) if host.tls else None)

    async def _close(self) -> None:
        for residence in self.residences.values():
            await residence.close()
        self._control.close()
        self._journal.close()
        self._folder.cleanup()

    def url(self, name: str, path: str = "/") -> str:
        residence = self.residences[name]
        scheme = "https" if residence.host.tls else "http"
        return f"{scheme}://{_LOOPBACK}:{residence.address[1]}{path}"

    def set(self, name: str, behaviour: Behaviour) -> None:
        """Change how a host answers requests that arrive from now on. Raises KeyError for an unknown host."""
        self.residences[name].set(behaviour)

    async def play(self, steps: Iterable[Step]) -> None:
        """Take the steps at their times, counted from now."""
        start = clock.monotonic()
        for step in steps:
            await asyncio.sleep(max(0.0, start + step.at - clock.monotonic()))
            self.set(step.host, step.behaviour)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until the condition holds; looks at each connection, disconnection and request."""
        while not reached():
            self._stirred.clear()
            await self._stirred.wait()


class _Control:
    """`POST /_control` with {"host": ..., "behaviour": {...}} gives an order; a GET shows what all do now."""

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self.port = 0

    async def start(self, address: str, port: int) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), address, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.transport.abort()

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def received(self, request: Received) -> tuple[Behaviour, float]:
        return Behaviour(status=404), 0.0

    def page(self, request: Received) -> tuple[int, bytes] | None:
        if request.path != "/_control":
            return None
        if request.method == "POST":
            try:
                order = _Order.model_validate_json(request.body)
                self._zoo.set(order.host, order.behaviour)
            except ValidationError as error:
                return 422, error.json(include_url=False, include_input=False).encode()
            except KeyError:
                return 404, b'{"error": "no such host"}'
        return 200, json.dumps(self._state()).encode()

    def _state(self) -> dict[str, object]:
        return {
            name: {"url": self._zoo.url(name), "behaviour": residence.behaviour.model_dump(mode="json")}
            for name, residence in self._zoo.residences.items()
        }
