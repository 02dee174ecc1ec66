"""The page of one service in a real browser: what it shows, and that it follows the state by itself."""

import pytest
from playwright.async_api import Locator, Page, expect

from app.core import clock
from app.domain.access import Role
from app.usecases import services
from app.usecases.actor import Actor
from models import CheckResult
from models.result import Level
from tests.builders import add_check, id_of
from tests.pages.stage import PHONE, Stage
from tests.usecases.people import actor_of

CHART_MS = 30_000
HOSTILE = """<img src=x onerror="window.harmed=1"> {{ 7 * 7 }} & 'co'"""


def admin(stage: Stage) -> Actor:
    return actor_of(stage.team, stage.admin, Role.ADMIN)


def status(page: Page) -> Locator:
    return page.get_by_test_id("status")


async def until_points(page: Page, count: int) -> None:
    """Wait until the chart's line has so many results."""
    drawn = "(count) => document.querySelector('.chart')?.data?.find((t) => t.uid === 'latency')?.y.length === count"
    await page.wait_for_function(drawn, arg=count, timeout=CHART_MS)


async def test_it_says_what_the_service_is_and_how_it_is(stage: Stage) -> None:
    service, check = await stage.service("checkout", group="Storefront", url="https://shop.example/health")
    await stage.result(check, 212.0)
    page = await stage.open(f"/services/{service.id}")
    await expect(page).to_have_title("checkout · Pulseboard")
    await expect(page.locator("h1")).to_have_text("checkout")
    await expect(page.locator(".crumbs")).to_contain_text("Storefront")
    await expect(page.locator(".target")).to_have_text("GET https://shop.example/health")
    await expect(status(page)).to_have_text("● Up")
    await expect(page.get_by_test_id("uptime-24 h")).to_contain_text("100%")
    await expect(page.locator(".day")).to_have_count(90)
    await expect(page.get_by_test_id("percentiles")).to_have_text("p50 212 ms · p95 212 ms")


async def test_the_next_check_is_counted_down_in_the_browser(stage: Stage) -> None:
    service, check = await stage.service("checkout", interval_s=3600)
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}")
    words = page.get_by_test_id("next-check")
    await expect(words).to_contain_text("next check in")
    await expect(words).not_to_have_text(await words.inner_text())


async def test_a_failure_turns_every_open_page_red_and_shows_its_incident(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    pages = [await stage.open(f"/services/{service.id}"), await stage.open(f"/services/{service.id}?tab=incidents")]
    await expect(pages[1].get_by_text("No incidents")).to_be_visible()
    await stage.result(check, message="502 Bad Gateway")
    for page in pages:
        await expect(status(page)).to_have_text("✕ Down")
    await expect(pages[1].get_by_role("link", name="#1 checkout is down")).to_be_visible()


async def test_new_results_are_appended_to_the_chart_and_the_table(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check, 10.0)
    await stage.result(check, 20.0)
    page = await stage.open(f"/services/{service.id}")
    await until_points(page, 2)
    await stage.result(check, 30.0)
    await until_points(page, 3)
    await expect(page.get_by_test_id("results").locator("tbody tr")).to_have_count(3)
    await expect(page.get_by_test_id("percentiles")).to_have_text("p50 20 ms · p95 29 ms")


async def test_the_phases_replace_the_line_on_demand(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    async with stage.database.transaction() as session:
        row = CheckResult(check_id=id_of(check), at=clock.now(), level=Level.UP, latency_ms=40.0)
        row.connect_ms, row.first_byte_ms = 10.0, 30.0
        session.add(row)
    page = await stage.open(f"/services/{service.id}")
    await until_points(page, 1)
    await page.locator(".phase-legend").click()
    uids = "() => document.querySelector('.chart').data.slice(0, 5).map((trace) => trace.uid + ' ' + trace.y.join())"
    await page.wait_for_function("document.querySelector('.chart').data.length === 7")
    assert await page.evaluate(uids) == [
        "phase-dns 0", "phase-connect 10", "phase-tls 0", "phase-first-byte 30", "phase-download 0",
    ]  # fmt: skip


async def test_tabs_and_ranges_are_in_the_address(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}")
    await page.get_by_role("link", name="7 d").click()
    await page.wait_for_url(f"**/services/{service.id}?range=7d")
    await expect(page.get_by_test_id("percentiles")).to_contain_text("mean")
    await page.get_by_role("link", name="Checks").click()
    await page.wait_for_url(f"**/services/{service.id}?tab=checks&range=7d")
    await expect(page.get_by_test_id("results").locator("tbody tr")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_role("link", name="Checks")).to_have_attribute("aria-current", "true")


async def test_pausing_shows_at_once_and_everywhere(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page, other = await stage.open(f"/services/{service.id}"), await stage.open(f"/services/{service.id}")
    await page.get_by_role("button", name="Pause").click()
    for shown in (page, other):
        await expect(status(shown)).to_have_attribute("data-status", "paused")
        await expect(shown.get_by_role("button", name="Resume")).to_be_visible()
        await expect(shown.get_by_test_id("next-check")).to_have_text("checks are paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(status(other)).to_have_attribute("data-status", "pending")


async def test_a_refused_pause_is_put_right_with_a_word(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}")
    async with stage.database.transaction() as session:
        await services.delete_service(session, admin(stage), id_of(service))
    await expect(page.get_by_text("This service was deleted")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".q-notification").first).to_contain_text("There is no such service")


async def test_a_viewer_sees_everything_and_no_buttons(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}?tab=settings", await stage.member(Role.VIEWER))
    await expect(status(page)).to_have_text("● Up")
    await expect(page.get_by_test_id("check-settings")).to_contain_text("http://127.0.0.1:1/")
    for name in ("Check now", "Pause", "Delete"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    for name in ("Edit", "Add another check"):
        await expect(page.get_by_role("link", name=name)).to_have_count(0)


async def test_a_developer_may_check_now_only(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}", await stage.member(Role.DEVELOPER))
    await expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_test_id("next-check")).to_have_text("checking now")


async def test_deleting_names_what_is_lost_and_wants_the_name(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    await stage.result(check, message="502 Bad Gateway")
    page = await stage.open(f"/services/{service.id}")
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_test_id("confirm")
    await expect(dialog).to_contain_text("checkout with its history, 1 check and 1 incident")
    await expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    await page.get_by_label("Name, to confirm").fill("checkout")
    await dialog.get_by_role("button", name="Delete").click()
    await page.wait_for_url("**/services")


async def test_a_check_of_several_is_chosen(stage: Stage) -> None:
    service, first = await stage.service("checkout")
    async with stage.database.transaction() as session:
        second = await add_check(session, service, "https://shop.example/second")
    await stage.result(first, 10.0)
    await stage.result(second, 2_000.0)
    page = await stage.open(f"/services/{service.id}?check={second.id}")
    await expect(page.get_by_test_id("percentiles")).to_have_text("p50 2,000 ms · p95 2,000 ms")
    await expect(page.locator(".target")).to_have_text("GET http://127.0.0.1:1/ and 1 more")


@pytest.mark.parametrize("path", ["/services/999999999", "/services/99999999999999999999"])
async def test_a_service_that_is_not_there_is_said_so(stage: Stage, path: str) -> None:
    page = await stage.open(path)
    await expect(page.locator(".empty h2")).to_have_text("There is nothing here")
    stage.errors.clear()  # the browser says that the page answered 404


async def test_texts_from_outside_are_shown_as_text(stage: Stage) -> None:
    service, check = await stage.service(HOSTILE, group=HOSTILE)
    await stage.result(check, message=HOSTILE)
    page = await stage.open(f"/services/{service.id}?tab=checks")
    await expect(page.locator("h1")).to_have_text(HOSTILE)
    await expect(page.get_by_test_id("results")).to_contain_text(HOSTILE)
    await page.get_by_role("link", name="Incidents").last.click()
    await expect(page.locator(".service-panel")).to_contain_text(HOSTILE)
    assert await page.evaluate("window.harmed") is None


async def test_the_chart_follows_the_theme(stage: Stage) -> None:
    service, check = await stage.service("checkout")
    await stage.result(check)
    page = await stage.open(f"/services/{service.id}")
    await until_points(page, 1)
    ink = "() => getComputedStyle(document.querySelector('.chart .xtick text')).fill"
    inks = []
    for theme in ("dark", "light"):
        await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        inks.append(await page.evaluate(ink))
    assert inks[0] != inks[1]


@pytest.mark.parametrize("tab", ["overview", "checks", "incidents", "settings"])
async def test_it_fits_a_phone(stage: Stage, tab: str) -> None:
    service, check = await stage.service(
        "a-service-with-quite-a-long-name-for-a-phone", url="https://x.example/" + "y" * 90
    )
    await stage.result(check)
    await stage.result(check, message="Certificate comes from an authority that is not trusted")
    page = await stage.open(f"/services/{service.id}?tab={tab}", size=PHONE)
    await expect(status(page)).to_be_visible()
    await expect(page.locator(".service-panel > *").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
