"""What a child process owes its parent: to wait for its word, and to end with it."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_GATE = "PULSEBOARD_GATE"


class Gate:
    """Children may start, and import what they need, while the gate is shut; they begin their work when it opens."""

    def __init__(self) -> None:
        self._ends: tuple[int, ...] = os.pipe()

    @property
    def environment(self) -> dict[str, str]:
        """What a child must find in its environment; it also needs the descriptors of `inherited`."""
        return {_GATE: str(self._ends[0])} if self._ends else {}

    @property
    def inherited(self) -> tuple[int, ...]:
        return self._ends[:1]

    def open(self) -> None:
        for end in self._ends:
            os.close(end)
        self._ends = ()


def wait_at_gate() -> None:
    """Return when the parent opens its gate; at once when there is none."""
    reader = os.environ.pop(_GATE, "")
    if reader:
        os.read(int(reader), 1)  # the end of the pipe
        os.close(int(reader))


def parent_death_hook(number: signal.Signals) -> Callable[[], None]:
    """A function for a forked child to call; from then on the kernel sends it `number` when its parent dies.

    The kernel watches the thread that forked, so fork from one that lives as long as the child should. Only Linux can
    do this; elsewhere the function does nothing.
    """
    if sys.platform != "linux":
        return _nothing
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew our wish
            os._exit(1)

    return hook


def _nothing() -> None:
    return None


def end_with_parent(parent: int) -> None:
    """The same asked by the child itself, for systems where the kernel can't do it: end once `parent` is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
