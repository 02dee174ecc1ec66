"""A PostgreSQL of the test's own, to be hung, killed and started again."""

import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.db.embedded import APP_ROLE, EmbeddedPostgres
from app.db.migrate import upgrade
from app.db.session import Database, make_engine
from app.live.bus import LocalBus
from tests.kit.waiting import wait_until


@dataclass(frozen=True)
class FragileServer:
    """An embedded PostgreSQL with a migrated database."""

    server: EmbeddedPostgres

    @property
    def url(self) -> str:
        return self.server.url()

    def hang(self) -> list[psutil.Process]:
        """Stop every process that serves a client; the server still takes new connections. Returns those stopped."""
        serving = [process for process in psutil.Process(self.server.pid).children() if self._serves(process)]
        for process in serving:
            process.send_signal(signal.SIGSTOP)
        return serving

    def kill(self) -> None:
        """As kill -9 of every process of the server."""
        parent = psutil.Process(self.server.pid)
        for process in [parent, *parent.children()]:
            process.kill()
        wait_until(lambda: not self.server.is_running(), "the end of the killed server")

    @staticmethod
    def _serves(process: psutil.Process) -> bool:
        try:
            return APP_ROLE in " ".join(process.cmdline())
        except psutil.NoSuchProcess:  # a worker of the server's own that has just ended
            return False


def resume(processes: list[psutil.Process]) -> None:
    """Let stopped processes go on, those that still live."""
    for process in processes:
        if process.is_running():
            process.send_signal(signal.SIGCONT)


@pytest.fixture
def fragile_server(data_dir: Path) -> Iterator[FragileServer]:
    with EmbeddedPostgres(data_dir, {"fsync": "off"}) as server:
        upgrade(server.url())
        yield FragileServer(server)


@pytest.fixture
async def fragile_database(fragile_server: FragileServer) -> AsyncIterator[Database]:
    """The test's own view of that server's database."""
    database = Database(make_engine(fragile_server.url), LocalBus())
    yield database
    await database.close()
