"""When a check changes its status: the rules as tables, and against a model of them written another way."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.status import Change, Outcome, Policy, Status, Streak, advance, is_worse, observe, worst

_SIGNS = {"U": Status.UP, "D": Status.DOWN, "S": Status.DEGRADED, "?": None}
_LETTERS = {status: letter for letter, status in _SIGNS.items() if status} | {Status.PENDING: "P"}


def play(signs: str, policy: Policy, streak: Streak | None = None) -> tuple[Streak, list[Change | None]]:
    """Take observations written as letters: Up, Down, Slow, ? for UNKNOWN."""
    streak = streak or Streak()
    changes = []
    for sign in signs:
        streak, change = advance(streak, _SIGNS[sign], policy)
        changes.append(change)
    return streak, changes


def told(signs: str, policy: Policy, start: Status) -> str:
    """The status after each observation, as letters."""
    streak, letters = Streak(status=start), ""
    for sign in signs:
        streak, _ = advance(streak, _SIGNS[sign], policy)
        letters += _LETTERS[streak.status]
    return letters


@pytest.mark.parametrize(
    ("start", "failures", "recoveries", "signs", "statuses"),
    [
        # The first sight of a target needs no confirmation, unless it is down.
        (Status.PENDING, 1, 1, "U", "U"),
        (Status.PENDING, 3, 3, "U", "U"),
        (Status.PENDING, 3, 3, "S", "S"),
        (Status.PENDING, 3, 3, "DDD", "PPD"),
        (Status.PENDING, 3, 3, "DDU", "PPU"),
        (Status.PENDING, 3, 3, "???", "PPP"),
        # n failures in a row take a check down.
        (Status.UP, 1, 1, "D", "D"),
        (Status.UP, 3, 1, "DDD", "UUD"),
        (Status.UP, 3, 1, "DDUDDUDDD", "UUUUUUUUD"),
        # m successes in a row bring it back.
        (Status.DOWN, 1, 1, "U", "U"),
        (Status.DOWN, 1, 3, "UUU", "DDU"),
        (Status.DOWN, 1, 3, "UUDUUU", "DDDDDU"),
        # Slow answers are worse than up, better than down, and no failure.
        (Status.UP, 2, 1, "SS", "US"),
        (Status.UP, 2, 1, "SDSD", "UUUU"),
        (Status.DEGRADED, 2, 1, "DD", "SD"),
        (Status.DEGRADED, 1, 2, "UU", "SU"),
        (Status.DEGRADED, 2, 2, "UDUDUD", "SSSSSS"),
        (Status.DOWN, 1, 2, "US", "DS"),
        (Status.DOWN, 1, 2, "SU", "DU"),
        # UNKNOWN neither advances nor resets.
        (Status.UP, 3, 1, "D?D??D", "UUUUUD"),
        (Status.DOWN, 1, 2, "U???U", "DDDDU"),
        (Status.UP, 1, 1, "????", "UUUU"),
    ],
)
def test_observations_in_a_row_confirm_a_change(
    start: Status, failures: int, recoveries: int, signs: str, statuses: str
) -> None:
    assert told(signs, Policy(failures=failures, recoveries=recoveries), start) == statuses


def test_a_flapping_target_gives_contiguous_numbers() -> None:
    _, changes = play("UDUDUD", Policy())
    assert [change.seq for change in changes if change] == [1, 2, 3, 4, 5, 6]
    assert changes[0] == Change(seq=1, before=Status.PENDING, after=Status.UP)
    assert changes[1] == Change(seq=2, before=Status.UP, after=Status.DOWN)


def test_a_flap_shorter_than_the_policy_changes_nothing() -> None:
    streak, changes = play("UDDUDDUDDU", Policy(failures=3))
    assert [change for change in changes if change] == [Change(1, Status.PENDING, Status.UP)]
    assert streak == Streak(status=Status.UP, seq=1)


def test_a_paused_check_takes_no_observation() -> None:
    paused = Streak(status=Status.PAUSED, seq=7)
    assert advance(paused, Status.DOWN, Policy()) == (paused, None)


@pytest.mark.parametrize(
    ("start", "signs", "suspect"),
    [(Status.UP, "D", True), (Status.UP, "S", True), (Status.PENDING, "D", True), (Status.UP, "DU", False),
     (Status.DOWN, "U", False), (Status.DEGRADED, "D", True), (Status.DEGRADED, "U", False)],
)  # fmt: skip
def test_a_check_on_the_way_to_worse_is_suspect(start: Status, signs: str, suspect: bool) -> None:
    assert play(signs, Policy(failures=3, recoveries=3), Streak(status=start))[0].suspect is suspect


@pytest.mark.parametrize(
    ("outcome", "latency_ms", "degraded_ms", "status"),
    [
        (Outcome.UP, 100.0, None, Status.UP),
        (Outcome.UP, 100.0, 100, Status.UP),
        (Outcome.UP, 100.1, 100, Status.DEGRADED),
        (Outcome.UP, None, 100, Status.UP),
        (Outcome.DOWN, 1.0, 100, Status.DOWN),
        (Outcome.DOWN, 500.0, 100, Status.DOWN),
        (Outcome.UNKNOWN, None, 100, None),
        (Outcome.UNKNOWN, 500.0, 100, None),
    ],
)
def test_an_outcome_points_at_a_status(
    outcome: Outcome, latency_ms: float | None, degraded_ms: int | None, status: Status | None
) -> None:
    assert observe(outcome, latency_ms, Policy(degraded_ms=degraded_ms)) is status


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ([], Status.PENDING),
        ([Status.UP, Status.DOWN, Status.DEGRADED], Status.DOWN),
        ([Status.UP, Status.DEGRADED], Status.DEGRADED),
        ([Status.UP, Status.UNKNOWN], Status.UNKNOWN),
        ([Status.UP, Status.PENDING], Status.PENDING),
        ([Status.UP, Status.PAUSED], Status.UP),
        ([Status.PAUSED], Status.PAUSED),
        ([Status.MAINTENANCE, Status.UP], Status.MAINTENANCE),
    ],
)
def test_a_service_shows_the_worst_of_its_checks(statuses: list[Status], shown: Status) -> None:
    assert worst(statuses) is shown


def test_worse_is_an_order_over_every_status() -> None:
    for one in Status:
        assert not is_worse(one, one)
        for other in Status:
            assert is_worse(one, other) + is_worse(other, one) == (one is not other)


def _expected(signs: str, policy: Policy) -> list[tuple[int, Status]]:
    """The confirmed changes by looking back over the whole history at each step; slow, and easy to believe."""
    status = Status.PENDING
    seen: list[str] = []
    changes: list[tuple[int, Status]] = []
    for index, sign in enumerate(signs):
        if _SIGNS[sign] is None:
            continue
        seen.append(sign)
        for target in (Status.DOWN, Status.DEGRADED, Status.UP):
            if target is not status and _SIGNS[sign] is target and _confirmed(status, target, seen, policy):
                changes.append((index, target))
                status, seen = target, []
                break
    return changes


def _confirmed(status: Status, target: Status, seen: list[str], policy: Policy) -> bool:
    if status is Status.PENDING:
        needed, counts = (policy.failures, "D") if target is Status.DOWN else (1, "US")
    elif status is Status.DOWN:
        needed, counts = policy.recoveries, "US"
    elif target is Status.DOWN or (status, target) == (Status.UP, Status.DEGRADED):
        needed, counts = policy.failures, _LETTERS[target]
    else:
        needed, counts = policy.recoveries, _LETTERS[target]
    return len(seen) >= needed and all(sign in counts for sign in seen[-needed:])


@given(
    signs=st.text(alphabet="UDS?", max_size=60),
    policy=st.builds(Policy, failures=st.integers(1, 4), recoveries=st.integers(1, 4)),
)
def test_any_history_gives_the_changes_of_the_model(signs: str, policy: Policy) -> None:
    streak, changes = play(signs, policy)
    made = [(index, change.after) for index, change in enumerate(changes) if change]
    assert made == _expected(signs, policy)
    numbered = [change for change in changes if change]
    assert [change.seq for change in numbered] == list(range(1, len(numbered) + 1))
    assert all(earlier.after is later.before for earlier, later in pairwise(numbered))
    assert streak.seq == len(numbered)


@given(signs=st.text(alphabet="UDS?", max_size=40), policy=st.builds(Policy, failures=st.integers(1, 4)))
def test_unknown_results_make_no_difference(signs: str, policy: Policy) -> None:
    assert play(signs, policy)[0] == play(signs.replace("?", ""), policy)[0]
