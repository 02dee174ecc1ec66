"""What a monitor should have found: computed from the zoo's journal, without the product's own rules."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """From `at` on (seconds since the epoch) a host was healthy or not."""

    at: float
    up: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """The probe at `at` confirmed that the host is up or down."""

    at: float
    up: bool


def expected_flips(states: Sequence[State], probes: Iterable[float], failures: int, recoveries: int) -> list[Flip]:
    """The confirmed flips that probes at these times must give; the first sight of a healthy host is one.

    `states` are in order of time and begin before the first probe. A flip to down takes `failures` bad probes in a
    row, a flip back to up `recoveries` good ones.
    """
    times = [state.at for state in states]
    flips: list[Flip] = []
    known: bool | None = None
    against = 0
    for probe in sorted(probes):
        seen = states[bisect_right(times, probe) - 1].up
        if seen == known:
            against = 0
            continue
        # Before anything is known a good probe leaves no doubt, and wipes out the bad ones before it.
        needed = failures if not seen else 1 if known is None else recoveries
        against += 1
        if against >= needed:
            known, against = seen, 0
            flips.append(Flip(probe, seen))
    return flips


def read_states(journal: Path) -> dict[str, list[State]]:
    """Each host's states from a zoo's journal."""
    found: dict[str, list[State]] = {}
    with journal.open(encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry["event"] == "state":
                found.setdefault(entry["host"], []).append(State(entry["wall"], entry["up"]))
    return found
