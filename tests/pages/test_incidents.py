"""The list of incidents, and lines of a timeline in words."""

import pytest
from playwright.async_api import Locator, Page, expect

from app.core import clock
from app.domain.access import Role
from app.domain.incident import IncidentStatus
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.incidents import TimelineEntry
from models import Event, Service
from models.incident import EventKind
from pages.components.incidents_body import Place
from pages.components.timeline import line_of
from tests.builders import id_of
from tests.pages.stage import PHONE, Stage


def rows(page: Page) -> Locator:
    return page.get_by_test_id("incident")


def empty(page: Page) -> Locator:
    return page.get_by_test_id("empty")


async def fail(stage: Stage, name: str, message: str = "502 Bad Gateway") -> Service:
    service, check = await stage.service(name)
    await stage.result(check)
    await stage.result(check, message=message)
    return service


async def resolve(stage: Stage, number: int) -> None:
    admin, team = stage.admin, stage.team
    actor = Actor(id_of(admin), admin.name, admin.email, id_of(team), team.name, Role.ADMIN)
    async with stage.database.transaction() as session:
        await incidents.set_status(session, actor, number, IncidentStatus.RESOLVED)


async def test_no_incidents_is_good_news_that_says_what_would_be_here(stage: Stage) -> None:
    page = await stage.open("/incidents")
    await expect(empty(page)).to_contain_text("No open incidents")
    await expect(empty(page)).to_contain_text("opens by itself when a check fails")
    await expect(empty(page).get_by_role("link", name="Go to services")).to_be_visible()


async def test_incidents_come_and_go_without_a_reload(stage: Stage) -> None:
    page = await stage.open("/incidents")
    await fail(stage, "checkout")
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page)).to_contain_text("#1")
    await expect(rows(page)).to_contain_text("checkout is down: 502 Bad Gateway")
    await expect(rows(page)).to_contain_text("nobody")
    await expect(rows(page)).to_have_attribute("data-status", "open")
    await expect(empty(page)).to_be_hidden()
    await resolve(stage, 1)
    await expect(rows(page)).to_have_count(0)
    await expect(empty(page)).to_contain_text("No open incidents")


async def test_the_address_says_which_incidents_are_listed(stage: Stage) -> None:
    checkout, _ = await fail(stage, "checkout"), await fail(stage, "auth")
    await resolve(stage, 1)
    page = await stage.open("/incidents")
    await expect(rows(page)).to_have_count(1)
    await page.get_by_role("link", name="Resolved").click()
    await page.wait_for_url("**/incidents?show=resolved")
    await expect(rows(page)).to_contain_text("checkout")
    await expect(rows(page)).to_contain_text("lasted")
    await page.get_by_role("link", name="All").click()
    await page.wait_for_url("**/incidents?show=all")
    await expect(rows(page)).to_have_count(2)
    await page.get_by_role("combobox", name="Service").click()
    await page.get_by_role("option", name="checkout").click()
    await page.wait_for_url(f"**/incidents?show=all&service={checkout.id}")
    await expect(rows(page)).to_have_count(1)
    await rows(page).click()
    await expect(page.locator("h1")).to_contain_text("#1 checkout is down")


async def test_nonsense_in_the_address_is_as_good_as_nothing(stage: Stage) -> None:
    page = await stage.open("/incidents?show=<script>&service=99999999999999999999&before=-1")
    await expect(empty(page)).to_contain_text("No open incidents")


async def test_titles_are_text_and_fit_a_phone(stage: Stage) -> None:
    await fail(stage, "checkout", message="<img src=x onerror=alert(1)>" + "x" * 300)
    page = await stage.open("/incidents", size=PHONE, has_touch=True, is_mobile=True)
    await expect(rows(page)).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(rows(page).locator("img")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (("", "", ""), Place()),
        (("all", "7", "12"), Place("all", 7, 12)),
        (("closed", "x", "1.5"), Place()),
        (("open", "0", "-3"), Place()),
        (("open", "2147483648", "²"), Place()),
        (("open", "9" * 5000, " 7"), Place()),
    ],
)
def test_a_place_is_read_from_any_address(given: tuple[str, str, str], place: Place) -> None:
    assert Place.read(*given) == place


def test_a_place_has_a_short_address() -> None:
    assert Place().href == "/incidents"
    assert Place("all", 7, 12).href == "/incidents?show=all&service=7&before=12"


def words_of(kind: EventKind, **data: object) -> str:
    event = Event(id=1, team_id=1, at=clock.now(), kind=kind, data=data)
    return "".join(words for words, _ in line_of(TimelineEntry(event, None))["parts"])


@pytest.mark.parametrize(
    ("words", "kind", "data"),
    [
        ("checkout went down", EventKind.WENT_DOWN, {"service": "checkout"}),
        ("checkout is slow", EventKind.DEGRADED, {"service": "checkout", "before": "up"}),
        ("checkout answers again, but slowly", EventKind.DEGRADED, {"service": "checkout", "before": "down"}),
        ("checkout recovered", EventKind.RECOVERED, {"service": "checkout"}),
        ("Notified #x (delivered in 0.4 s)", EventKind.DELIVERED, {"channel": "#x", "attempt": 1, "seconds": 0.42}),
        (
            "Notified #x of the recovery (delivered in 1.0 s, attempt 3)",
            EventKind.DELIVERED,
            {"channel": "#x", "attempt": 3, "seconds": 1, "message": "recovered"},
        ),
        (
            "#x could not be notified (attempt 2, next try in 4 s)",
            EventKind.DELIVERY_FAILED,
            {"channel": "#x", "attempt": 2, "next_try_s": 4.2},
        ),
        (
            "#x could not be notified (attempt 1, given up)",
            EventKind.DELIVERY_FAILED,
            {"channel": "#x", "attempt": 1, "next_try_s": None},
        ),
        ("Ann acknowledged and set the status to Investigating", EventKind.ACKNOWLEDGED, {"actor": "Ann"}),
        ("Ann assigned this to Ben", EventKind.ASSIGNED, {"actor": "Ann", "assignee": "Ben"}),
        ("Ann took this on", EventKind.ASSIGNED, {"actor": "Ann", "assignee": "Ann"}),
        ("Ann set the status to Open", EventKind.STATUS_SET, {"actor": "Ann", "status": "open"}),
        ("Ann resolved this incident", EventKind.RESOLVED, {"actor": "Ann"}),
    ],
)
def test_a_line_reads_as_a_sentence(words: str, kind: EventKind, data: dict[str, object]) -> None:
    assert words_of(kind, **data) == words


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_line_reads_without_any_data(kind: EventKind) -> None:
    assert words_of(kind).strip()


def test_a_failure_shows_what_was_seen_and_a_refusal_why() -> None:
    def detail(kind: EventKind, **data: object) -> str:
        event = Event(id=1, team_id=1, at=clock.now(), kind=kind, data=data)
        return str(line_of(TimelineEntry(event, None))["detail"])

    assert detail(EventKind.WENT_DOWN, message="502 Bad Gateway", latency_ms=1240.4) == "502 Bad Gateway · 1,240 ms"
    assert detail(EventKind.WENT_DOWN, message="", latency_ms=None) == ""
    assert detail(EventKind.DELIVERY_FAILED, error="Slack answered 503.") == "Slack answered 503."
    assert detail(EventKind.ACKNOWLEDGED, message="not shown") == ""
