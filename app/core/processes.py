"""What a child process owes its parent: to end with it."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


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
