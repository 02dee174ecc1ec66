"""Keeping PostgreSQL and our own processes alive together, and ending them together.

The supervisor owns no truth and does no work: it starts children, starts again whoever dies, and stops all of them on
SIGTERM, SIGINT or SIGHUP. It runs in the main thread: the kernel ends children with the thread that forked them.
"""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Self

from loguru import logger

from app.core import clock
from app.core.errors import StartError
from app.core.processes import Gate, parent_death_hook
from app.db.embedded import EmbeddedPostgres

START_FAILED = 2
CHILDREN_PATIENCE_S = 5.5
POSTGRES_PATIENCE_S = 1.0

_TICK_S = 0.2
_STEADY_S = 10.0  # whoever lived this long did not die of its start
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 4.0
_PROGRESS_S = 5.0


@dataclass(frozen=True)
class Child:
    """One process of ours: its name in logs and its command line.

    One that `waits_at_gate` is started before the steps, so that its imports take no time after them.
    """

    name: str
    argv: tuple[str, ...]
    waits_at_gate: bool = False


@dataclass(frozen=True)
class Plan:
    """What to run. `steps` run one after another to their end before `children` start.

    `address` gives the environment in which steps and children run; it is asked once PostgreSQL is ready.
    `healthy` says whether the children serve; the first time it does, `greet` gets what the steps have printed.
    """

    children: tuple[Child, ...]
    steps: tuple[Child, ...] = ()
    postgres: EmbeddedPostgres | None = None
    environment: Callable[[], Mapping[str, str]] = field(default=lambda: os.environ)
    healthy: Callable[[], bool] = field(default=lambda: True)
    greet: Callable[[str], None] = field(default=lambda _: None)


class Supervisor:
    """Runs one plan; `run` returns the exit code."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._signals = Signals()
        self._gate = Gate()
        self._children: list[_Kept] = []
        self._postgres = _KeptPostgres(plan.postgres) if plan.postgres else None
        self._printed = ""
        self._greeted = False

    def run(self) -> int:
        """Run until a signal: 0; until a child that can't start: 2. Raises StartError when PostgreSQL can't start."""
        with self._signals:
            try:
                return self._run()
            finally:
                self._stop()

    def _run(self) -> int:
        if self._postgres is not None:
            self._postgres.begin()
        self._children = [_Kept(child, self._plan.environment(), self._gate) for child in self._plan.children]
        for child in self._children:
            child.begin()
        if self._postgres is not None:
            self._wait_for(self._postgres.is_ready)
        for step in self._plan.steps:
            code = 0 if self._signals.count else self._run_step(step)
            if code != 0:
                return 0 if self._signals.count else code
        self._gate.open()
        while not self._signals.count:
            self._keep_all()
            if not self._greeted and any(child.refused for child in self._children):
                return START_FAILED
            self._greet()
            self._signals.wait(_TICK_S)
        return 0

    def _keep_all(self) -> None:
        if self._postgres is not None:
            self._postgres.keep()
        for child in self._children:
            child.keep()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds or a signal comes."""
        while not self._signals.count and not condition():
            self._signals.wait(_TICK_S / 4)

    def _run_step(self, step: Child) -> int:
        """Run a step to its end, or to a signal; keeps what it printed and returns its exit code."""
        with _spawn(step, self._plan.environment(), subprocess.PIPE) as process:
            self._wait_for(lambda: process.poll() is not None)
            process.terminate()  # does nothing to a process that has ended
            printed, _ = process.communicate()
            self._printed += printed.decode()
            return process.returncode

    def _greet(self) -> None:
        if not self._greeted and self._plan.healthy():
            self._greeted = True
            self._plan.greet(self._printed)

    def _stop(self) -> None:
        """TERM to all, KILL to those who linger or as soon as a second signal comes; PostgreSQL goes last."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        end = clock.monotonic() + CHILDREN_PATIENCE_S
        while any(child.is_alive for child in self._children):
            if self._signals.count > 1 or clock.monotonic() >= end:
                for child in self._children:
                    child.signal(signal.SIGKILL)
            self._signals.wait(_TICK_S / 4)
        if self._plan.postgres is not None:
            self._plan.postgres.stop(0.0 if self._signals.count > 1 else POSTGRES_PATIENCE_S)


class Signals:
    """Counts requests to stop, and wakes `wait` for them and for the death of a child."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        handlers = {signal.SIGCHLD: self._on_child, **dict.fromkeys(_STOPPERS, self._on_stop)}
        self._former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        self._former_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._former_wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> None:
        """Sleep for at most `seconds`; a signal ends it."""
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    def _on_child(self, number: int, frame: FrameType | None) -> None:
        """Nothing: being called is enough to wake `wait`."""


_STOPPERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Backoff:
    """When to start somebody again: at once after a steady life, later and later after short ones."""

    def __init__(self) -> None:
        self._delay = 0.0
        self._started = self._next = clock.monotonic()

    @property
    def is_due(self) -> bool:
        return clock.monotonic() >= self._next

    def started(self) -> None:
        self._started = clock.monotonic()

    def died(self) -> None:
        steady = clock.monotonic() - self._started >= _STEADY_S
        self._next = clock.monotonic() + (0.0 if steady else self._delay)
        self._delay = 0.0 if steady else min(max(self._delay * 2, _FIRST_DELAY_S), _LONGEST_DELAY_S)


class _Kept:
    """A child that is started again whenever it dies."""

    def __init__(self, child: Child, environment: Mapping[str, str], gate: Gate) -> None:
        self._child = child
        self._environment = environment
        self._gate = gate
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = _Backoff()
        self.refused = False

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        if self._child.waits_at_gate:
            self._start()

    def keep(self) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            self._backoff.died()
            self.refused = code == START_FAILED
            logger.bind(child=self._child.name, exit_code=code).warning("A process ended; starting it again")
        if self._process is None and self._backoff.is_due:
            self._start()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _start(self) -> None:
        self._backoff.started()
        environment = {**self._environment, **self._gate.environment}
        self._process = _spawn(self._child, environment, inherited=self._gate.inherited)


class _KeptPostgres:
    """The embedded server, launched again whenever it dies; those who use it wait and reconnect by themselves."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._backoff = _Backoff()
        self._launched = False
        self._told = 0.0

    def begin(self) -> None:
        """The first launch; raises StartError."""
        self._server.launch()
        self._launched = True
        self._told = clock.monotonic()

    def is_ready(self) -> bool:
        """Whether it takes connections; raises StartError when it gave up."""
        if self._server.is_ready():
            return True
        if not self._server.is_running():
            raise self._server.failure()
        if clock.monotonic() - self._told >= _PROGRESS_S:
            self._told = clock.monotonic()
            logger.info("PostgreSQL is still recovering its data; waiting")
        return False

    def keep(self) -> None:
        if self._launched and not self._server.is_running():
            self._launched = False
            self._backoff.died()
            logger.bind(log=str(self._server.log_path)).warning("PostgreSQL ended; starting it again")
        if not self._launched and self._backoff.is_due:
            self._backoff.started()
            try:
                self._server.launch()
            except StartError as error:
                self._backoff.died()
                logger.bind(reason=error.message).error("PostgreSQL can't be started again; trying later")
            else:
                self._launched = True


def _spawn(
    child: Child, environment: Mapping[str, str], stdout: int = subprocess.DEVNULL, inherited: tuple[int, ...] = ()
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  our own command lines, no shell
        child.argv,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        env=dict(environment),
        pass_fds=inherited,
        process_group=0,  # Ctrl+C in a terminal is for the supervisor, which stops the others in order
        # They own no truth, so with a dead supervisor they end at once and free their port.
        preexec_fn=parent_death_hook(signal.SIGKILL),  # noqa: PLW1509  calls prctl alone
    )
