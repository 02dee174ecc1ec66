"""A PostgreSQL of our own under the data folder, run as a child of this process.

Layout of the data folder:
    postgres/         the cluster
    postgres.lock     held by the one process that owns the server
    postgres.log      what the server says
    postgres.socket   the folder of the server's socket, for other commands on this machine

Only this user of the operating system can connect: the socket's folder has mode 0700, and the server asks the kernel
who is calling (peer authentication). There is no password to leak and no TCP port.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil
from loguru import logger

from app.core import clock
from app.core.data_dir import FolderLock, open_data_dir
from app.core.errors import StartError
from app.core.processes import parent_death_hook
from app.db._pg_host import MAJOR_VERSION, PostgresHost, find_host
from app.db._pg_socket import SocketFolder

APP_ROLE = "pulseboard"
ADMIN_ROLE = "pulseboard_admin"
DATABASE = "pulseboard"

_MAX_LOG_BYTES = 10_000_000
_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 5.0

# For a small machine: durable, and about 100 MB with ten busy connections.
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "jit": "off",
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "wal_compression": "on",
    "checkpoint_timeout": "10min",
    "log_checkpoints": "off",
    "client_connection_check_interval": "10s",
    "idle_in_transaction_session_timeout": "5min",
    "log_min_messages": "log",  # leaves out errors of statements: they carry values, and the caller logs its own
    "timezone": "UTC",
    "log_timezone": "UTC",
}

_PROVISION = f"""
SELECT 'CREATE ROLE {APP_ROLE} LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') \\gexec
ALTER ROLE {APP_ROLE} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
SELECT 'CREATE DATABASE {DATABASE} OWNER {APP_ROLE}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""  # noqa: S608  constants of this module


class EmbeddedPostgres:
    """One server in one data folder. Call it from one thread, which must outlive the server.

    `options` are added to the server's settings; tests give up durability with `{"fsync": "off"}`.
    """

    def __init__(self, data_dir: Path, options: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.cluster = self.data_dir / "postgres"
        self.log_path = self.data_dir / "postgres.log"
        self._options = {**_OPTIONS, **(options or {})}
        self._lock = FolderLock(self.data_dir, "postgres.lock")
        self._host: PostgresHost | None = None
        self._socket = SocketFolder(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._provisioned = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def url(self, database: str = DATABASE, role: str = APP_ROLE) -> str:
        """An SQLAlchemy URL; only after `launch`."""
        return _url(self._socket.path, database, role)

    def start(self) -> None:
        """Start the server and wait until it takes connections, as long as its recovery needs.

        Raises StartError when the folder can't be used or the server gives up.
        """
        self.launch()
        begin = told = clock.monotonic()
        while not self.is_ready():
            if not self.is_running():
                failure = self.failure()
                self.stop()
                raise failure
            if clock.monotonic() - told >= _PROGRESS_SECONDS:
                told = clock.monotonic()
                logger.bind(seconds=round(told - begin)).info("PostgreSQL is still recovering its data; waiting")
            time.sleep(_POLL_SECONDS)

    def launch(self) -> None:
        """Start the server's process without waiting for it; whatever runs in its folder without an owner is stopped.

        Raises StartError when the folder can't be used.
        """
        open_data_dir(self.data_dir)
        self._lock.acquire()
        try:
            host = self._host = self._host or find_host()
            self._check_or_make_cluster(host)
            self._stop_leftovers()
            # Nothing of ours runs here now, so what a dead or damaged pid file says is void.
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            self._write_access_rules(host)
            self._socket.make(host)
            self._process = self._spawn(host)
        except OSError as error:
            self._lock.release()
            raise StartError(
                f"Can't use {error.filename or self.data_dir} ({error.strerror}). "
                "Give this user the right to write there, or set PULSEBOARD_DATA_DIR to another folder."
            ) from None
        except StartError:
            self._lock.release()
            raise

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether the server takes connections and has our role and database; never waits for long."""
        if not self.is_running() or self._host is None:
            return False
        if self._host.run("pg_isready", "-q", "-h", str(self._socket.path)).returncode != 0:
            return False
        if not self._provisioned:
            self.execute(_PROVISION)
            self._provisioned = True
        return True

    def failure(self) -> StartError:
        """What to raise when the server ended by itself: its last words and where its log is."""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        fatal = [line.partition("FATAL:")[2].strip() for line in lines[-50:] if "FATAL:" in line]
        reason = (fatal or lines or ["it said nothing"])[-1]
        return StartError(f"PostgreSQL did not start: {reason}. Its log is {self.log_path}.")

    def execute(self, script: str, database: str = "postgres") -> str:
        """Run a psql script as the server's administrator; returns what it prints, raises StartError when it fails."""
        assert self._host is not None, "the server was never launched"  # noqa: S101
        options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self._socket.path), "-U", ADMIN_ROLE)
        done = self._host.run("psql", *options, "-d", database, "-f", "-", stdin=script)
        if done.returncode != 0:
            raise StartError(f"The embedded PostgreSQL refused its set-up: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self, patience: float = 10.0) -> None:
        """Stop the server: after `patience` seconds without a checkpoint, which then happens at the next start."""
        if self._process is not None:
            for number, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 5.0)):
                self._process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
                    break
            self._process = None
            self._stop_leftovers()
        self._socket.remove()
        self._lock.release()

    def _check_or_make_cluster(self, host: PostgresHost) -> None:
        host.open_way_to(self.cluster)
        if not self.cluster.exists():
            self._make_cluster(host)
        owner = self.cluster.stat().st_uid
        if owner != host.uid:
            raise StartError(
                f"The database in {self.cluster} belongs to user {_user_name(owner)}, not to {_user_name(host.uid)}. "
                "Run Pulseboard as the user who made it, or set PULSEBOARD_DATA_DIR to another folder."
            )
        version = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != str(MAJOR_VERSION):
            raise StartError(
                f"The database in {self.cluster} was made by PostgreSQL {version}, this is {MAJOR_VERSION}. "
                "Start the Pulseboard that made it, take a backup, and restore that into an empty data folder."
            )

    def _make_cluster(self, host: PostgresHost) -> None:
        # Renamed into place only when complete, so that a start that was cut off leaves nothing half made.
        draft = self.data_dir / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        host.give(draft)
        options = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=peer"]
        if self._options.get("fsync") == "off":
            options.append("--no-sync")
        done = host.run_as_server("initdb", "-D", str(draft), "-U", ADMIN_ROLE, *options)
        if done.returncode != 0:
            raise StartError(f"Can't make a database in {self.data_dir}: {done.stderr.strip()}")
        draft.rename(self.cluster)

    def _write_access_rules(self, host: PostgresHost) -> None:
        roles = "".join(f"owner {host.client} {role}\n" for role in (ADMIN_ROLE, APP_ROLE))
        for name, text in (("pg_hba.conf", "local all all peer map=owner\n"), ("pg_ident.conf", roles)):
            path = self.cluster / name
            path.write_text(text, encoding="utf-8")
            host.give(path)

    def _spawn(self, host: PostgresHost) -> "subprocess.Popen[bytes]":
        if self.log_path.exists() and self.log_path.stat().st_size > _MAX_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        options = {**self._options, "unix_socket_directories": str(self._socket.path)}
        settings = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        with os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            return subprocess.Popen(  # noqa: S603  our own binary, no shell
                [str(host.programs / "postgres"), "-D", str(self.cluster), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=host.environment,
                process_group=0,  # Ctrl+C in a terminal is for its owner, who stops it last
                # A fast shutdown when we are killed; see parent_death_hook.
                preexec_fn=parent_death_hook(signal.SIGINT),  # noqa: PLW1509  calls prctl alone
                **host.identity,
            )

    def _stop_leftovers(self) -> None:
        """Stop every server process that works in our folder; we hold the lock, so none of them has an owner."""
        for number, seconds in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            leftovers = [process for process in psutil.process_iter() if self._works_here(process)]
            if not leftovers:
                return
            logger.bind(processes=len(leftovers), signal=number.name).warning("Stopping a PostgreSQL without an owner")
            for process in leftovers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            psutil.wait_procs(leftovers, timeout=seconds)

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return bool(process.name() == "postgres" and process.cwd() == str(self.cluster))
        except psutil.Error:
            return False


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that runs on this data folder, None when none does."""
    folder = SocketFolder(data_dir.expanduser().resolve()).recorded()
    return _url(folder, DATABASE, APP_ROLE) if folder is not None else None


def _url(folder: Path, database: str, role: str) -> str:
    return f"postgresql+psycopg://{role}@/{database}?host={quote(str(folder), safe='')}"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
