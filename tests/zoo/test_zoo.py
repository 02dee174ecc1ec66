"""The oracle itself: does the zoo do what its journal says, and is what it expects right?"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import httpx
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from app.domain.status import Outcome, Policy, Status, Streak, advance, observe
from tests.zoo import (
    Behaviour,
    Flip,
    Host,
    Kind,
    State,
    Step,
    Zoo,
    expected_flips,
    flapping,
    random_steps,
    read_states,
)

_PAIR = (Host("one", "One"), Host("two", "Two", Behaviour(status=503)))


async def _status(url: str) -> int | str:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code
        except httpx.TransportError as error:
            return type(error).__name__


async def test_a_host_answers_as_it_was_told_last() -> None:
    async with Zoo(_PAIR) as zoo:
        found = [await _status(zoo.url("one"))]
        for behaviour in (Behaviour(status=500), Behaviour(kind=Kind.DEAD), Behaviour(kind=Kind.RESET), Behaviour()):
            zoo.set("one", behaviour)
            found.append(await _status(zoo.url("one")))
        assert await _status(zoo.url("two")) == 503
    assert found == [200, 500, "ConnectError", "ReadError", 200]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_port_of_a_dead_host_is_closed_when_set_returns(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_die_and_return())


async def _die_and_return() -> None:
    async with Zoo(_PAIR) as zoo:
        for _ in range(20):
            zoo.set("one", Behaviour(kind=Kind.DEAD))
            assert not _accepts(zoo.residences["one"].address)
            zoo.set("one", Behaviour())
            assert _accepts(zoo.residences["one"].address)


def _accepts(address: tuple[str, int]) -> bool:
    """Asks the kernel alone: the loop gets no turn to clean up in between."""
    with socket.socket() as client:
        return client.connect_ex(address) == 0


async def test_the_journal_holds_every_request_and_every_change(tmp_path: Path) -> None:
    journal = tmp_path / "zoo.jsonl"
    async with Zoo(_PAIR, journal=journal) as zoo:
        await _status(zoo.url("one", "/a"))
        zoo.set("one", Behaviour(status=500))
        await _status(zoo.url("one", "/b"))
        lines = [json.loads(line) for line in journal.read_text().splitlines()]  # on disk before the end
    assert [(line["event"], line["host"]) for line in lines] == [
        ("state", "one"), ("state", "two"), ("request", "one"), ("state", "one"), ("request", "one"),
    ]  # fmt: skip
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/a", "/b"]
    assert [line["mono"] for line in lines] == sorted(line["mono"] for line in lines)
    assert [state.up for state in read_states(journal)["one"]] == [True, False]
    assert [state.up for state in read_states(journal)["two"]] == [False]


async def test_orders_are_taken_on_the_control_port() -> None:
    async with Zoo(_PAIR) as zoo, httpx.AsyncClient(trust_env=False) as client:
        order = {"host": "one", "behaviour": {"kind": "redirect", "status": 301, "location": "/x"}}
        assert (await client.post(zoo.control_url, json=order)).status_code == 200
        answer = await client.get(zoo.url("one"))
        assert (answer.status_code, answer.headers["location"]) == (301, "/x")
        shown = (await client.get(zoo.control_url)).json()
        assert shown["one"]["behaviour"]["status"] == 301
        assert (await client.post(zoo.control_url, json=order | {"host": "none"})).status_code == 404
        assert (await client.post(zoo.control_url, json={"host": "one"})).status_code == 422
        assert (await client.post(zoo.control_url, content=b"{")).status_code == 422


async def test_a_schedule_is_played_in_its_order(tmp_path: Path) -> None:
    journal = tmp_path / "zoo.jsonl"
    async with Zoo(_PAIR, journal=journal) as zoo:
        await zoo.play([Step(0, "one", Behaviour(status=500)), Step(0.05, "two", Behaviour())])
    states = read_states(journal)
    assert [state.up for state in states["one"]] == [True, False]
    assert [state.up for state in states["two"]] == [False, True]
    assert states["two"][1].at - states["one"][1].at >= 0.045


def test_a_seed_gives_the_same_troubles_again() -> None:
    play = random_steps(7, ["one", "two"], duration_s=600, mean_s=30)
    assert play == random_steps(7, ["one", "two"], duration_s=600, mean_s=30)
    assert play != random_steps(8, ["one", "two"], duration_s=600, mean_s=30)
    assert [step.at for step in play] == sorted(step.at for step in play)
    assert {[step for step in play if step.host == host][-1].behaviour.healthy for host in ("one", "two")} == {True}


def test_flapping_goes_on() -> None:
    steps = list(islice(flapping("one", up_s=10, down_s=5), 4))
    assert [(step.at, step.behaviour.healthy) for step in steps] == [(0, True), (10, False), (15, True), (25, False)]


def test_a_drift_rises_and_falls() -> None:
    drift = Behaviour(kind=Kind.DRIFT, delay=0.1, swing=1.0, period=100)
    assert [round(drift.delay_at(at), 3) for at in (0, 25, 50, 75, 100)] == [0.1, 0.6, 1.1, 0.6, 0.1]


def _times(up: str) -> list[State]:
    return [State(float(second), sign == "U") for second, sign in enumerate(up)]


@pytest.mark.parametrize(
    ("up", "failures", "recoveries", "flips"),
    [
        ("UUU", 1, 1, [(0, True)]),
        ("DDU", 2, 1, [(1, False), (2, True)]),
        ("DDU", 3, 1, [(2, True)]),
        ("UDUDDUU", 2, 2, [(0, True), (4, False), (6, True)]),
        ("UDDDUDUU", 3, 2, [(0, True), (3, False), (7, True)]),
    ],
)
def test_flips_are_expected_where_probes_confirm_them(
    up: str, failures: int, recoveries: int, flips: list[tuple[int, bool]]
) -> None:
    probes = [second + 0.5 for second in range(len(up))]
    assert expected_flips(_times(up), probes, failures, recoveries) == [Flip(at + 0.5, is_up) for at, is_up in flips]


def test_a_trouble_between_two_probes_is_not_expected() -> None:
    assert expected_flips(_times("UDU"), [0.5, 2.5], 1, 1) == [Flip(0.5, True)]


@given(st.text(alphabet="UD", min_size=1, max_size=50), st.integers(1, 4), st.integers(1, 4))
def test_the_oracle_and_the_product_agree(up: str, failures: int, recoveries: int) -> None:
    policy, streak, made = Policy(failures=failures, recoveries=recoveries), Streak(), []
    for second, sign in enumerate(up):
        seen = observe(Outcome.UP if sign == "U" else Outcome.DOWN, None, policy)
        streak, change = advance(streak, seen, policy)
        if change:
            made.append(Flip(float(second), change.after is Status.UP))
    assert made == expected_flips(_times(up), range(len(up)), failures, recoveries)


def test_the_program_serves_and_ends_when_asked() -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.zoo", "--port-base", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert httpx.get(ready["hosts"]["fast"], trust_env=False).status_code == 200
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


async def test_a_taken_port_is_named_and_nothing_left_open() -> None:
    async with Zoo(_PAIR) as zoo:
        port = int(httpx.URL(zoo.control_url).port or 0)
        with pytest.raises(OSError, match="in use"):
            async with Zoo(_PAIR, port_base=port):
                pass
