"""The whole way through the product, as a new team would go it: from the setup link to a message on Slack."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.kit.ledger import open_ledger
from tests.kit.targets import open_target
from tests.pages.conftest import CHROMIUM, CHROMIUM_ARGUMENTS

PATIENCE_S = 180.0
PASSWORD = "correct horse battery"

expect.set_options(timeout=20_000)


@asynccontextmanager
async def serving(data_dir: Path, port: int) -> AsyncIterator[str]:
    """`pulseboard serve` as `make run` starts it; yields the setup link."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSEBOARD_", "DATABASE_"))}
    settings = {
        "PULSEBOARD_DATA_DIR": str(data_dir),
        "PULSEBOARD_PORT": str(port),
        # The stand-in for Slack is on this machine, where messages may not go unless a setting says so.
        "PULSEBOARD_NOTIFY_ALLOW": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "serve", env=kept | settings, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.stdout.readline()
            link = (await process.stdout.readline()).decode().split()[-1]
        yield link
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield opened
        await opened.close()


async def set_up(page: Page, link: str) -> None:
    await page.goto(link)
    for label, text in {"Your name": "Ann Admin", "Email": "ann@example.com", "Team": "Payments"}.items():
        await page.get_by_label(label).fill(text)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.wait_for_url(lambda url: "/setup" not in url)


async def sign_in(page: Page, base: str) -> None:
    await page.goto(f"{base}/login")
    await page.get_by_label("Email").fill("ann@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{base}/")


async def add_channel(page: Page, base: str, webhook_url: str) -> None:
    await page.goto(f"{base}/channels")
    await page.get_by_role("button", name="Add channel").first.click()
    await page.get_by_label("Name").fill("#oncall")
    await page.get_by_label("Webhook").fill(webhook_url)
    await page.get_by_test_id("save").click()
    await expect(page.get_by_text("#oncall").first).to_be_visible()


async def add_service(page: Page, base: str, url: str) -> None:
    await page.goto(f"{base}/services/new")
    await page.get_by_label("URL").fill(url)
    await page.get_by_label("Name", exact=True).first.fill("checkout-api")
    await page.get_by_label("Interval", exact=True).fill("5")
    await page.get_by_label("Timeout", exact=True).fill("3")
    await page.get_by_role("button", name="Test now").click()
    await expect(page.locator(".test-card")).to_contain_text("200")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url(re.compile(r"/services/\d+"))


async def test_from_the_setup_link_to_a_red_tile_an_incident_and_a_message(data_dir: Path, free_port: int) -> None:
    base = f"http://localhost:{free_port}"
    ledger_file = data_dir.parent / "ledger.jsonl"
    async with (
        open_ledger(ledger_file) as slack,
        open_target() as target,
        serving(data_dir, free_port) as link,
        browser() as chromium,
    ):
        first, second = [await (await chromium.new_context()).new_page() for _ in range(2)]
        await set_up(first, link)
        await sign_in(second, base)
        await add_channel(first, base, slack.url)
        await add_service(first, base, target.url)
        for page in (first, second):
            await page.goto(base)
            tile = page.locator("[data-status]", has_text="checkout-api").first
            await expect(tile).to_have_attribute("data-status", "up")

        target.status = 502
        for page in (first, second):
            tile = page.locator("[data-status]", has_text="checkout-api").first
            await expect(tile).to_have_attribute("data-status", "down")
            await expect(page.get_by_text("checkout-api is down").first).to_be_visible()
        (down,) = await slack.wait_for(1, PATIENCE_S)
        assert "checkout-api" in str(down.body)
        assert down.key

        await second.get_by_role("link", name="Open thread").first.click()
        await expect(second.get_by_text("#oncall").first).to_be_visible()

        target.status = 200
        await expect(first.locator("[data-status]", has_text="checkout-api").first).to_have_attribute(
            "data-status", "up"
        )
        _, recovered = await slack.wait_for(2, PATIENCE_S)
        assert recovered.key != down.key
        await expect(second.get_by_text("Resolved").first).to_be_visible()
