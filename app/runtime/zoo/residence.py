"""A host at home: its port, its connections and its behaviour now."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable

from app.core import clock
from app.runtime.zoo.behaviour import Behaviour, Kind
from app.runtime.zoo.cast import Host
from app.runtime.zoo.connection import Connection, Received
from app.runtime.zoo.journal import Journal

_KEPT_REQUESTS = 1000
_BACKLOG = 2048


class Residence:
    """Serves one host. `changed` is called at each connection, disconnection and request."""

    def __init__(self, host: Host, address: tuple[str, int], journal: Journal, changed: Callable[[], None]) -> None:
        self.host = host
        self.behaviour = host.behaviour
        self.requests: deque[Received] = deque(maxlen=_KEPT_REQUESTS)
        self.request_count = 0
        self.connections: set[Connection] = set()
        self._journal = journal
        self._changed = changed
        self._started = clock.monotonic()
        # Stays bound without listening, so that nobody else gets the port while the host plays dead.
        self._claim = _bound(address)
        self._context: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> tuple[str, int]:
        name = self._claim.getsockname()
        return str(name[0]), int(name[1])

    async def start(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.set(self.behaviour)
        await asyncio.gather(*self._serving)

    def set(self, behaviour: Behaviour) -> None:
        """Change the behaviour; it holds for requests that arrive from now on."""
        if behaviour.kind is Kind.DEAD:
            self._stop_listening()
        elif self._listener is None:
            self._listen()
        self.behaviour = behaviour
        up = behaviour.healthy and self.host.tls in {None, "valid"}
        self._journal.write("state", self.host.name, up=up, behaviour=behaviour.model_dump(exclude_defaults=True))

    async def close(self) -> None:
        self._stop_listening()
        self._claim.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
        await asyncio.gather(*self._serving)

    def opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._changed()

    def closed(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._changed()

    def received(self, request: Received) -> tuple[Behaviour, float]:
        self.requests.append(request)
        self.request_count += 1
        self._journal.write("request", self.host.name, method=request.method, path=request.path)
        self._changed()
        return self.behaviour, self.behaviour.delay_at(clock.monotonic() - self._started)

    def page(self, request: Received) -> tuple[int, bytes] | None:
        return None

    def _listen(self) -> None:
        # The kernel takes connections from this line on; the loop serves them as soon as it gets round to it.
        self._listener = _bound(self.address)
        self._listener.listen(_BACKLOG)
        task = asyncio.get_running_loop().create_task(self._serve(self._listener))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, listener: socket.socket) -> None:
        if self._listener is not listener:  # died before its first turn
            listener.close()
            return
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self), sock=listener, ssl=self._context, backlog=_BACKLOG)
        if self._listener is listener:
            self._server = server
        else:
            server.close()

    def _stop_listening(self) -> None:
        if self._listener is None:
            return
        # The port must be closed when this returns, which closing the server promises on some loops only.
        self._listener.shutdown(socket.SHUT_RD)
        self._listener = None
        if self._server is not None:
            self._server.close()
            self._server = None


def _bound(address: tuple[str, int]) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
