"""A zoo of real local HTTP services that behave well, badly or as told, and keep a journal of the truth.

The demo monitors it, tests and benchmarks run against it. It knows its own state by the millisecond, so that what a
monitor should have found can be computed from its journal (`oracle.expected_flips`).
"""

from app.runtime.zoo.behaviour import Behaviour, Kind
from app.runtime.zoo.cast import DEMO_CAST, HOSTILE_CAST, Host, Tls, demo_steps
from app.runtime.zoo.oracle import Flip, State, expected_flips, read_states
from app.runtime.zoo.schedule import Step, flapping, random_steps
from app.runtime.zoo.zoo import Zoo

__all__ = [
    "DEMO_CAST",
    "HOSTILE_CAST",
    "Behaviour",
    "Flip",
    "Host",
    "Kind",
    "State",
    "Step",
    "Tls",
    "Zoo",
    "demo_steps",
    "expected_flips",
    "flapping",
    "random_steps",
    "read_states",
]
