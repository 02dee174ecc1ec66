"""The page of one incident: its head, what can be done with it, and what the failing check saw."""

from playwright.async_api import Locator, Page, expect

from app.db.session import announce
from app.domain.access import Role
from app.domain.incident import IncidentStatus
from app.domain.status import Outcome
from app.live.bus import Topic
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due, release
from app.usecases.services import delete_service
from models import Check, Membership, Service, User
from probes.base import Phases, ProbeResult
from tests.builders import id_of, make_due
from tests.pages.stage import PHONE, Stage

PATH = "/incidents/1"
CHART_MS = 30_000


def facts(page: Page) -> Locator:
    return page.get_by_test_id("facts")


def actor(stage: Stage, user: User, role: Role) -> Actor:
    return Actor(id_of(user), user.name, user.email, id_of(stage.team), stage.team.name, role)


async def failed(stage: Stage, message: str = "502 Bad Gateway") -> tuple[Service, Check]:
    """A service that just went down: incident #1."""
    service, check = await stage.service("checkout", group="Storefront")
    await stage.result(check)
    await stage.result(check, message=message)
    return service, check


async def test_an_incident_says_how_it_is_and_what_it_affects(stage: Stage) -> None:
    service, _ = await failed(stage)
    page = await stage.open(PATH)
    await expect(page).to_have_title("#1 checkout is down: 502 Bad Gateway · Pulseboard")
    await expect(page.locator("h1")).to_have_text("#1 checkout is down: 502 Bad Gateway")
    await expect(page.get_by_test_id("severity")).to_have_text("✕Critical")
    await expect(facts(page)).to_contain_text("Not acknowledged yet")
    await expect(facts(page)).to_contain_text("Owner nobody")
    await expect(facts(page)).to_contain_text("Affects checkout, Storefront")
    await expect(facts(page).get_by_role("link")).to_have_attribute("href", f"/services/{service.id}")
    await expect(page.get_by_role("button", name="Open", exact=True)).to_have_attribute("aria-pressed", "true")


async def test_the_time_it_is_open_for_ticks_in_the_browser(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open(PATH)
    first = await facts(page).inner_text()
    await expect(facts(page)).not_to_have_text(first)


async def test_an_acknowledgement_in_one_browser_shows_in_the_other(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    one, other = await stage.open(PATH), await stage.open(PATH, user=dev)
    await other.get_by_test_id("acknowledge").click()
    for page in (one, other):
        await expect(facts(page)).to_have_attribute("data-status", "investigating")
        await expect(facts(page)).to_contain_text(f"Owner {dev.name}")
        await expect(facts(page)).to_contain_text("Acknowledged in")
        await expect(page.get_by_test_id("acknowledge")).to_have_count(0)
        await expect(page.get_by_test_id("timeline")).to_contain_text(f"{dev.name} acknowledged and set the status to")
    await expect(facts(other)).to_have_attribute("aria-busy", "false")


async def test_an_incident_is_assigned_to_a_member_and_to_me(stage: Stage) -> None:
    await failed(stage)
    dev, viewer = await stage.member(Role.DEVELOPER), await stage.member(Role.VIEWER)
    page, other = await stage.open(PATH), await stage.open(PATH, user=viewer)
    await page.get_by_test_id("assign").click()
    members = page.get_by_test_id("member")
    await expect(members).to_have_count(2)
    await expect(members.filter(has_text=viewer.name)).to_have_count(0)
    await members.filter(has_text=dev.name).click()
    await expect(facts(other)).to_contain_text(f"Owner {dev.name}")
    await page.get_by_test_id("assign-to-me").click()
    await expect(facts(other)).to_contain_text(f"Owner {stage.admin.name}")
    await expect(other.get_by_test_id("timeline")).to_contain_text(f"{stage.admin.name} took this on")
    await page.get_by_test_id("assign").click()
    await members.filter(has_text="Nobody").click()
    await expect(facts(other)).to_contain_text("Owner nobody")


async def test_resolving_asks_first_and_is_final(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open(PATH)
    await page.get_by_test_id("resolve").click()
    await page.get_by_role("button", name="Keep it open").click()
    await expect(facts(page)).to_have_attribute("data-status", "open")
    await page.get_by_test_id("resolve").click()
    await page.get_by_test_id("sure-resolve").click()
    await expect(facts(page)).to_have_attribute("data-status", "resolved")
    await expect(facts(page)).to_contain_text("Lasted")
    await expect(page.get_by_test_id("timeline")).to_contain_text("resolved this incident")
    for name in ("acknowledge", "assign", "resolve"):
        await expect(page.get_by_test_id(name)).to_have_count(0)
    await expect(page.get_by_role("button", name="Investigating")).to_be_disabled()
    await expect(page.get_by_test_id("open-incidents")).to_have_count(0)


async def test_what_was_asked_for_too_late_is_put_right_with_a_word(stage: Stage) -> None:
    """The browser asks with the version that it still shows; meanwhile somebody else was first."""
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    page = await stage.open(PATH)
    await page.evaluate("window.kept = window.socket.listeners('update'); window.socket.off('update')")
    async with stage.database.transaction() as session:
        await incidents.acknowledge(session, actor(stage, dev, Role.DEVELOPER), 1)
    await expect(page.get_by_test_id("timeline")).to_contain_text("acknowledged")
    await page.evaluate("window.kept.forEach(listener => window.socket.on('update', listener))")
    await page.get_by_test_id("acknowledge").click()
    await expect(page.locator(".q-notification")).to_contain_text("#1 is acknowledged already.")
    await expect(facts(page)).to_contain_text(f"Owner {dev.name}")
    await expect(facts(page)).to_have_attribute("aria-busy", "false")


async def test_a_developer_is_not_offered_to_resolve(stage: Stage) -> None:
    await failed(stage)
    page = await stage.open(PATH, user=await stage.member(Role.DEVELOPER))
    await expect(page.get_by_test_id("acknowledge")).to_be_visible()
    await expect(page.get_by_test_id("resolve")).to_have_count(0)
    await expect(page.get_by_role("button", name="Resolved")).to_be_disabled()


async def test_a_role_that_was_taken_away_is_refused_at_once(stage: Stage) -> None:
    await failed(stage)
    dev = await stage.member(Role.DEVELOPER)
    page = await stage.open(PATH, user=dev)
    await expect(page.get_by_test_id("acknowledge")).to_be_visible()
    async with stage.database.transaction() as session:
        membership = await session.get_one(Membership, (id_of(stage.team), id_of(dev)))
        membership.role = Role.VIEWER
        announce(session, Topic.SESSIONS, 0, user_id=id_of(dev))
    await page.get_by_test_id("composer").fill("still here")
    await page.get_by_test_id("send").click()
    await expect(page.get_by_test_id("refusal")).to_contain_text("Your role (viewer) doesn't allow this.")
    await page.get_by_test_id("acknowledge").click()
    await expect(page.locator(".q-notification")).to_contain_text("Your role (viewer) doesn't allow this.")
    await expect(facts(page)).to_have_attribute("data-status", "open")
    async with stage.database.transaction() as session:
        found = await incidents.get_incident(session, actor(stage, dev, Role.VIEWER), 1)
    assert found.incident.status is IncidentStatus.OPEN


async def test_a_recovery_resolves_the_incident_before_everybodys_eyes(stage: Stage) -> None:
    _, check = await failed(stage)
    page = await stage.open(PATH)
    await stage.result(check)
    await expect(facts(page)).to_have_attribute("data-status", "resolved")
    await expect(page.get_by_test_id("timeline")).to_contain_text("checkout recovered")


async def test_what_the_failing_check_saw_is_shown_as_text(stage: Stage) -> None:
    _, check = await stage.service("checkout")
    await stage.result(check)
    seen = ProbeResult(
        Outcome.DOWN,
        38.0,
        "status",
        "502 Bad Gateway",
        502,
        Phases(dns=2.0, connect=6.0, first_byte=18.0),
        {"http_version": "1.1", "headers": {"server": "envoy"}, "body": "<img src=x onerror=alert(1)> upstream"},
    )
    await fail_with(stage, check, seen)
    page = await stage.open(PATH)
    evidence = page.get_by_test_id("evidence")
    await expect(evidence).to_contain_text("HTTP/1.1 502 Bad Gateway")
    await expect(evidence).to_contain_text("server: envoy")
    await expect(evidence).to_contain_text("<img src=x onerror=alert(1)> upstream")
    await expect(evidence.locator("img")).to_have_count(0)
    await expect(evidence.get_by_test_id("waterfall").locator(".bar")).to_have_count(3)
    failures = page.get_by_test_id("failure-chart").locator(".tracefailed path.point")
    await expect(failures).to_have_count(1, timeout=CHART_MS)


async def test_an_unknown_number_and_another_teams_incident_lead_to_a_page_that_says_so(stage: Stage) -> None:
    for number in ("1", "99999999999999999999"):
        page = await stage.open(f"/incidents/{number}")
        await expect(page.locator(".empty")).to_contain_text("in this team.")
        await expect(page.get_by_role("link", name="All incidents")).to_have_attribute("href", "/incidents")
    stage.errors.clear()


async def test_an_incident_that_goes_with_its_service_says_so_to_those_who_look(stage: Stage) -> None:
    service, _ = await failed(stage)
    page = await stage.open(PATH)
    async with stage.database.transaction() as session:
        await delete_service(session, actor(stage, stage.admin, Role.ADMIN), id_of(service))
    await expect(page.locator(".empty")).to_contain_text("This incident is gone")


async def test_a_phone_shows_everything_without_scrolling_sideways(stage: Stage) -> None:
    await failed(stage, message="very " * 20 + "long" + "x" * 200)
    page = await stage.open(PATH, size=PHONE, has_touch=True, is_mobile=True)
    for name in ("severity", "here", "acknowledge", "resolve", "facts"):
        await expect(page.get_by_test_id(name)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


async def fail_with(stage: Stage, check: Check, found: ProbeResult) -> None:
    """Record this result of the check as a worker does."""
    async with stage.database.transaction() as session:
        await make_due(session, check)
        claims = await claim_due(session, 10_000)
        (mine,) = (claim for claim in claims if claim.check_id == check.id)
        await release(session, [claim for claim in claims if claim is not mine])
        await record(session, [judge(mine, found, mine.monotonic, mine.monotonic)])
