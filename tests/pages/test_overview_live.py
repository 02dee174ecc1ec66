"""The overview follows the state by itself, says when it can't, and comes back."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.async_api import Locator, Page, expect

from app.domain.access import Role
from app.usecases.actor import Actor
from app.usecases.services import delete_service
from tests.builders import id_of
from tests.kit.proxy import PASS, Faults, TcpUpstream, open_proxy
from tests.pages.stage import Stage

LOST_MS = 20_000


def tile(page: Page, name: str) -> Locator:
    return page.get_by_test_id("service").filter(has_text=name)


def actor(stage: Stage) -> Actor:
    admin, team = stage.admin, stage.team
    return Actor(id_of(admin), admin.name, admin.email, id_of(team), team.name, Role.ADMIN)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_failure_turns_red_in_every_open_browser_and_a_recovery_green(stage: Stage) -> None:
    _, check = await stage.service("checkout")
    await stage.result(check)
    pages = [await stage.open(), await stage.open("/?view=heatmap", user=await stage.member(Role.VIEWER))]
    for page in pages:
        await expect(page.get_by_test_id("service")).to_have_attribute("data-status", "up")
    await stage.result(check, message="502 Bad Gateway")
    for page in pages:
        await expect(page.get_by_test_id("service")).to_have_attribute("data-status", "down")
        await expect(page.get_by_test_id("incident")).to_contain_text("checkout is down")
        await expect(page.get_by_test_id("open-incidents")).to_have_text("1")
        await expect(page.get_by_test_id("count-down")).to_contain_text("1")
        await expect(page.get_by_test_id("activity")).to_contain_text("checkout went down")
    await stage.result(check)
    for page in pages:
        await expect(page.get_by_test_id("service")).to_have_attribute("data-status", "up")
        await expect(page.get_by_test_id("incident")).to_have_count(0)
        await expect(page.get_by_test_id("open-incidents")).to_have_count(0)


async def test_a_plain_result_moves_the_latency_and_the_strip(stage: Stage) -> None:
    _, check = await stage.service("auth")
    await stage.result(check, 38)
    page = await stage.open()
    await expect(tile(page, "auth")).to_contain_text("38ms")
    await stage.result(check, 41)
    await expect(tile(page, "auth")).to_contain_text("41ms")
    await expect(tile(page, "auth").get_by_role("img", name="Last 2 results: 2 up")).to_be_visible()


async def test_services_come_and_go_without_a_reload(stage: Stage) -> None:
    page = await stage.open()
    await expect(page.get_by_test_id("empty")).to_be_visible()
    service, _ = await stage.service("auth")
    await expect(tile(page, "auth")).to_be_visible()
    async with stage.database.transaction() as session:
        await delete_service(session, actor(stage), id_of(service))
    await expect(page.get_by_test_id("empty")).to_be_visible()
    await expect(page.get_by_test_id("service")).to_have_count(0)


async def test_a_frozen_server_is_told_and_old_green_is_not_shown_as_live(stage: Stage) -> None:
    _, check = await stage.service("auth")
    await stage.result(check)
    page = await stage.open()
    await expect(tile(page, "auth")).to_contain_text("38ms")
    await expect(page.get_by_role("alert")).to_be_hidden()
    with frozen(stage.web.pid):
        await expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=LOST_MS)
        await expect(page.get_by_test_id("stamp")).to_contain_text("data from")
        assert "grayscale" in await page.locator(".page").evaluate("page => getComputedStyle(page).filter")
    await expect(page.get_by_role("alert")).to_be_hidden(timeout=LOST_MS)
    await expect(page.get_by_test_id("stamp")).to_have_text("Live · 1 service")


async def test_pages_without_the_board_count_incidents_and_tell_a_frozen_server_too(stage: Stage) -> None:
    _, check = await stage.service("checkout")
    page = await stage.open("/services/new")
    await expect(page.get_by_test_id("open-incidents")).to_have_count(0)
    await stage.result(check, message="502 Bad Gateway")
    await expect(page.get_by_test_id("open-incidents")).to_have_text("1")
    with frozen(stage.web.pid):
        await expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=LOST_MS)
    await expect(page.get_by_role("alert")).to_be_hidden(timeout=LOST_MS)


async def test_what_happened_while_the_line_was_cut_is_there_when_it_returns(stage: Stage) -> None:
    _, check = await stage.service("checkout")
    await stage.result(check)
    async with open_proxy(TcpUpstream("127.0.0.1", stage.web.port)) as proxy:
        page = await stage.open(origin=f"http://127.0.0.1:{proxy.port}")
        await expect(tile(page, "checkout")).to_have_attribute("data-status", "up")
        await page.get_by_test_id("filter").fill("check")
        proxy.faults = Faults(refuse=True)
        proxy.reset_all()
        await expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=LOST_MS)
        await stage.result(check, message="502 Bad Gateway")
        proxy.faults = PASS
        await expect(page.get_by_role("alert")).to_be_hidden(timeout=LOST_MS)
        await expect(tile(page, "checkout")).to_have_attribute("data-status", "down")
        await expect(page.get_by_test_id("filter")).to_have_value("check")
    stage.errors.clear()


async def test_a_lost_frame_is_noticed_and_mended(stage: Stage) -> None:
    _, check = await stage.service("auth")
    await stage.result(check, 38)
    page = await stage.open()
    await expect(tile(page, "auth")).to_contain_text("38ms")
    await page.evaluate("window.kept = window.socket.listeners('board'); window.socket.off('board')")
    await page.evaluate("window.missed = 0; window.socket.on('board', f => { if (f.p || f.s) window.missed += 1 })")
    await stage.result(check, 41)
    await page.wait_for_function("window.missed > 0")
    await expect(tile(page, "auth")).to_contain_text("38ms")
    await page.evaluate("window.kept.forEach(listener => window.socket.on('board', listener))")
    await expect(tile(page, "auth")).to_contain_text("41ms")


FEED = """
async ([held, frames]) => {
    const { Feed } = await import("pulse/feed.js");
    const row = [1, "auth", "", [], "up", 0, 38, 100, 30, [38], "u", null, "HTTP"];
    const snapshot = { r: 5, now: 100, counts: {}, uptime: null, rows: [row], incidents: [], activity: [] };
    const feed = new Feed();
    await feed.load(Promise.resolve(new Response(JSON.stringify(snapshot))));
    frames.forEach((frame) => feed.receive(frame));
    feed.end();
    return feed.cells.get(1)?.row.value[held];
}
"""


@pytest.mark.parametrize(
    ("frames", "strip"),
    [
        ([], "u"),
        ([{"r": 6, "p": [[1, 40, "g", 130]]}], "ug"),
        ([{"r": 6, "p": [[1, 38, "u", 100]]}], "u"),  # the snapshot had it already
        ([{"r": 5, "p": [[1, 40, "g", 130]]}], "u"),  # older than the snapshot
        ([{"r": 6, "p": [[1, 40, "g", 130]]}] * 2, "ug"),
        ([{"r": 7, "p": [[1, 40, "g", 130]]}], "u"),  # a frame is missing before it
        ([{"r": 5}, {"r": 6, "p": [[2, 40, "g", 130]]}], "u"),
        ([{"r": 6, "x": [1]}], None),
    ],
)
async def test_frames_are_applied_once_and_in_order(stage: Stage, frames: list[object], strip: str | None) -> None:
    page = await stage.open()
    assert await page.evaluate(FEED, ["strip", frames]) == strip
