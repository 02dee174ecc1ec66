"""Setup, sign-in and sign-out as a browser without a script does them."""

import asyncio
import re

import httpx
import pytest

from app.db.session import Database
from app.usecases.accounts import ensure_setup_token, needs_setup
from app.usecases.context import Context
from app.usecases.tokens import Audience
from tests.web.people import HTML, Person
from tests.web.server import RunningServer

FORM = {"name": "Ada <Lovelace>", "email": "ada@example.com", "password": "correct horse battery", "team": "Ops"}


async def _setup_token(database: Database) -> str:
    async with database.transaction() as session:
        token = await ensure_setup_token(session)
    assert token
    return token


@pytest.fixture
async def set_up(clean_installation: None, web_database: Database, anonymous: httpx.AsyncClient) -> None:
    """Ada is the first admin; `anonymous` is signed out again."""
    token = await _setup_token(web_database)
    assert (await anonymous.post("/setup", data=FORM | {"token": token})).status_code == 303
    anonymous.cookies.clear()


async def test_the_first_admin_is_made_and_signed_in(
    clean_installation: None, web_database: Database, anonymous: httpx.AsyncClient
) -> None:
    token = await _setup_token(web_database)
    assert "Make the first account" in (await anonymous.get("/setup", params={"token": token})).text
    done = await anonymous.post("/setup", data=FORM | {"token": token})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    page = await anonymous.get("/", headers=HTML)
    assert page.status_code == 200
    assert "Overview" in page.text


async def test_of_fifty_setups_at_once_one_is_done(
    clean_installation: None, web_database: Database, anonymous: httpx.AsyncClient
) -> None:
    token = await _setup_token(web_database)
    tries = (anonymous.post("/setup", data=FORM | {"token": token, "email": f"a{n}@example.com"}) for n in range(50))
    answers = [answer.status_code for answer in await asyncio.gather(*tries)]
    assert sorted(set(answers)) == [303, 409]
    assert answers.count(303) == 1


async def test_a_refused_setup_names_the_fields_and_keeps_what_was_typed(
    clean_installation: None, web_database: Database, anonymous: httpx.AsyncClient
) -> None:
    wrong = FORM | {"token": await _setup_token(web_database), "password": "hunter2", "email": "me at home"}
    answer = await anonymous.post("/setup", data=wrong)
    assert answer.status_code == 422
    assert 'value="Ada &lt;Lovelace&gt;"' in answer.text
    assert 'value="me at home"' in answer.text
    assert "hunter2" not in answer.text
    assert answer.text.count('class="error"') == 2
    assert re.search(r'<input id="email"[^>]*autofocus', answer.text)


@pytest.mark.parametrize("token", ["", "wrong", "é"])
async def test_a_wrong_setup_link_is_refused(
    clean_installation: None, web_database: Database, anonymous: httpx.AsyncClient, token: str
) -> None:
    await _setup_token(web_database)
    assert (await anonymous.get("/setup", params={"token": token})).status_code == 403
    assert (await anonymous.post("/setup", data=FORM | {"token": token})).status_code == 403
    async with web_database.transaction() as session:
        assert await needs_setup(session)


async def test_setup_is_closed_once_done(set_up: None, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/setup", params={"token": "any"})).headers["location"] == "/login"
    assert (await anonymous.post("/setup", data=FORM | {"token": "any"})).status_code == 409


async def test_before_setup_the_sign_in_page_says_what_to_do(
    clean_installation: None, anonymous: httpx.AsyncClient
) -> None:
    assert "Open the setup link" in (await anonymous.get("/login")).text


async def _sign_in(client: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await client.post("/login", data={"email": FORM["email"], "password": FORM["password"]} | changes)


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    set_up: None, anonymous: httpx.AsyncClient
) -> None:
    answer = await _sign_in(anonymous)
    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cookie.startswith("pulseboard=")
    assert all(flag in cookie for flag in ("httponly", "samesite=lax", "path=/", "max-age="))
    assert "domain" not in cookie


async def test_over_tls_the_cookie_is_bound_to_the_host(set_up: None, server: RunningServer) -> None:
    """A trusted proxy on this machine says that the browser speaks TLS."""
    origin = server.origin.replace("http:", "https:")
    headers = {"Origin": origin, "X-Forwarded-Proto": "https"}
    async with httpx.AsyncClient(base_url=server.origin, headers=headers, trust_env=False) as client:
        answer = await _sign_in(client)
        assert answer.headers["set-cookie"].startswith("__Host-pulseboard=")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers
        planted = {"Cookie": answer.headers["set-cookie"].split(";")[0].replace("__Host-", "")}
        assert (await client.get("/", headers=HTML | planted)).status_code == 303


async def test_a_planted_session_is_replaced_and_ended(set_up: None, anonymous: httpx.AsyncClient, ann: Person) -> None:
    anonymous.cookies.set("pulseboard", ann.token)
    answer = await _sign_in(anonymous)
    assert ann.token not in answer.headers["set-cookie"]
    assert (await ann.get("/", **HTML)).status_code == 303


@pytest.mark.parametrize("changes", [{"password": "wrong horse battery"}, {"email": "bob@example.com"}, {"email": ""}])
async def test_a_failed_sign_in_keeps_the_address_but_never_the_password(
    set_up: None, anonymous: httpx.AsyncClient, changes: dict[str, str]
) -> None:
    answer = await _sign_in(anonymous, **changes)
    assert answer.status_code == 401
    assert "The address or the password is wrong." in answer.text
    assert f'value="{changes.get("email", FORM["email"])}"' in answer.text
    assert "horse battery" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_guessing_is_slowed_down(set_up: None, anonymous: httpx.AsyncClient) -> None:
    guesses = [await _sign_in(anonymous, email="eve@example.com") for _ in range(11)]
    assert [guess.status_code for guess in guesses] == [401] * 10 + [429]
    assert int(guesses[-1].headers["retry-after"]) > 0
    assert "Too many attempts" in guesses[-1].text


@pytest.mark.parametrize("body", ["{", b"\xff" * 100, "a=1&" * 50, "email=" + "x" * 20_000])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "text/plain"])
async def test_a_body_that_is_no_form_of_ours_signs_nobody_in(
    anonymous: httpx.AsyncClient, body: str | bytes, kind: str
) -> None:
    answer = await anonymous.post("/login", content=body, headers={"Content-Type": kind})
    assert answer.status_code in {401, 429}


async def test_signing_out_ends_the_session_and_not_only_the_cookie(ann: Person, anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/logout", headers=ann.cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert 'pulseboard=""' in answer.headers["set-cookie"]
    assert (await ann.get("/", **HTML)).status_code == 303


async def test_a_visit_cannot_sign_anybody_out(ann: Person) -> None:
    assert (await ann.get("/logout")).status_code == 405
    assert (await ann.get("/", **HTML)).status_code == 200


FOREIGN = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\x00/evil.example",
    "/ok\r\nSet-Cookie: a=b",
    "",
    "/login",
    "/login?next=/login",
    "/logout",
    "/setup",
]


@pytest.mark.parametrize("target", FOREIGN)
async def test_signing_in_leads_to_no_other_site(server: RunningServer, ann: Person, target: str) -> None:
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        answer = await client.get("/login", params={"next": target}, headers=ann.cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_foreign_target_in_the_form_is_dropped(set_up: None, anonymous: httpx.AsyncClient) -> None:
    assert (await _sign_in(anonymous, next="//evil.example")).headers["location"] == "/"


async def test_signing_in_leads_back_to_the_page_that_was_wanted(set_up: None, anonymous: httpx.AsyncClient) -> None:
    wanted = await anonymous.get("/?group=a%20b&x=%2F", headers=HTML)
    assert wanted.status_code == 303
    form = await anonymous.get(wanted.headers["location"])
    target = re.search(r'name="next" value="([^"]*)"', form.text)
    assert target
    answer = await _sign_in(anonymous, next=target[1].replace("&amp;", "&"))
    assert answer.headers["location"] == "/?group=a%20b&x=%2F"


async def test_a_token_of_the_api_opens_no_page(server: RunningServer, ann: Person) -> None:
    context: Context = server.context
    claims = context.tokens.read(ann.token, Audience.WEB)
    headers = {"Cookie": f"pulseboard={context.tokens.issue(claims, Audience.API)}"}
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        assert (await client.get("/", headers=headers | HTML)).status_code == 303
