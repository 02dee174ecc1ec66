"""The figure of a latency chart, without a browser."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app.domain.uptime import Counts
from app.usecases.history import Day, Range, Series
from pages.components.browser import zone_of
from pages.components.day_strip import in_words, look
from pages.components.latency_chart import in_figures, joined, percentiles
from pages.components.latency_figure import View, figure

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
STEP = 30.0


def series(*results: tuple[float, float | None, bool], **values: Any) -> Series:
    """Results as (seconds ago, latency, failed), oldest first."""
    at = tuple(NOW - timedelta(seconds=age) for age, _, _ in results)
    latency, failed = tuple(ms for _, ms, _ in results), tuple(failed for _, _, failed in results)
    phases: dict[str, tuple[float | None, ...]] = {"dns": (1.0,) * len(at), "connect": (None,) * len(at)}
    return Series(step_s=0, at=at, latency=latency, failed=failed, phases=phases, **values)


def view(**values: Any) -> View:
    usual: dict[str, Any] = {"span": Range.HOUR, "now": NOW, "zone": UTC, "step_s": STEP}
    return View(**(usual | values))


def trace(drawn: dict[str, Any], uid: str) -> dict[str, Any]:
    found: dict[str, Any] = next(trace for trace in drawn["data"] if trace["uid"] == uid)
    return found


def uids(drawn: dict[str, Any]) -> list[str]:
    return [trace["uid"] for trace in drawn["data"]]


def test_missing_results_leave_a_gap() -> None:
    drawn = figure(series((150, 10.0, False), (120, 11.0, False), (30, 12.0, False)), view(), phases=False)
    assert trace(drawn, "latency")["y"] == (10.0, 11.0, None, 12.0)
    assert trace(drawn, "latency")["connectgaps"] is False


def test_the_area_falls_to_zero_around_a_gap_and_a_failure() -> None:
    drawn = figure(
        series((180, 10.0, False), (150, 11.0, False), (60, 12.0, False), (30, None, True), (0, 13.0, False)),
        view(),
        phases=False,
    )
    assert trace(drawn, "area")["y"] == (0.0, 10.0, 11.0, 0.0, 0.0, 12.0, 0.0, 0.0, 13.0)


def test_a_late_result_is_no_gap() -> None:
    drawn = figure(series((100, 10.0, False), (30, 11.0, False)), view(), phases=False)
    assert trace(drawn, "latency")["y"] == (10.0, 11.0)


def test_failed_and_unknown_results_are_marked_and_are_no_latency() -> None:
    drawn = figure(series((90, 10.0, False), (60, None, True), (30, None, False)), view(), phases=False)
    assert trace(drawn, "latency")["y"] == (10.0, None, None)
    assert trace(drawn, "failed")["x"] == ("2026-03-14 11:59:00.000",)
    assert trace(drawn, "unknown")["x"] == ("2026-03-14 11:59:30.000",)
    assert trace(drawn, "unknown")["yaxis"] == "y2"


def test_times_are_shown_in_the_zone_of_the_reader() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    drawn = figure(series((60, 10.0, False)), view(zone=east), phases=False)
    assert trace(drawn, "latency")["x"] == ("2026-03-14 17:29:00.000",)


@pytest.mark.parametrize(("threshold", "is_drawn"), [(None, False), (300, True), (4_000, True), (4_001, False)])
def test_a_threshold_far_above_would_press_the_line_flat(threshold: float | None, is_drawn: bool) -> None:
    drawn = figure(series((60, 1000.0, False)), view(threshold_ms=threshold), phases=False)
    assert ("threshold" in uids(drawn)) is is_drawn


def test_incidents_are_bands_and_one_that_lasts_has_no_end() -> None:
    bands = ((NOW - timedelta(minutes=30), NOW - timedelta(minutes=20)), (NOW - timedelta(minutes=5), None))
    shapes = figure(series((60, 1.0, False)), view(bands=bands), phases=False)["layout"]["shapes"]
    ends = [shape["x1"] for shape in shapes if shape["type"] == "rect"]
    assert ends == ["2026-03-14 11:40:00.000", "2026-03-14 13:00:00.000"]


def test_phases_are_stacked_and_all_there() -> None:
    drawn = figure(series((60, 10.0, False)), view(), phases=True)
    assert uids(drawn)[:2] == ["phase-dns", "phase-connect"]
    assert trace(drawn, "phase-connect")["y"] == (0.0,)
    assert {trace["stackgroup"] for trace in drawn["data"][:2]} == {"phases"}


def test_stacked_phases_fall_to_nothing_in_a_gap() -> None:
    drawn = figure(series((150, 10.0, False), (30, 12.0, False)), view(), phases=True)
    assert trace(drawn, "phase-dns")["y"] == (1.0, 0.0, 0.0, 1.0)


def test_the_figure_is_sent_cheaply() -> None:
    drawn = figure(series((60, 10.0, False)), view(), phases=False)
    assert [type(trace["x"]) for trace in drawn["data"]] == [tuple] * len(drawn["data"])


@pytest.mark.parametrize(
    ("since", "start"),
    [
        (NOW - timedelta(days=1), NOW - timedelta(hours=1)),
        (NOW - timedelta(minutes=20), NOW - timedelta(minutes=20)),
        (NOW - timedelta(seconds=9), NOW - timedelta(minutes=5)),
    ],
)
def test_a_young_check_shows_no_hour_of_nothing(since: datetime, start: datetime) -> None:
    assert view(since=since).start == start


def test_new_results_join_and_old_ones_leave() -> None:
    old = series((3_700, 1.0, False), (60, 2.0, True))
    whole = joined(old, series((30, 4.0, False)), view())
    assert (whole.latency, whole.failed) == ((2.0, 4.0), (True, False))
    assert whole.phases["dns"] == (1.0, 1.0)
    assert whole.p50 == 3.0


@pytest.mark.parametrize(
    ("latency", "expected"),
    [((), (None, None)), ((None,), (None, None)), ((7.0, None), (7.0, 7.0)), (tuple(map(float, range(101))), (50, 95))],
)
def test_percentiles_of_what_is_known(latency: tuple[float | None, ...], expected: tuple[float | None, ...]) -> None:
    assert percentiles(latency) == expected


def test_a_range_without_percentiles_shows_the_mean() -> None:
    assert in_figures(series((60, 1000.0, False), (30, 2000.0, False))) == "mean 1,500 ms"
    assert in_figures(series((60, 1.0, False), p50=212.4, p95=1240.0)) == "p50 212 ms · p95 1,240 ms"
    assert in_figures(series()) == ""


def test_a_zone_that_nobody_knows_has_a_fixed_offset() -> None:
    assert zone_of("Europe/Riga", 120).utcoffset(NOW) == timedelta(hours=2)
    assert zone_of("Mars/Olympus", 90).utcoffset(NOW) == timedelta(minutes=90)
    assert zone_of("../etc/passwd", 0).utcoffset(NOW) == timedelta(0)
    assert zone_of(None, None) is UTC


@pytest.mark.parametrize(
    ("counts", "token"),
    [
        (Counts(), "none"),
        (Counts(unknown=3), "unknown"),
        (Counts(up=1000), "up"),
        (Counts(up=1000, down=1), "degraded"),
        (Counts(up=98, down=2), "down"),
        (Counts(up=4, degraded=5), "degraded"),
    ],
)
def test_a_day_has_the_colour_of_its_uptime(counts: Counts, token: str) -> None:
    assert look(counts) == token


def test_a_day_reads_as_a_sentence() -> None:
    day = datetime(2026, 3, 7, tzinfo=UTC)
    assert in_words(Day(day, Counts(99_999, 0, 1, 2))) == "Sat 7 Mar: 99.99% up · 99,999 up, 1 failed, 2 unknown"
    assert in_words(Day(day, Counts())) == "Sat 7 Mar: no results"
