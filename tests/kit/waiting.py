"""Waiting for the thing itself."""

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 30.0


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as `condition()` is true; fail the test, naming `what`, when that takes unreasonably long."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited {patience_s} s for {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it unburied."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
