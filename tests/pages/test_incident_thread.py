"""Two people at one incident, in two browsers: they read each other at once, and no words can do harm."""

from playwright.async_api import Locator, Page, expect

from app.domain.access import Role
from app.usecases import incidents
from app.usecases.actor import Actor
from models import Check, User
from tests.builders import id_of
from tests.kit.proxy import PASS, Faults, Proxy, TcpUpstream, open_proxy
from tests.pages.stage import PHONE, Stage

LOST_MS = 20_000
TRAP = "window.trapped = []; window.alert = (words) => window.trapped.push(words); window.stolen = 0;"
HOSTILE = (
    "<img src=x onerror=\"alert('img')\"><script>alert('script')</script>",
    "[click](javascript:alert('md')) javascript:alert('bare') JAVASCRIPT://x.example/%0aalert(1)",
    "data:text/html,<b>x</b> vbscript:x {{ constructor.constructor('alert(1)')() }} ${alert(1)}",
    "**not bold** <b>not bold</b> &lt;i&gt; `<i>code</i>`",
    'https://a.example/"onmouseover="alert(1) http://b.example/<svg/onload=alert(1)>',
)


def comments(page: Page) -> Locator:
    return page.get_by_test_id("comment")


async def write(page: Page, words: str) -> None:
    await page.get_by_test_id("composer").fill(words)
    await page.get_by_test_id("composer").press("Control+Enter")


async def failed(stage: Stage, message: str = "502 Bad Gateway") -> Check:
    """A service that just went down: incident #1."""
    _, check = await stage.service("checkout")
    await stage.result(check)
    await stage.result(check, message=message)
    return check


async def seen(page: Page, *words: str) -> None:
    await expect(comments(page).locator(".bubble")).to_have_text(list(words))


def actor(stage: Stage, user: User, role: Role) -> Actor:
    return Actor(id_of(user), user.name, user.email, id_of(stage.team), stage.team.name, role)


async def test_two_people_read_each_others_comments_without_a_reload(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    one, other = await stage.open("/incidents/1"), await stage.open("/incidents/1", user=dev)
    await write(one, "Rolling back.")
    await seen(other, "Rolling back.")
    await write(other, "Thanks.\nIt answers again.")
    for page in (one, other):
        await seen(page, "Rolling back.", "Thanks.\nIt answers again.")
        await expect(comments(page).nth(1)).to_contain_text(dev.name)
        await expect(page.get_by_test_id("waiting")).to_have_count(0)
    await expect(one.get_by_test_id("composer")).to_have_value("")


async def test_everybody_sees_who_is_here_and_one_person_in_two_tabs_counts_once(stage: Stage) -> None:
    await failed(stage)
    one = await stage.open("/incidents/1")
    await expect(one.get_by_test_id("here")).to_contain_text("1 here now")
    viewer = await stage.member(Role.VIEWER)
    other = await stage.open("/incidents/1", user=viewer)
    await stage.open("/incidents/1", user=viewer)
    for page in (one, other):
        await expect(page.get_by_test_id("here")).to_contain_text("2 here now")
        await expect(page.get_by_test_id("here").locator(".avatar")).to_have_count(2)
    overview = await stage.open()
    await expect(overview.get_by_test_id("incident")).to_contain_text("2 viewing")
    for context in stage.contexts[1:3]:
        await context.close()
    await expect(one.get_by_test_id("here")).to_contain_text("1 here now")
    await expect(overview.get_by_test_id("incident")).to_contain_text("1 viewing")


async def test_the_others_see_who_is_typing_and_for_a_moment_only(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    one, other = await stage.open("/incidents/1"), await stage.open("/incidents/1", user=dev)
    await expect(one.get_by_test_id("here")).to_contain_text("2 here now")
    await other.get_by_test_id("composer").press_sequentially("I think")
    await expect(one.get_by_test_id("typing")).to_contain_text(f"{dev.name} is typing…")
    await expect(other.get_by_test_id("typing")).to_have_text("")
    await expect(one.get_by_test_id("typing")).to_have_text("", timeout=LOST_MS)
    await other.get_by_test_id("composer").press_sequentially(" so")
    await expect(one.get_by_test_id("typing")).to_contain_text("is typing")
    await other.get_by_test_id("composer").press("Control+Enter")
    await seen(one, "I think so")
    await expect(one.get_by_test_id("typing")).to_have_text("")


async def test_hostile_words_are_shown_literally_and_run_nothing(stage: Stage) -> None:
    await failed(stage, message="<img src=x onerror=\"alert('title')\">")
    page = await stage.open("/incidents/1")
    await page.evaluate(TRAP)
    for words in HOSTILE:
        await write(page, words)
    fresh = await stage.open("/incidents/1", user=await stage.member(Role.VIEWER))
    for reader in (page, fresh):
        await expect(comments(reader)).to_have_count(len(HOSTILE))
        shown = [words.replace("`", "") for words in HOSTILE]
        await seen(reader, *shown)
        await expect(reader.locator("h1")).to_contain_text("<img src=x onerror=")
        await expect(reader.locator(".timeline img, .timeline script, .timeline svg, h1 img")).to_have_count(0)
        links = await reader.locator(".bubble a").evaluate_all("all => all.map(one => one.href)")
        assert links == ["https://a.example/", "http://b.example/"]
        inside = reader.locator(".bubble *")
        assert set(await inside.evaluate_all("all => all.map(one => one.localName)")) == {"a", "code"}
        attributes = await inside.evaluate_all("all => all.flatMap(one => one.getAttributeNames())")
        assert set(attributes) == {"href", "target", "rel"}
    assert await page.evaluate("window.trapped") == []


async def test_addresses_become_links_that_tell_the_other_side_nothing(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1")
    await write(page, "See https://example.com/a_(b)?q=1, or (http://example.com/c).")
    link = page.locator(".bubble a")
    await expect(link).to_have_text(["https://example.com/a_(b)?q=1", "http://example.com/c"])
    await expect(link.first).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(link.first).to_have_attribute("target", "_blank")


async def test_a_comment_that_is_refused_stays_in_the_composer_with_the_reason(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1")
    await page.get_by_test_id("composer").fill("\u202e")
    await page.get_by_test_id("send").click()
    await expect(page.get_by_test_id("refusal")).to_have_text("Write something first.")
    await expect(page.get_by_test_id("waiting")).to_have_count(0)
    await expect(comments(page)).to_have_count(0)
    assert await page.get_by_test_id("composer").input_value() == "\u202e"
    await page.get_by_test_id("composer").fill("x" * (incidents.MAX_COMMENT + 1))
    await expect(page.get_by_role("alert").filter(has_text="this one has 10,001")).to_be_visible()
    await expect(page.get_by_test_id("send")).to_be_disabled()


async def test_a_draft_survives_a_reload_and_is_gone_once_it_is_sent(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1")
    await page.get_by_test_id("composer").fill("half a tho")
    await page.reload()
    await expect(page.get_by_test_id("composer")).to_have_value("half a tho")
    await write(page, "a whole thought")
    await seen(page, "a whole thought")
    await page.reload()
    await seen(page, "a whole thought")
    await expect(page.get_by_test_id("composer")).to_have_value("")


async def test_what_was_written_while_the_line_was_cut_is_there_when_it_returns(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    async with open_proxy(TcpUpstream("127.0.0.1", stage.web.port)) as proxy:
        page = await stage.open("/incidents/1", origin=f"http://127.0.0.1:{proxy.port}")
        await write(page, "before")
        await seen(page, "before")
        await cut(page, proxy)
        async with stage.database.transaction() as session:
            await incidents.comment(session, actor(stage, dev, Role.DEVELOPER), 1, "meanwhile")
        proxy.faults = PASS
        await expect(page.get_by_test_id("comment")).to_have_count(2, timeout=LOST_MS)
        await seen(page, "before", "meanwhile")
    stage.errors.clear()


async def test_what_i_write_while_the_line_is_cut_goes_once_when_it_returns(stage: Stage) -> None:
    await failed(stage)
    other = await stage.open("/incidents/1", user=await stage.member(Role.VIEWER))
    async with open_proxy(TcpUpstream("127.0.0.1", stage.web.port)) as proxy:
        page = await stage.open("/incidents/1", origin=f"http://127.0.0.1:{proxy.port}")
        await cut(page, proxy)
        await write(page, "mine")
        await expect(page.get_by_test_id("waiting")).to_contain_text("goes when the connection is back")
        proxy.faults = PASS
        await expect(page.get_by_test_id("waiting")).to_have_count(0, timeout=LOST_MS)
        for reader in (page, other):
            await seen(reader, "mine")
    stage.errors.clear()


async def cut(page: Page, proxy: Proxy) -> None:
    proxy.faults = Faults(refuse=True)
    proxy.reset_all()
    await expect(page.get_by_role("alert").filter(has_text="Connection lost")).to_be_visible(timeout=LOST_MS)


async def test_lines_are_filtered_by_who_wrote_them_and_the_address_says_so(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1")
    await write(page, "on it")
    await seen(page, "on it")
    await expect(page.get_by_test_id("line")).to_have_count(1)
    await page.get_by_role("button", name="People").click()
    await expect(page.get_by_test_id("line")).to_have_count(0)
    await expect(comments(page)).to_have_count(1)
    assert page.url.endswith("/incidents/1?show=people")
    await page.goto(page.url.replace("people", "system"))
    await expect(page.get_by_test_id("line")).to_contain_text("checkout went down")
    await expect(comments(page)).to_have_count(0)


async def test_what_others_wrote_while_you_were_away_stands_below_a_divider(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    page = await stage.open("/incidents/1")
    await write(page, "back soon")
    await seen(page, "back soon")
    await expect(page.get_by_test_id("new")).to_have_count(0)
    await page.goto(stage.origin + "/incidents")
    async with stage.database.transaction() as session:
        await incidents.comment(session, actor(stage, dev, Role.DEVELOPER), 1, "news")
    await page.goto(stage.origin + "/incidents/1")
    await expect(page.get_by_test_id("new")).to_have_text("New since you left")
    assert await page.locator("[data-testid=new] + li .bubble").inner_text() == "news"


async def test_a_viewer_reads_and_is_offered_nothing_to_write_with(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1", user=await stage.member(Role.VIEWER))
    await expect(page.get_by_test_id("line")).to_contain_text("checkout went down")
    for name in ("composer", "acknowledge", "assign", "assign-to-me", "resolve"):
        await expect(page.get_by_test_id(name)).to_have_count(0)
    for status in ("Investigating", "Resolved"):
        await expect(page.get_by_role("button", name=status)).to_be_disabled()


async def test_on_a_phone_nothing_runs_over_and_the_composer_stays_in_reach(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open("/incidents/1", size=PHONE, has_touch=True, is_mobile=True)
    await write(page, "word " * 60 + "x" * 300 + "\n" * 3 + "https://example.com/" + "y" * 200)
    await expect(comments(page)).to_have_count(1)
    for _ in range(8):
        await write(page, "more")
    await expect(comments(page)).to_have_count(9)
    await page.evaluate("window.scrollTo(0, 0)")
    await expect(page.get_by_test_id("composer")).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    await expect(page.get_by_test_id("send")).to_be_in_viewport(ratio=1)
