"""Who changes behaviour when: steps by seconds since the start of the play."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from app.runtime.zoo.behaviour import Behaviour, Kind

_UP = Behaviour()
_TROUBLES = (
    Behaviour(status=500),
    Behaviour(status=503),
    Behaviour(kind=Kind.DEAD),
    Behaviour(kind=Kind.SILENT),
    Behaviour(kind=Kind.RESET),
)


@dataclass(frozen=True, slots=True)
class Step:
    """At `at` seconds `host` takes up `behaviour`."""

    at: float
    host: str
    behaviour: Behaviour


def flapping(host: str, up_s: float, down_s: float, trouble: Behaviour = _TROUBLES[1]) -> Iterator[Step]:
    """Up, then down, and so on without end."""
    for turn in count():
        start = turn * (up_s + down_s)
        yield Step(start, host, _UP)
        yield Step(start + up_s, host, trouble)


def random_steps(seed: int, hosts: Sequence[str], duration_s: float, mean_s: float) -> list[Step]:
    """Troubles and recoveries of each host at random times, the same for the same seed; all end up healthy."""
    chance = random.Random(seed)  # noqa: S311  a repeatable play, not a secret
    steps = []
    for host in hosts:
        at = chance.expovariate(1 / mean_s)
        while at < duration_s:
            end = min(at + chance.expovariate(1 / mean_s), duration_s)
            steps += [Step(at, host, chance.choice(_TROUBLES)), Step(end, host, _UP)]
            at = end + chance.expovariate(1 / mean_s)
    return sorted(steps, key=lambda step: step.at)
