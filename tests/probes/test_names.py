"""Name lookups: in threads of our own, and with the difference between no such name and no answer (F17)."""

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from probes.names import Addresses, Resolver, look_up_now

_ISOLATED = ["unshare", "--map-root-user", "--net", "--mount"]


async def test_names_that_hang_do_not_delay_the_others() -> None:
    release = threading.Event()

    def look_up(host: str) -> Addresses:
        if host.startswith("hanging"):
            release.wait()
        return Addresses(found=("192.0.2.1",))

    resolver = Resolver(asyncio.get_running_loop(), look_up)
    hanging = [asyncio.create_task(resolver.lookup(f"hanging{number}.example")) for number in range(100)]
    await asyncio.sleep(0)  # each of them has asked
    try:
        async with asyncio.timeout(10):
            assert (await resolver.lookup("quick.example")).found == ("192.0.2.1",)
        assert not any(task.done() for task in hanging)
    finally:
        release.set()
        await asyncio.gather(*hanging)
        resolver.close()


async def test_one_name_is_looked_up_once_at_a_time() -> None:
    asked = []
    release = threading.Event()

    def look_up(host: str) -> Addresses:
        asked.append(host)
        release.wait()
        return Addresses(found=("192.0.2.1",))

    resolver = Resolver(asyncio.get_running_loop(), look_up)
    waiting = [asyncio.create_task(resolver.lookup("slow.example")) for _ in range(50)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*waiting)
    await resolver.lookup("slow.example")
    assert asked == ["slow.example"] * 2
    resolver.close()


async def test_a_cancelled_lookup_leaves_the_others_their_answer() -> None:
    release = threading.Event()

    def look_up(host: str) -> Addresses:
        release.wait()
        return Addresses(found=("192.0.2.1",))

    resolver = Resolver(asyncio.get_running_loop(), look_up)
    impatient, patient = (asyncio.create_task(resolver.lookup("slow.example")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    release.set()
    assert (await patient).found
    assert impatient.cancelled()
    resolver.close()


async def test_closing_ends_the_threads() -> None:
    before = set(threading.enumerate())
    resolver = Resolver(asyncio.get_running_loop())
    await asyncio.gather(*(resolver.lookup(name) for name in ("localhost", "127.0.0.1", "::1")))
    started = set(threading.enumerate()) - before
    assert 1 <= len(started) <= 3
    resolver.close()
    for thread in started:
        thread.join()


def test_a_numeric_name_needs_no_resolver() -> None:
    assert look_up_now("127.0.0.1").found == ("127.0.0.1",)
    assert look_up_now("2130706433").found == ("127.0.0.1",)


def test_a_name_that_can_not_exist_is_no_answer_either() -> None:
    answer = look_up_now("a" * 64 + ".example")
    assert answer.error
    assert not answer.found


@pytest.mark.parametrize(
    ("number", "no_such_name"), [(socket.EAI_NONAME, True), (socket.EAI_NODATA, True), (socket.EAI_AGAIN, False)]
)
def test_only_a_definite_answer_says_that_there_is_no_such_name(number: int, no_such_name: bool) -> None:
    assert Addresses.failed(socket.gaierror(number, "reason")) == Addresses(error="reason", no_such_name=no_such_name)


@pytest.mark.parametrize("scene", ["no-network", "silent-resolver"])
def test_without_a_resolver_that_answers_the_verdict_is_unknown(scene: str) -> None:
    """The whole probe in a network namespace of its own; its resolver is unreachable, or takes and never answers."""
    if subprocess.run([*_ISOLATED, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no namespaces")
    script = Path(__file__).with_name("isolated.py")
    command = [*_ISOLATED, sys.executable, "-m", f"tests.probes.{script.stem}", scene]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.split() == ["unknown"] * 30 + ["dns", "fast:up", "refused:down"]
