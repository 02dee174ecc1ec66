"""What the overview shows, in a real browser."""

import re

from playwright.async_api import Locator, Page, expect

from app.core.clock import now
from app.db.session import announce
from app.domain.access import Role
from app.live.bus import Topic
from models import Service
from tests.builders import add_service, add_team, id_of
from tests.pages.stage import PHONE, Stage

HOSTILE = """<img src=x onerror="window.harmed=1"> {{ 7 * 7 }} & 'co'"""


def tile(page: Page, name: str) -> Locator:
    return page.get_by_test_id("service").filter(has_text=name)


def count(page: Page, status: str) -> Locator:
    return page.get_by_test_id(f"count-{status}")


async def test_each_service_is_shown_with_status_latency_and_last_results(stage: Stage) -> None:
    _, fast = await stage.service("auth", group="Storefront")
    _, slow = await stage.service("payments", group="Storefront", degraded_ms=800)
    _, broken = await stage.service("checkout", group="Storefront")
    await stage.service("search", group="Back office")
    await stage.result(fast, 38)
    await stage.result(slow, 1240)
    await stage.result(broken, message="502 Bad Gateway")
    page = await stage.open()
    await expect(tile(page, "auth")).to_contain_text("38ms")
    await expect(tile(page, "auth").get_by_role("img", name="Up", exact=True)).to_be_visible()
    await expect(tile(page, "auth").get_by_role("img", name="Last 1 result: 1 up")).to_be_visible()
    await expect(tile(page, "payments")).to_have_attribute("data-status", "degraded")
    await expect(tile(page, "payments")).to_contain_text("1,240ms")
    await expect(tile(page, "checkout")).to_contain_text(re.compile(r"Down \d+ s"))
    await expect(tile(page, "checkout")).to_contain_text("502 Bad Gateway")
    await expect(tile(page, "search")).to_have_attribute("data-status", "pending")
    for status in ("up", "degraded", "down", "pending"):
        await expect(count(page, status)).to_contain_text("1")
    await expect(page.get_by_test_id("stamp")).to_have_text("Live · 4 services")


async def test_groups_stand_by_name_and_in_each_the_worst_comes_first(stage: Stage) -> None:
    _, first = await stage.service("a-fine", group="Storefront")
    _, second = await stage.service("b-broken", group="Storefront")
    await stage.service("worker", group="Back office")
    await stage.result(first)
    await stage.result(second, message="Connection refused")
    page = await stage.open()
    await expect(page.locator(".group h2")).to_have_text(["Back office", "Storefront"])
    await expect(page.get_by_test_id("service").locator("b")).to_have_text(["worker", "b-broken", "a-fine"])


async def test_an_open_incident_stands_above_the_services(stage: Stage) -> None:
    _, check = await stage.service("checkout")
    await stage.result(check, message="502 Bad Gateway")
    page = await stage.open()
    incident = page.get_by_test_id("incident")
    await expect(incident).to_contain_text("✕Critical")
    await expect(incident).to_contain_text("checkout is down: 502 Bad Gateway")
    await expect(incident.get_by_role("link", name="Open thread")).to_have_attribute("href", "/incidents/1")
    await expect(page.get_by_test_id("open-incidents")).to_have_text("1")
    await expect(page.get_by_test_id("activity")).to_contain_text("checkout went down")


async def test_hostile_names_are_shown_literally(stage: Stage) -> None:
    _, check = await stage.service(HOSTILE, group=HOSTILE, tags=(HOSTILE,))
    await stage.result(check, message="<script>window.harmed=1</script>")
    for view in ("tiles", "list", "heatmap"):
        page = await stage.open(f"/?view={view}")
        await expect(page.locator(".group h2")).to_have_text(HOSTILE)
        await expect(page.get_by_test_id("incident")).to_contain_text("<script>window.harmed=1</script>")
        assert await page.evaluate("window.harmed === undefined && !document.querySelector('main img')")


async def test_an_empty_board_says_what_to_do_next(stage: Stage) -> None:
    page = await stage.open()
    await expect(page.get_by_test_id("empty")).to_contain_text("Nothing is watched yet")
    await expect(page.get_by_role("link", name="Add the first service")).to_have_attribute("href", "/services/new")
    page = await stage.open(user=await stage.member(Role.VIEWER))
    await expect(page.get_by_test_id("empty")).to_contain_text("Ask an admin")
    await expect(page.get_by_role("link", name=re.compile("^Add"))).to_have_count(0)


async def test_another_teams_services_are_not_shown(stage: Stage) -> None:
    await stage.service("ours")
    async with stage.database.transaction() as session:
        other = await add_team(session, f"Not {stage.team.name}")
        theirs = await add_service(session, other, "theirs")
        announce(session, Topic.SERVICES, id_of(other), ids=[id_of(theirs)])
    page = await stage.open()
    await expect(page.get_by_test_id("service")).to_have_count(1)
    await expect(tile(page, "ours")).to_be_visible()


async def test_services_are_filtered_by_name_tag_and_status_and_the_address_keeps_it(stage: Stage) -> None:
    _, check = await stage.service("auth", tags=("edge",))
    await stage.service("catalogue")
    await stage.result(check)
    page = await stage.open()
    await page.get_by_test_id("filter").fill("EDGE")
    await expect(page.get_by_test_id("service")).to_have_count(1)
    await expect(page.get_by_test_id("stamp")).to_have_text("Live · 2 services · 1 shown")
    assert page.url.endswith("/?q=EDGE")
    await page.get_by_test_id("filter").fill("pending cat")
    await expect(tile(page, "catalogue")).to_be_visible()
    await page.get_by_test_id("filter").fill("")
    await count(page, "up").click()
    await page.get_by_role("button", name="List").click()
    await expect(page.get_by_test_id("service")).to_have_count(1)
    assert page.url.endswith("/?status=up&view=list")
    shared = await stage.open("/?status=down&q=auth")
    await expect(shared.get_by_test_id("no-match")).to_be_visible()
    await shared.get_by_role("button", name="Clear the filter").click()
    await expect(shared.get_by_test_id("service")).to_have_count(2)
    assert shared.url == f"{stage.origin}/"


async def test_a_board_with_more_services_than_a_screen_draws_them_all(stage: Stage) -> None:
    async with stage.database.transaction() as session:
        team_id = id_of(stage.team)
        many = [Service(team_id=team_id, name=f"s-{n}", group=f"Group {n % 7}", created_at=now()) for n in range(400)]
        session.add_all(many)
        await session.flush()
        announce(session, Topic.SERVICES, team_id, ids=[id_of(service) for service in many])
    for view in ("tiles", "list", "heatmap"):
        page = await stage.open(f"/?view={view}")
        await expect(page.get_by_test_id("service")).to_have_count(400)
        await expect(page.get_by_test_id("stamp")).to_have_text("Live · 400 services")


async def test_the_page_asks_no_other_host(stage: Stage) -> None:
    await stage.service("auth")
    page = await stage.open()
    await expect(tile(page, "auth")).to_be_visible()
    assert stage.requested
    assert {url for url in stage.requested if not url.startswith((stage.origin, "data:"))} == set()


async def test_a_phone_shows_everything_without_scrolling_sideways(stage: Stage) -> None:
    _, check = await stage.service("a-service-with-a-name-that-is-far-too-long-for-a-phone" * 3)
    await stage.result(check, message="A message that is far too long for a phone " * 5)
    for view in ("tiles", "list", "heatmap"):
        page = await stage.open(f"/?view={view}", size=PHONE, has_touch=True)
        await expect(page.get_by_test_id("service")).to_be_visible()
        await expect(page.get_by_role("link", name="Incidents")).to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
