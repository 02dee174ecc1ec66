"""The board of latest state: what a snapshot holds, what a frame tells, and when old green stops being green."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.domain.status import Status
from app.live.board import POINTS, CheckRow, ServiceRow, TeamBoard

CHECK = CheckRow(
    check_id=7,
    service_id=3,
    label="HTTP",
    interval_s=30,
    timeout_s=10,
    degraded_ms=800,
    paused=False,
    status=Status.UP,
    since=1_000.0,
    last_at=1_000.0,
    latency_ms=41.6,
    level="u",
)
SERVICE = ServiceRow(3, "checkout-api", "Storefront", ("critical",))


@pytest.fixture
def board() -> TeamBoard:
    made = TeamBoard(team_id=1)
    made.tick(1_000.0)
    made.put_service(SERVICE, [CHECK])
    made.frame()
    return made


def row_of(board: TeamBoard) -> list[Any]:
    return list(orjson.loads(board.snapshot())["rows"][0])


def test_a_row_has_the_columns_that_the_component_reads(board: TeamBoard) -> None:
    board.put_history(7, [40.0, None, 41.6], ["u", "d", "u"])
    board.put_uptimes({3: 99.5})
    assert row_of(board) == [
        3,
        "checkout-api",
        "Storefront",
        ["critical"],
        "up",
        1_000.0,
        42,
        1_000.0,
        30,
        [40, None, 42],
        "udu",
        99.5,
        "HTTP · every 30 s",
    ]


def test_a_plain_result_is_sent_as_a_point_and_not_as_a_row(board: TeamBoard) -> None:
    board.put_check(replace(CHECK, last_at=1_030.0, latency_ms=50.0))
    assert board.frame() == {"r": 2, "t": 1_000.0, "p": [[3, 50, "u", 1_030.0]]}


def test_a_change_of_status_is_sent_as_a_whole_row_with_the_counts(board: TeamBoard) -> None:
    down = replace(
        CHECK, status=Status.DOWN, last_at=1_030.0, level="d", message="502 Bad Gateway", since=1_030.0, latency_ms=9.0
    )
    board.put_check(down)
    frame = board.frame()
    assert "p" not in frame
    assert frame["s"][0][4] == "down"
    assert frame["s"][0][6] is None
    assert frame["s"][0][12] == "502 Bad Gateway"
    assert frame["c"]["down"] == 1
    assert frame["c"]["up"] == 0


def test_the_same_result_twice_adds_no_point(board: TeamBoard) -> None:
    board.put_check(CHECK)
    assert board.frame() == {"r": 1, "t": 1_000.0}


def test_an_older_result_does_not_add_a_point(board: TeamBoard) -> None:
    board.put_check(replace(CHECK, last_at=900.0))
    assert "p" not in board.frame()


def test_the_revision_grows_only_when_something_changed(board: TeamBoard) -> None:
    before = board.rev
    board.frame()
    board.frame()
    assert board.rev == before


def test_green_without_fresh_results_becomes_unknown(board: TeamBoard) -> None:
    board.tick(1_000.0 + 3 * 30 + 10)
    assert board.counts()["up"] == 1
    board.tick(1_000.0 + 3 * 30 + 11)
    assert board.counts()["unknown"] == 1
    frame = board.frame()
    assert frame["s"][0][4] == "unknown"
    assert frame["s"][0][12] == "No fresh results"


def test_a_fresh_result_ends_unknown(board: TeamBoard) -> None:
    board.tick(2_000.0)
    board.frame()
    board.put_check(replace(CHECK, last_at=1_999.0))
    assert board.frame()["s"][0][4] == "up"


def test_a_service_shows_the_worst_of_its_checks_and_that_checks_note(board: TeamBoard) -> None:
    second = replace(CHECK, check_id=8, status=Status.DOWN, level="d", message="Connection refused")
    board.put_service(SERVICE, [CHECK, second])
    assert row_of(board)[4] == "down"
    assert row_of(board)[12] == "Connection refused"


def test_a_paused_check_does_not_count_beside_an_active_one(board: TeamBoard) -> None:
    board.put_service(SERVICE, [CHECK, replace(CHECK, check_id=8, paused=True, status=Status.PAUSED)])
    assert row_of(board)[4] == "up"


def test_a_service_whose_checks_are_all_paused_is_paused(board: TeamBoard) -> None:
    board.put_service(SERVICE, [replace(CHECK, paused=True, status=Status.PAUSED)])
    assert row_of(board)[4] == "paused"


def test_a_service_without_checks_is_pending(board: TeamBoard) -> None:
    board.put_service(SERVICE, [])
    assert row_of(board)[4] == "pending"
    assert row_of(board)[12] == "No checks yet"


def test_an_edited_service_keeps_the_points_of_its_checks(board: TeamBoard) -> None:
    board.put_history(7, [1.0, 2.0], ["u", "u"])
    board.put_service(replace(SERVICE, name="checkout"), [replace(CHECK, interval_s=60)])
    assert row_of(board)[1] == "checkout"
    assert row_of(board)[9] == [1, 2]


def test_a_removed_service_is_told_once_and_forgotten(board: TeamBoard) -> None:
    board.remove_service(3)
    assert board.frame()["x"] == [3]
    assert "x" not in board.frame()
    board.put_check(replace(CHECK, last_at=1_030.0))
    assert "p" not in board.frame()


def test_only_the_last_points_are_kept(board: TeamBoard) -> None:
    for step in range(1, 2 * POINTS):
        board.put_check(replace(CHECK, last_at=1_000.0 + step, latency_ms=float(step)))
    assert len(row_of(board)[9]) == POINTS
    assert row_of(board)[9][-1] == 2 * POINTS - 1


def test_an_activity_line_that_comes_twice_is_shown_once(board: TeamBoard) -> None:
    line = {"id": 5, "at": 1_000.0, "icon": "down", "text": "checkout-api went down", "href": ""}
    board.add_activity(line)
    board.add_activity(line)
    assert board.frame()["a"] == [line]


def test_a_snapshot_lists_the_newest_activity_first(board: TeamBoard) -> None:
    for number in (1, 2):
        board.add_activity({"id": number})
    assert [line["id"] for line in orjson.loads(board.snapshot())["activity"]] == [2, 1]


def test_incidents_are_sent_when_they_change(board: TeamBoard) -> None:
    board.put_incidents([{"id": 1}])
    assert board.frame()["i"] == [{"id": 1}]
    board.put_incidents([{"id": 1}])
    assert "i" not in board.frame()


def test_the_teams_uptime_is_the_mean_of_those_known(board: TeamBoard) -> None:
    board.put_service(ServiceRow(4, "new", "", ()), [])
    board.put_uptimes({3: 99.0})
    assert board.uptime() == 99.0
