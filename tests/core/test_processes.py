import os
import signal
import subprocess
import sys

import pytest

from tests.kit.waiting import is_gone, wait_until

PARENT = """
import os, signal, subprocess, sys
from app.core.processes import parent_death_hook
{how}
print(child.pid, flush=True)
sys.stdin.readline()
"""
BY_KERNEL = "child = subprocess.Popen(['sleep', '600'], preexec_fn=parent_death_hook(signal.SIGKILL))"
BY_ITSELF = """
code = f"import time; from app.core.processes import end_with_parent; end_with_parent({os.getpid()}); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code])
"""


def child_of_a_killed_parent(how: str) -> int:
    command = [sys.executable, "-c", PARENT.format(how=how)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        return child


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can")
def test_the_kernel_ends_a_child_with_its_parent() -> None:
    child = child_of_a_killed_parent(BY_KERNEL)
    wait_until(lambda: is_gone(child), "the child to end")


def test_a_child_ends_itself_when_its_parent_is_gone() -> None:
    child = child_of_a_killed_parent(BY_ITSELF)
    wait_until(lambda: is_gone(child), "the child to end")
