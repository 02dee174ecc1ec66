"""What a test of a page works with: a team of its own, people signed in to browsers, services with results."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

from app.core import clock
from app.db.session import Database, announce
from app.domain.access import Role
from app.domain.status import Outcome
from app.live.bus import Topic
from app.usecases.accounts import open_session
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due, release
from app.usecases.tokens import Audience, Claims, Tokens
from models import Check, Service, Team, User
from probes.base import ProbeResult
from tests.builders import add_check, add_service, add_team, add_user, id_of, make_due

DESKTOP = (1440, 1000)
PHONE = (390, 844)


@dataclass(frozen=True, slots=True)
class WebProcess:
    port: int
    pid: int


@dataclass(slots=True)
class Stage:
    """Use the `stage` fixture. `errors` are the browsers' own complaints; a test that expects some clears them."""

    browser: Browser
    web: WebProcess
    database: Database
    tokens: Tokens
    team: Team
    admin: User
    errors: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    async def member(self, role: Role) -> User:
        async with self.database.transaction() as session:
            return await add_user(session, self.team, f"{uuid.uuid4().hex[:10]}@example.com", role)

    async def open(
        self,
        path: str = "/",
        user: User | None = None,
        size: tuple[int, int] = DESKTOP,
        origin: str = "",
        **options: Any,
    ) -> Page:
        """A page in a new browser context in which `user` (the admin) is signed in; `options` are Playwright's."""
        where = origin or self.origin
        context = await self.browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self.contexts.append(context)
        token = await self._token(user or self.admin)
        await context.add_cookies([{"name": "pulseboard", "value": token, "url": where}])
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.requested.append(request.url))
        await page.goto(where + path)
        await page.wait_for_function("window.did_handshake === true")
        return page

    async def service(
        self, name: str, group: str = "", tags: tuple[str, ...] = (), **values: Any
    ) -> tuple[Service, Check]:
        """A service with a check that never runs by itself; `values` are columns of Check."""
        async with self.database.transaction() as session:
            service = await add_service(session, self.team, name)
            service.group, service.tags = group, list(tags)
            check = await add_check(session, service, **values)
            announce(session, Topic.SERVICES, id_of(self.team), ids=[id_of(service)])
        return service, check

    async def result(self, check: Check, latency_ms: float | None = 38.0, message: str = "") -> None:
        """Record a run of the check as a worker does: up with this latency, or down with this message."""
        outcome = Outcome.DOWN if message else Outcome.UP
        found = ProbeResult(outcome, None if message else latency_ms, "status" if message else "", message)
        async with self.database.transaction() as session:
            await make_due(session, check)
            claims = await claim_due(session, 10_000)
            (mine,) = (claim for claim in claims if claim.check_id == check.id)
            await release(session, [claim for claim in claims if claim is not mine])
            await record(session, [judge(mine, found, mine.monotonic, clock.monotonic())])

    async def _token(self, user: User) -> str:
        async with self.database.transaction() as session:
            started = await open_session(session, id_of(user), timedelta(hours=1))
        return self.tokens.issue(Claims(id_of(user), started.id, started.expires_at), Audience.WEB)


@asynccontextmanager
async def open_stage(browser: Browser, web: WebProcess, database: Database, tokens: Tokens) -> AsyncIterator[Stage]:
    """The stage of one test; afterwards no browser may have complained."""
    name = uuid.uuid4().hex[:10]
    async with database.transaction() as session:
        team = await add_team(session, f"Team {name}")
        admin = await add_user(session, team, f"ann-{name}@example.com")
    stage = Stage(browser, web, database, tokens, team, admin)
    yield stage
    for context in stage.contexts:
        await context.close()
    assert stage.errors == []
