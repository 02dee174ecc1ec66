"""What benchmarks share: a product of their own in a temporary folder, its CPU and memory, and how results look."""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psutil
import psycopg
from loguru import logger

from app.core import clock
from app.core.crypto import load_or_create_key, signing_key
from app.db.embedded import EmbeddedPostgres
from app.db.migrate import upgrade
from app.db.session import libpq_url
from app.live.board import POINTS
from app.usecases.tokens import Audience, Claims, Tokens
from app.web.cookies import NAME as COOKIE
from models.result import Level

_PATIENCE_S = 180.0
_GROUP = 50
_FLEET = (
    "INSERT INTO team (id, name, last_incident, created_at) VALUES (1, 'Benchmark', 0, now())",
    """INSERT INTO service (id, team_id, name, "group", tags, created_at, version)
    SELECT n, 1, 'service-' || lpad(n::text, 5, '0'), 'Group ' || lpad((n / %(group)s)::text, 3, '0'), '{}', now(), 1
    FROM generate_series(1, %(count)s) AS n""",
    """INSERT INTO "check" (id, team_id, service_id, kind, config, interval_s, timeout_s, retries, retry_interval_s,
        recoveries, paused, created_at, version)
    SELECT n, 1, n, 'http', %(config)s, %(interval)s, 10, 2, 5, 1, false, now(), 1
    FROM generate_series(1, %(count)s) AS n""",
    """INSERT INTO check_schedule (check_id, team_id, due_at, run)
    SELECT n, 1, now() + make_interval(secs => %(interval)s::float * n / %(count)s), 0
    FROM generate_series(1, %(count)s) AS n""",
    """INSERT INTO check_state (check_id, team_id, status, count, seq, since, updated_at)
    SELECT n, 1, 'up', 0, 0, now(), now() FROM generate_series(1, %(count)s) AS n""",
)
_PEOPLE = """INSERT INTO user_account (id, email, name, avatar_color, theme, password_hash, created_at)
    SELECT n, 'person-' || n || '@example.com', 'Person ' || n, '#456', 'dark', '!', now()
    FROM generate_series(1, %(people)s) AS n"""
_HISTORY = """INSERT INTO check_result (check_id, at, latency_ms, dns_ms, connect_ms, first_byte_ms, download_ms, level,
        code)
    SELECT c.id, now() - make_interval(secs => c.interval_s * n + c.id / 1e4), 20 + 200 * random(), 0, 1, 15, 1, %(up)s,
        200
    FROM "check" c, generate_series(1, %(points)s) AS n"""


@dataclass(frozen=True, slots=True)
class Home:
    """A temporary data folder with its own PostgreSQL, migrated. `environment` is for the product's processes."""

    folder: Path
    postgres: EmbeddedPostgres

    @property
    def environment(self) -> dict[str, str]:
        return product_environment(self.folder) | {"DATABASE_URL": self.postgres.url()}


@contextmanager
def home(options: Mapping[str, str] | None = None) -> Iterator[Home]:
    """As durable as the product's own database; gone afterwards. `options` are further settings of the server."""
    logger.remove()  # stderr is for trouble
    with temporary_folder() as folder, EmbeddedPostgres(folder / "data", options) as postgres:
        upgrade(postgres.url())
        yield Home(folder, postgres)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pulseboard-benchmark-") as name:
        yield Path(name)


def product_environment(folder: Path) -> dict[str, str]:
    """The caller's environment without its own settings of Pulseboard."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEBOARD_", "DATABASE_URL"))}
    return kept | {"PULSEBOARD_DATA_DIR": str(folder / "data")}


@contextmanager
def program(
    *arguments: str, environment: Mapping[str, str] | None = None, log: Path | None = None, stdin: int | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """`python -m ARGUMENTS` until the block ends; its stdout is piped, its stderr goes to `log` or to ours."""
    command = [sys.executable, "-m", *arguments]
    errors = log.open("a", encoding="utf-8") if log else None
    try:
        with subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process:
            try:
                yield process
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                process.kill()
    finally:
        if errors:
            errors.close()


@contextmanager
def zoo() -> Iterator[dict[str, Any]]:
    """The zoo in a process of its own: {"hosts": {name: URL}, "ca_file": path, ...}."""
    with program("app.runtime.zoo", "--port-base", "0", "--cast", "demo") as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def add_fleet(url: str, count: int, config: Mapping[str, Any], interval_s: int = 5) -> None:
    """A team (id 1) with `count` services of one HTTP check each; equal ids for both.

    They are up and due evenly over the interval: a first result would be a change of status, which costs more.
    """
    values = {"count": count, "group": _GROUP, "config": json.dumps(config), "interval": interval_s}
    with psycopg.connect(libpq_url(url)) as connection:
        for statement in _FLEET:
            connection.execute(statement, values)


def is_settled(url: str) -> bool:
    """Whether every check of the fleet has a result."""
    return not ask(url, "SELECT count(*) FROM check_state WHERE last_at IS NULL")[0]


def ask(url: str, query: LiteralString, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The one row of the answer."""
    with psycopg.connect(libpq_url(url)) as connection:
        found = connection.execute(query, values).fetchone()
    assert found is not None
    return found


def sign_in(home: Home, people: int, browsers: int) -> list[str]:
    """Sessions of admins of the fleet's team, spread over `people`; returns one Cookie header for each browser."""
    tokens = Tokens(signing_key(load_or_create_key(home.folder / "data")))
    until = clock.now() + timedelta(days=1)
    cookies = []
    with psycopg.connect(libpq_url(home.postgres.url())) as connection:
        connection.execute(_PEOPLE, {"people": people})
        connection.execute("INSERT INTO membership (team_id, user_id, role) SELECT 1, id, 'admin' FROM user_account")
        for n in range(browsers):
            claims = Claims(n % people + 1, f"benchmark-session-{n}", until)
            connection.execute(
                "INSERT INTO auth_session (id, user_id, created_at, expires_at) VALUES (%s, %s, now(), %s)",
                [claims.session_id, claims.user_id, until],
            )
            cookies.append(f"{COOKIE}={tokens.issue(claims, Audience.WEB)}")
    return cookies


def add_history(url: str) -> None:
    """The last results of every check of the fleet, as many as a tile shows."""
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute(_HISTORY, {"points": POINTS, "up": Level.UP})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def web(home: Home) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A web process that serves, and its address."""
    port = free_port()
    environment = home.environment | {"PULSEBOARD_PORT": str(port)}
    with program("app.cli", "web", environment=environment, log=home.folder / "web.log") as process:
        wait_until(lambda: is_healthy(port), "the web process")
        yield process, f"http://127.0.0.1:{port}"


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1.0).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """User and system time of a process, of its descendants, and of those that it has buried."""
    total = 0.0
    for process in family(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def wait_until(reached: Callable[[], bool], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Raises TimeoutError, naming `what`."""
    end = time.monotonic() + patience_s
    while not reached():
        if time.monotonic() > end:
            raise TimeoutError(f"Waited {patience_s:.0f} s for {what}")
        time.sleep(0.02)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and in brackets the least and the most."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """In Markdown, as docs/performance.md keeps it."""
    print(f"\n{title}\n\n{machine()}\n")
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |")


def machine() -> str:
    """Date and facts that figures depend on; among them how long a little pure Python takes right now."""
    speed = min(timeit.repeat("sum(range(10000))", number=100, repeat=5)) / 100 * 1e6
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    load = os.getloadavg()[0]
    cores = len(psutil.Process().cpu_affinity())
    date = f"{clock.now():%Y-%m-%d %H:%M} UTC"
    pace = f"load average {load:.1f}, 10,000 additions in {speed:.0f} us"
    return f"{date}; {cores} cores, {pace}; {system}; Python {platform.python_version()}"
