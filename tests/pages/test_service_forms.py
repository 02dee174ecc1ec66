"""Adding and editing services in a real browser."""

import re

from playwright.async_api import Locator, Page, expect

from app.domain.access import Role
from app.usecases import checks, services
from app.usecases.actor import Actor
from app.usecases.configs import MASK
from probes import PROBES
from tests.builders import id_of
from tests.kit.eventually import value
from tests.kit.targets import open_target
from tests.pages.stage import PHONE, Stage
from tests.usecases.people import actor_of

SERVICE_PAGE = re.compile(r"/services/\d+$")


def admin(stage: Stage) -> Actor:
    return actor_of(stage.team, stage.admin, Role.ADMIN)


def field(page: Page, name: str) -> Locator:
    return page.locator(f"[data-field={name}]")


async def fill(page: Page, name: str, text: str) -> None:
    await field(page, name).locator("input, textarea").fill(text)


async def text_of(page: Page, name: str) -> str:
    return await field(page, name).locator("input, textarea").input_value()


async def test_a_service_is_tried_saved_and_turns_green(stage: Stage) -> None:
    async with open_target() as target:
        page = await stage.open("/services/new")
        await fill(page, "url", target.url)
        await page.get_by_role("button", name="Test now").click()
        trial = page.get_by_test_id("trial")
        await expect(trial).to_contain_text("200")
        await expect(trial.get_by_test_id("waterfall")).to_contain_text("First byte")
        assert await value(stage.database, "SELECT count(*) FROM service WHERE team_id = :id", id=stage.team.id) == 0
        await fill(page, "name", "checkout")
        await page.keyboard.press("Control+Enter")
        await page.wait_for_url(SERVICE_PAGE)
        await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "pending")
        check_id = await value(stage.database, 'SELECT id FROM "check" WHERE team_id = :id', id=stage.team.id)
        async with stage.database.transaction() as session:
            check = await checks.get_check(session, admin(stage), check_id)
        await stage.result(check)
        await expect(page.get_by_test_id("status")).to_have_attribute("data-status", "up")


async def test_the_name_is_suggested_by_the_address_until_one_is_typed(stage: Stage) -> None:
    page = await stage.open("/services/new")
    await fill(page, "url", "https://www.shop.example/health")
    await expect(field(page, "name").locator("input")).to_have_value("shop.example")
    await fill(page, "name", "shop")
    await fill(page, "url", "https://other.example/")
    await field(page, "url").locator("input").blur()
    await expect(field(page, "name").locator("input")).to_have_value("shop")


async def test_errors_stand_under_their_fields_and_keep_the_text(stage: Stage) -> None:
    service, _ = await stage.service("checkout")
    page = await stage.open(f"/services/{service.id}/edit")
    await fill(page, "name", "")
    await fill(page, "url", "shop.example")
    await fill(page, "interval_s", "3")
    await page.get_by_role("button", name="Save").click()
    await expect(field(page, "name")).to_contain_text("Fill this in.")
    await expect(field(page, "url")).to_contain_text("The URL must start with http:// or https://")
    await expect(field(page, "interval_s")).to_contain_text("Enter 5 or more.")
    assert [await text_of(page, name) for name in ("url", "interval_s")] == ["shop.example", "3"]
    await fill(page, "interval_s", "30")
    await expect(field(page, "interval_s")).not_to_contain_text("Enter 5 or more.")


async def test_a_field_is_checked_when_it_is_left(stage: Stage) -> None:
    page = await stage.open("/services/new")
    await fill(page, "expected_status", "2000")
    await field(page, "expected_status").locator("input").blur()
    await expect(field(page, "expected_status")).to_contain_text("is not a status code")
    await expect(field(page, "url")).not_to_contain_text("must start")


async def test_a_name_that_is_taken_is_said_beside_it(stage: Stage) -> None:
    await stage.service("checkout")
    page = await stage.open("/services/new")
    await fill(page, "name", "checkout")
    await fill(page, "url", "https://shop.example/")
    await page.get_by_role("button", name="Save").click()
    await expect(field(page, "name")).to_contain_text("already has a service with this name")
    assert await text_of(page, "url") == "https://shop.example/"


async def test_of_two_people_editing_the_second_is_told(stage: Stage) -> None:
    service, _ = await stage.service("checkout")
    page = await stage.open(f"/services/{service.id}/edit")
    async with stage.database.transaction() as session:
        await services.edit_service(session, admin(stage), id_of(service), {"name": "theirs"})
    await fill(page, "name", "mine")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".q-notification")).to_contain_text("Somebody changed")
    assert await text_of(page, "name") == "mine"


async def test_a_stored_header_is_never_shown_and_stays(stage: Stage) -> None:
    page = await stage.open("/services/new")
    await fill(page, "url", "https://shop.example/")
    await page.get_by_text("Advanced").click()
    await page.get_by_role("button", name="Add header").click()
    await page.get_by_label("Header: name").fill("Authorization")
    await page.get_by_label("Header: value").fill("Bearer s3cret")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(SERVICE_PAGE)
    await page.goto(page.url + "/edit")
    await page.get_by_text("Advanced").click()
    await expect(page.get_by_label("Header: value")).to_have_value(MASK)
    assert "s3cret" not in await page.content()
    await fill(page, "interval_s", "45")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(SERVICE_PAGE)
    stored = "SELECT interval_s || jsonb_typeof(config -> 'headers' -> 'sealed') FROM \"check\" WHERE team_id = :id"
    assert await value(stage.database, stored, id=stage.team.id) == "45string"


async def test_a_second_check_is_added_and_chosen_by_the_address(stage: Stage) -> None:
    service, first = await stage.service("checkout")
    page = await stage.open(f"/services/{service.id}?tab=settings")
    await page.get_by_role("link", name="Add another check").click()
    await fill(page, "url", "https://shop.example/second")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(SERVICE_PAGE)
    await expect(page.get_by_label("Check", exact=True)).to_be_visible()
    await page.goto(f"{page.url}?tab=settings")
    await expect(page.get_by_test_id("check-settings")).to_have_count(2)
    await expect(page.get_by_test_id("check-settings").nth(1)).to_contain_text("https://shop.example/second")
    assert first.service_id == service.id


async def test_a_viewer_is_told_that_forms_are_not_for_them(stage: Stage) -> None:
    service, _ = await stage.service("checkout")
    viewer = await stage.member(Role.VIEWER)
    page = await stage.open(f"/services/{service.id}/edit", viewer)
    await expect(page.locator(".empty h2")).to_have_text("This is not for your role")
    stage.errors.clear()  # the browser says that the page answered 403


async def test_the_form_fits_a_phone(stage: Stage) -> None:
    page = await stage.open("/services/new", size=PHONE)
    await page.get_by_text("Advanced").click()
    await page.get_by_role("button", name="Add header").click()
    await expect(page.get_by_label("Header: name")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


async def test_another_kind_asks_for_its_own_fields_and_keeps_the_timing(stage: Stage) -> None:
    page = await stage.open("/services/new")
    await fill(page, "interval_s", "77")
    await page.get_by_label("Kind", exact=True).click()
    await page.get_by_role("option", name=PROBES["tcp"].title, exact=True).click()
    await fill(page, "host", "db.example")
    await expect(field(page, "url")).to_have_count(0)
    assert await text_of(page, "interval_s") == "77"
    await expect(field(page, "name").locator("input")).to_have_value("db.example")
    await fill(page, "port", "5432")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(SERVICE_PAGE)
    stored = 'SELECT kind || interval_s FROM "check" WHERE team_id = :id'
    assert await value(stage.database, stored, id=stage.team.id) == "tcp77"
