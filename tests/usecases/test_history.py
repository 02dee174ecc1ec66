"""History against an oracle that counts in Python, on real PostgreSQL."""

import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound
from app.db.session import Database
from app.domain.uptime import Counts
from app.usecases import history
from app.usecases.checks import checks_of
from app.usecases.history import Range, Series
from models import Check, CheckHour, CheckResult
from models.result import Level
from tests.builders import id_of
from tests.usecases.people import People, make_people

NOW = datetime(2026, 3, 14, 15, 26, 53, tzinfo=UTC)
GOOD = (Level.UP, Level.DEGRADED)


@dataclass(frozen=True, slots=True)
class Run:
    """One result of the oracle."""

    at: datetime
    level: Level
    ms: float

    @property
    def hour(self) -> datetime:
        return self.at.replace(minute=0, second=0, microsecond=0)


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def do(people: People, action: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async with people.database.transaction() as session:
        return await action(session)


async def only_check(people: People) -> Check:
    (check,) = await do(people, lambda s: checks_of(s, people.vic, id_of(people.service)))
    found: Check = check
    return found


def made_up(seed: int, ages: Sequence[timedelta]) -> list[Run]:
    """Results of these ages with levels and latencies by chance, oldest first."""
    chance = random.Random(seed)
    levels = (Level.UP, Level.UP, Level.UP, Level.DEGRADED, Level.DOWN, Level.UNKNOWN)
    return [Run(NOW - age, chance.choice(levels), chance.uniform(1, 900)) for age in sorted(ages, reverse=True)]


async def store(people: People, runs: Sequence[Run]) -> Check:
    """The rows that the recorder would write for these results."""
    check = await only_check(people)
    hours: dict[datetime, CheckHour] = {}
    for run in runs:
        hour = hours.setdefault(run.hour, CheckHour(check_id=id_of(check), hour=run.hour))
        setattr(hour, run.level.name.lower(), getattr(hour, run.level.name.lower()) + 1)
        if run.level in GOOD:
            hour.latency_count += 1
            hour.latency_sum += run.ms
    async with people.database.transaction() as session:
        session.add_all(hours.values())
        session.add_all(
            CheckResult(check_id=id_of(check), at=run.at, latency_ms=run.ms, dns_ms=run.ms / 10, level=run.level)
            for run in runs
        )
    return check


async def latency(people: People, check: Check, span: Range) -> Series:
    series: Series = await do(people, lambda s: history.latency(s, people.vic, id_of(check), span, NOW))
    return series


def close(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-4)


async def test_the_last_hour_shows_single_results(people: People) -> None:
    runs = made_up(1, [timedelta(seconds=20 * n) for n in range(1, 170)])
    series = await latency(people, await store(people, [*made_up(2, [timedelta(hours=2)]), *runs]), Range.HOUR)
    assert series.step_s == 0
    assert series.at == tuple(run.at for run in runs)
    assert list(series.latency) == [close(run.ms if run.level in GOOD else None) for run in runs]
    assert list(series.failed) == [run.level is Level.DOWN for run in runs]
    assert list(series.phases["dns"]) == [close(run.ms / 10) for run in runs]
    assert set(series.phases["tls"]) == {None}


async def test_percentiles_are_of_the_good_results(people: People) -> None:
    runs = made_up(3, [timedelta(seconds=17 * n) for n in range(1, 200)])
    series = await latency(people, await store(people, runs), Range.HOUR)
    cuts = statistics.quantiles([run.ms for run in runs if run.level in GOOD], n=100, method="inclusive")
    assert (series.p50, series.p95) == (close(cuts[49]), close(cuts[94]))


async def test_a_day_is_shown_in_buckets_and_gaps_are_left_out(people: People) -> None:
    ages = [timedelta(minutes=n) for n in range(1, 1440) if not 600 < n < 720]
    runs = made_up(4, ages)
    series = await latency(people, await store(people, runs), Range.DAY)
    step, start = timedelta(seconds=series.step_s), NOW - timedelta(hours=24)
    buckets: dict[datetime, list[Run]] = {}
    for run in runs:
        buckets.setdefault(start + step * ((run.at - start) // step), []).append(run)
    assert step == timedelta(seconds=288)
    assert series.at == tuple(buckets)
    means = [[run.ms for run in found if run.level in GOOD] for found in buckets.values()]
    assert list(series.latency) == [close(statistics.mean(found) if found else None) for found in means]
    assert list(series.failed) == [any(run.level is Level.DOWN for run in found) for found in buckets.values()]
    widest = max(later - earlier for earlier, later in zip(series.at, series.at[1:], strict=False))
    assert timedelta(minutes=115) < widest < timedelta(minutes=125)


@pytest.mark.parametrize(("span", "hours"), [(Range.WEEK, 1), (Range.MONTH, 2), (Range.QUARTER, 7)])
async def test_long_ranges_are_means_of_whole_hours(people: People, span: Range, hours: int) -> None:
    days = int(span.length.total_seconds() // 86_400)
    runs = made_up(5, [timedelta(minutes=47 * n) for n in range(1, days * 24)])
    series = await latency(people, await store(people, runs), span)
    start = (NOW - span.length).replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=hours)
    buckets: dict[datetime, list[Run]] = {}
    for run in runs:
        if run.hour > start:
            buckets.setdefault(start + step * ((run.hour - start) // step), []).append(run)
    assert series.step_s == step.total_seconds()
    assert series.at == tuple(buckets)
    means = [[run.ms for run in found if run.level in GOOD] for found in buckets.values()]
    assert list(series.latency) == [close(statistics.mean(found) if found else None) for found in means]
    assert list(series.failed) == [any(run.level is Level.DOWN for run in found) for found in buckets.values()]
    assert series.phases == {}


@pytest.mark.parametrize("span", Range)
async def test_without_results_there_is_nothing_to_draw(people: People, span: Range) -> None:
    series = await latency(people, await only_check(people), span)
    assert (series.at, series.latency, series.p50) == ((), (), None)


def counted(runs: Sequence[Run]) -> Counts:
    levels = [run.level for run in runs]
    return Counts(*(levels.count(level) for level in (Level.UP, Level.DEGRADED, Level.DOWN, Level.UNKNOWN)))


async def test_the_strip_has_ninety_days_of_utc(people: People) -> None:
    runs = made_up(6, [timedelta(hours=5 * n, minutes=n) for n in range(500)])
    await store(people, runs)
    days = await do(people, lambda s: history.daily(s, people.vic, id_of(people.service), NOW))
    assert len(days) == 90
    assert days[-1].day == datetime(2026, 3, 14, tzinfo=UTC)
    for day in days:
        assert day.counts == counted([run for run in runs if run.at.date() == day.day.date()])


async def test_uptimes_count_each_range_to_the_hour(people: People) -> None:
    runs = made_up(7, [timedelta(minutes=97 * n) for n in range(1400)])
    await store(people, runs)
    found = await do(people, lambda s: history.uptimes(s, people.vic, id_of(people.service), NOW))
    assert list(found) == [Range.DAY, Range.WEEK, Range.MONTH, Range.QUARTER]
    for span, counts in found.items():
        assert counts == counted([run for run in runs if run.hour > NOW - span.length])


async def test_unknown_results_count_neither_for_nor_against(people: People) -> None:
    await store(people, [Run(NOW - timedelta(minutes=n), Level.UNKNOWN, 1.0) for n in range(5)])
    found = await do(people, lambda s: history.uptimes(s, people.vic, id_of(people.service), NOW))
    assert found[Range.DAY] == Counts(unknown=5)
    assert found[Range.DAY].uptime is None


async def test_last_results_are_the_newest_first(people: People) -> None:
    runs = made_up(8, [timedelta(seconds=n) for n in range(80)])
    check = await store(people, runs)
    found = await do(people, lambda s: history.last_results(s, people.vic, id_of(check), limit=10))
    assert [row.at for row in found] == [run.at for run in reversed(runs)][:10]


async def test_results_between_two_moments(people: People) -> None:
    runs = made_up(9, [timedelta(seconds=n) for n in range(60)])
    check = await store(people, runs)
    start, end = NOW - timedelta(seconds=40), NOW - timedelta(seconds=20)
    series = await do(people, lambda s: history.latency_around(s, people.vic, id_of(check), start, end))
    assert series.at == tuple(run.at for run in runs if start < run.at <= end)


READS: dict[str, Callable[[AsyncSession, People, int], Awaitable[Any]]] = {
    "latency": lambda s, people, check: history.latency(s, people.zoe, check, Range.HOUR, NOW),
    "around": lambda s, people, check: history.latency_around(s, people.zoe, check, NOW, NOW),
    "results": lambda s, people, check: history.last_results(s, people.zoe, check),
    "days": lambda s, people, _: history.daily(s, people.zoe, id_of(people.service), NOW),
    "uptimes": lambda s, people, _: history.uptimes(s, people.zoe, id_of(people.service), NOW),
}


@pytest.mark.parametrize("read", READS)
async def test_another_teams_history_does_not_exist(people: People, read: str) -> None:
    check = await only_check(people)
    with pytest.raises(NotFound):
        await do(people, lambda s: READS[read](s, people, id_of(check)))
