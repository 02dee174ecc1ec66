"""Channels in a real browser; the vendor is a real server on this machine."""

from pathlib import Path

from playwright.async_api import Locator, Page, expect

from app.db.session import announce
from app.domain.access import Role
from app.live.bus import Topic
from app.usecases import channels
from app.usecases.actor import Actor
from models import Channel
from tests.builders import SEALER, add_channel, id_of
from tests.kit.ledger import Behaviour, open_ledger
from tests.pages.stage import PHONE, Stage

SECRET = "https://hooks.slack.com/services/T000/B000/verysecret"
PATH = "/channels"


def cards(page: Page) -> Locator:
    return page.get_by_test_id("channel")


def form(page: Page) -> Locator:
    return page.get_by_test_id("channel-form")


async def channel(stage: Stage, name: str = "#oncall", url: str = SECRET) -> Channel:
    async with stage.database.transaction() as session:
        made = await add_channel(session, stage.team, url, name)
        announce(session, Topic.CHANNELS, id_of(stage.team))
    return made


async def secret_of(stage: Stage, name: str) -> str:
    """The stored secret of the team's channel with this name."""
    admin, team = stage.admin, stage.team
    actor = Actor(id_of(admin), admin.name, admin.email, id_of(team), team.name, Role.ADMIN)
    async with stage.database.transaction() as session:
        (found,) = (one for one in await channels.list_channels(session, actor) if one.name == name)
        _, config = await channels.open_channel(session, actor, id_of(found), SEALER)
    secret: str = config.webhook_url.get_secret_value()
    return secret


async def test_a_channel_is_added_from_a_form_that_says_what_is_wrong(stage: Stage) -> None:
    page = await stage.open(PATH)
    await expect(page.get_by_test_id("empty")).to_contain_text("Nobody is told yet")
    await page.get_by_role("button", name="Add the first channel").click()
    await form(page).get_by_label("Name").fill("#oncall")
    await form(page).get_by_label("Webhook URL").fill("slack.com")
    await page.get_by_test_id("save").click()
    await expect(form(page)).to_contain_text("Enter a whole web address that starts with https://")
    await expect(form(page).get_by_label("Name")).to_have_value("#oncall")
    await form(page).get_by_label("Webhook URL").fill(SECRET)
    await page.get_by_test_id("save").click()
    await expect(cards(page)).to_contain_text("#oncall")
    await expect(cards(page)).to_contain_text("On")
    await expect(form(page)).to_have_count(0)
    assert await secret_of(stage, "#oncall") == SECRET


async def test_a_stored_secret_is_never_shown_and_stays_when_it_is_left_alone(stage: Stage) -> None:
    await channel(stage)
    page = await stage.open(PATH)
    await cards(page).get_by_role("button", name="Edit").click()
    await expect(form(page).get_by_label("Webhook URL")).to_have_value("")
    await form(page).get_by_label("Name").fill("#renamed")
    await page.get_by_test_id("save").click()
    await expect(cards(page)).to_contain_text("#renamed")
    assert "verysecret" not in await page.content()
    assert await secret_of(stage, "#renamed") == SECRET


async def test_a_name_that_is_taken_is_told_under_the_field(stage: Stage) -> None:
    await channel(stage)
    page = await stage.open(PATH)
    await page.get_by_test_id("add").click()
    await form(page).get_by_label("Name").fill("#oncall")
    await form(page).get_by_label("Webhook URL").fill(SECRET)
    await page.get_by_test_id("save").click()
    await expect(form(page)).to_contain_text("The team already has a channel with this name.")
    await expect(form(page).get_by_label("Webhook URL")).to_have_value(SECRET)


async def test_a_test_message_tells_in_place_what_the_vendor_said(stage: Stage, tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        await channel(stage, url=ledger.url)
        page = await stage.open(PATH)
        send = cards(page).get_by_role("button", name="Send a test")
        await send.click()
        await expect(page.get_by_test_id("trial")).to_have_text(
            "Slack accepted the test message. Look for it in #oncall."
        )
        (entry,) = ledger.accepted
        assert stage.admin.name in str(entry.body)
        ledger.mode(Behaviour.GONE)
        await send.click()
        await expect(page.get_by_test_id("trial")).to_contain_text("the channel is archived")


async def test_a_broken_channel_says_why_and_how_to_mend_it_and_is_mended_by_an_edit(stage: Stage) -> None:
    made = await channel(stage)
    page = await stage.open(PATH)
    await expect(cards(page)).to_contain_text("On")
    async with stage.database.transaction() as session:
        (await session.get_one(Channel, id_of(made))).broken = "Slack refused the message: no_service."
        announce(session, Topic.CHANNELS, id_of(stage.team))
    await expect(cards(page)).to_contain_text("Broken")
    await expect(page.get_by_test_id("broken")).to_contain_text("no_service. Sending was given up. Edit the channel")
    await cards(page).get_by_role("button", name="Edit").click()
    await page.get_by_test_id("save").click()
    await expect(page.get_by_test_id("broken")).to_have_count(0)


async def test_a_channel_is_turned_off(stage: Stage) -> None:
    await channel(stage)
    page = await stage.open(PATH)
    await cards(page).get_by_role("button", name="Edit").click()
    await form(page).get_by_role("switch", name="Enabled").click()
    await page.get_by_test_id("save").click()
    await expect(cards(page)).to_contain_text("Off")


async def test_deleting_names_what_is_lost_and_can_be_left(stage: Stage) -> None:
    await channel(stage)
    page, other = await stage.open(PATH), await stage.open(PATH)
    delete = cards(page).get_by_role("button", name="Delete")
    await delete.click()
    await expect(page.get_by_test_id("confirm")).to_contain_text("#oncall is told nothing any more")
    await page.get_by_role("button", name="Keep it").click()
    await delete.click()
    await page.get_by_test_id("confirm").get_by_role("button", name="Delete").click()
    for reader in (page, other):
        await expect(cards(reader)).to_have_count(0)


async def test_an_open_form_stays_when_somebody_else_changes_the_list(stage: Stage) -> None:
    await channel(stage)
    page = await stage.open(PATH)
    await cards(page).get_by_role("button", name="Edit").click()
    await form(page).get_by_label("Name").fill("half a na")
    await channel(stage, "#second")
    await expect(cards(page)).to_have_count(2)
    await expect(form(page).get_by_label("Name")).to_have_value("half a na")


async def test_others_than_admins_see_the_list_and_nothing_to_change_it_with(stage: Stage) -> None:
    await channel(stage)
    page = await stage.open(PATH, user=await stage.member(Role.DEVELOPER))
    await expect(cards(page)).to_contain_text("#oncall")
    await expect(page.locator(".page button")).to_have_count(0)
    assert "verysecret" not in await page.content()


async def test_a_phone_shows_it_all(stage: Stage) -> None:
    await channel(stage, "#" + "x" * 100)
    page = await stage.open(PATH, size=PHONE, has_touch=True, is_mobile=True)
    await expect(cards(page)).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    await cards(page).get_by_role("button", name="Edit").click()
    await expect(page.get_by_test_id("save")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
