"""How soon a person sees the overview: a real Chromium, signed in, with many services being checked.

    python -m benchmarks.first_paint [--services 1000] [--rounds 5]

Cold is a browser that has nothing of ours in its cache; warm is the same browser's next visit. Times are the browser's
own, in milliseconds since it asked for the page.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks import kit

_INTERVAL_S = 30
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_PATIENCE_MS = 30_000
# Looks before each picture is drawn: a tile that is there then is in that picture.
_OBSERVER = """
window.seen = {};
const look = () => {
    const count = document.querySelectorAll('[data-testid="service"]').length;
    if (count > 0) window.seen.first ??= performance.now();
    if (count >= %d) window.seen.last ??= performance.now();
    if (window.seen.last === undefined) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
_ANSWER = """() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    first: window.seen.first, last: window.seen.last,
    bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .reduce((sum, entry) => sum + entry.transferSize, 0),
    requests: 1 + performance.getEntriesByType("resource").length,
})"""
_FIGURES = {"paint": "first contentful paint", "first": "first tiles drawn", "last": "last tile drawn"}


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def _visit(context: BrowserContext, url: str, services: int) -> dict[str, Any]:
    page = context.new_page()
    page.add_init_script(_OBSERVER % services)
    page.goto(url, wait_until="commit")
    page.wait_for_function("window.seen.last !== undefined", timeout=_PATIENCE_MS)
    answer: dict[str, Any] = page.evaluate(_ANSWER)
    page.close()
    return answer


def _measure(browser: Browser, url: str, cookie: str, services: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A cold visit and a warm one."""
    name, _, value = cookie.partition("=")
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        context.add_cookies([{"name": name, "value": value, "url": url}])
        return _visit(context, url, services), _visit(context, url, services)


def run(services: int, rounds: int) -> None:
    with kit.zoo() as zoo, kit.home() as home:
        database = home.postgres.url()
        kit.add_fleet(database, services, {"url": zoo["hosts"]["fast"]}, _INTERVAL_S)
        kit.add_history(database)
        (cookie,) = kit.sign_in(home, 1, 1)
        log = home.folder / "worker.log"
        with kit.program("app.cli", "worker", environment=home.environment, log=log), kit.web(home) as (_, url):
            kit.wait_until(lambda: kit.is_settled(database), "the first result of every check")
            with _chromium() as browser:
                _measure(browser, url, cookie, services)  # the browser's own first steps
                visits = [_measure(browser, url, cookie, services) for _ in range(rounds)]
                version = browser.version
    rows = []
    for name, found in zip(("cold", "warm"), zip(*visits, strict=True), strict=True):
        rows += [
            [f"{title}, {name}", kit.spread([visit[key] for visit in found]), "1,500" if key != "last" else ""]
            for key, title in _FIGURES.items()
        ]
        rows.append([f"kB over the wire, {name}", kit.spread([visit["bytes"] / 1000 for visit in found]), ""])
    kit.print_table(
        f"The overview with {services:,} services in Chromium {version}", ["what", "ms (or kB)", "goal"], rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    run(options.services, options.rounds)


if __name__ == "__main__":
    main()
