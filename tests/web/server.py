"""A real web process's server on a real port, in a thread of the test process so that tests can look inside."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from nicegui import Client

from app.core.settings import Settings
from app.main import build_app, make_server
from app.usecases.context import Context
from tests.kit.waiting import wait_until

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunningServer:
    """`origin` is what a browser on its pages would send."""

    context: Context
    port: int
    _loop: asyncio.AbstractEventLoop

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the server's own loop."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return await asyncio.wrap_future(future)

    @staticmethod
    def pages() -> int:
        """How many pages NiceGUI keeps in memory."""
        return len(Client.instances)


class ServerThread:
    """Serves while the `with` block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._serve, name="web server")
        self._app = build_app(settings, password_cost=4)
        self._server = make_server(self._app)

    def __enter__(self) -> RunningServer:
        self._thread.start()
        wait_until(lambda: self._server.started or not self._thread.is_alive(), "the server to start")
        assert self._server.started
        return RunningServer(self._app.state.context, self._listener.getsockname()[1], self._loop)

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with self._runner:
            self._runner.run(self._server.serve(sockets=[self._listener]))
