"""`pulseboard serve` and `pulseboard demo`: the plans that the supervisor runs."""

import errno
import http.client
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.core.data_dir import FolderLock, open_data_dir
from app.core.errors import StartError
from app.core.settings import Settings
from app.db.embedded import EmbeddedPostgres
from app.runtime.supervisor import Child, Plan, Supervisor

SUPERVISOR_PID = "PULSEBOARD_SUPERVISOR_PID"
ZOO_PORT = 9100
_HEALTH_TIMEOUT_S = 0.5


def serve(settings: Settings, demo: bool = False) -> int:
    """Run the whole product until a signal; returns the exit code, raises StartError for what can be seen up front."""
    data_dir = open_data_dir(settings.data_dir)
    lock = FolderLock(data_dir, "pulseboard.lock")
    lock.acquire()
    try:
        check_port(settings.host, settings.port)
        if demo:
            check_port("127.0.0.1", ZOO_PORT, "The demo's services need it and the next nine")
        return Supervisor(_plan(settings, data_dir, demo)).run()
    finally:
        lock.release()


def check_port(host: str, port: int, otherwise: str = "Or set PULSEBOARD_PORT to a free one") -> None:
    """Raise StartError, naming the mend, when nobody could listen there."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            mend = f"Port {port} is taken. Stop the program that uses it. {otherwise}."
        elif error.errno == errno.EACCES:
            mend = f"This user may not use port {port}. Set PULSEBOARD_PORT to 1024 or higher."
        else:
            mend = f"Can't listen on {host} ({error.strerror}). Set PULSEBOARD_HOST to an address of this machine."
        raise StartError(mend) from None


def _plan(settings: Settings, data_dir: Path, demo: bool) -> Plan:
    postgres = EmbeddedPostgres(data_dir) if settings.database_url is None else None

    def environment() -> Mapping[str, str]:
        ours = {"PULSEBOARD_DATA_DIR": str(data_dir), SUPERVISOR_PID: str(os.getpid())}
        return {**os.environ, **ours, **({"DATABASE_URL": postgres.url()} if postgres else {})}

    steps = (_command("seed-demo" if demo else "prepare"),)
    workers = [_command("worker", f"worker-{n}") for n in range(1, settings.workers + 1)]
    children = [replace(child, waits_at_gate=True) for child in (_command("web"), *workers)]
    if demo:
        zoo = ("-m", "app.runtime.zoo", "--cast", "demo", "--port-base", str(ZOO_PORT))
        # Before the steps, which wait for it: the first checks must find its services there.
        children.insert(0, Child("zoo", (sys.executable, *zoo), waits_at_gate=True))
    return Plan(
        children=tuple(children),
        steps=steps,
        postgres=postgres,
        environment=environment,
        healthy=lambda: _answers(settings),
        greet=lambda printed: _greet(settings, printed),
    )


def _command(name: str, title: str | None = None) -> Child:
    return Child(title or name, (sys.executable, "-m", "app.cli", name))


def _answers(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  asked, not bound
    connection = http.client.HTTPConnection(host, settings.port, timeout=_HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _greet(settings: Settings, printed: str) -> None:
    sys.stdout.write(f"Pulseboard is ready: {settings.public_url}\n{printed}")
    sys.stdout.flush()
