"""What stands around the overview: navigation, theme and keys."""

import pytest
from playwright.async_api import Page, expect

from tests.pages.stage import Stage

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(11, 14, 20)", "rgb(246, 247, 249)"


async def themed(stage: Stage, scheme: str) -> Page:
    return await stage.open(color_scheme=scheme)


@pytest.mark.parametrize(("scheme", "colour"), [("dark", DARK), ("light", LIGHT)])
async def test_a_new_person_sees_the_theme_of_their_system(stage: Stage, scheme: str, colour: str) -> None:
    page = await themed(stage, scheme)
    assert await page.evaluate(BACKGROUND) == colour


async def test_the_chosen_theme_is_remembered_and_there_at_the_first_paint(stage: Stage) -> None:
    page = await themed(stage, "light")
    toggle = page.get_by_test_id("theme")
    await expect(toggle).to_have_attribute("aria-label", "Theme: as the system. Change to dark.")
    await toggle.click()
    await expect(toggle).to_have_attribute("aria-label", "Theme: dark. Change to light.")
    assert await page.evaluate(BACKGROUND) == DARK
    elsewhere = await themed(stage, "light")
    await expect(elsewhere.get_by_test_id("theme")).to_have_attribute("aria-label", "Theme: dark. Change to light.")
    # Without any script of ours: what the server sent decides the first paint.
    html = await (await elsewhere.request.get(stage.origin)).text()
    assert html.index('dataset.theme = "dark"') < html.index("<body")


async def test_keys_focus_the_filter_list_themselves_and_go_places(stage: Stage) -> None:
    await stage.service("auth")
    page = await stage.open()
    await expect(page.get_by_test_id("service")).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_test_id("filter")).to_be_focused()
    await page.keyboard.type("g?o")
    await expect(page.get_by_test_id("filter")).to_have_value("g?o")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("filter")).to_have_value("")
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys")).to_contain_text("Go to Incidents")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("keys")).to_be_hidden()
    await page.keyboard.press("g")
    async with page.expect_request(f"{stage.origin}/incidents"):
        await page.keyboard.press("i")
    stage.errors.clear()


async def test_signing_out_leads_to_the_sign_in_page(stage: Stage) -> None:
    page = await stage.open()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login*")
    await page.goto(stage.origin)
    assert "/login" in page.url


async def test_the_frame_names_team_person_and_role(stage: Stage) -> None:
    page = await stage.open()
    navigation = page.get_by_role("navigation")
    await expect(navigation).to_contain_text(f"Team: {stage.team.name}")
    await expect(navigation).to_contain_text(stage.admin.name)
    await expect(navigation).to_contain_text("Admin")
    await expect(navigation.get_by_role("link", name="Overview")).to_have_attribute("aria-current", "page")
