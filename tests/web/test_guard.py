"""The guard: what is reached without a session, and what another site can do with somebody else's."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.core import clock
from app.db.session import Database
from models import User
from tests.web.people import HTML, Person, open_socket
from tests.web.server import RunningServer

NICEGUI = "/_nicegui/3.18.0"


async def test_a_person_is_led_to_the_sign_in_page_and_a_script_is_told_401(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        person = await client.get("/?tag=a%26b", headers=HTML)
        script = await client.get("/board/snapshot")
    assert person.status_code == 303
    assert unquote(person.headers["location"]) == "/login?next=/?tag=a%26b"
    assert (script.status_code, script.json()["message"]) == (401, "Sign in first.")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/board/snapshot",
        f"{NICEGUI}/static/nicegui.js",
        "/assets/pulseboard.css",
        "/_nicegui/client/x/upload/1",
        "/_nicegui_ws/socket.io/?EIO=4&transport=polling",
        "/nothing",
        "/_nicegui/nothing",
        "/api/nothing",
        "/healthz/nothing",
        "/login/",
        "/LOGIN",
        "//",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_nothing_inside_answers_a_stranger(anonymous: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await anonymous.request(method, path)
    assert answer.status_code in {401, 404, 405}
    assert len(answer.content) < 200


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "é", '"; DROP', "x" * 7000])
async def test_a_forged_cookie_is_no_session(server: RunningServer, cookie: str) -> None:
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        answer = await client.get("/board/snapshot", headers={b"Cookie": f"pulseboard={cookie}".encode()})
    assert answer.status_code == 401


async def test_a_flood_of_strangers_leaves_no_page_in_memory(
    server: RunningServer, anonymous: httpx.AsyncClient
) -> None:
    before = server.pages()
    for number in range(20):
        for path in ("/", "/login", f"/nope/{number}", f"/services/{number}", "/logout"):
            await anonymous.get(path, headers=HTML)
    assert server.pages() == before


async def test_unknown_addresses_cost_no_page_for_people_who_are_signed_in_either(
    server: RunningServer, ann: Person
) -> None:
    before = server.pages()
    for path in ("/nope", "/logout", "/services/nope/nope", "/_nicegui/nope"):
        answer = await ann.get(path, **HTML)
        assert answer.status_code in {404, 405}
    assert "Page not found" in (await ann.get("/nope", **HTML)).text
    assert server.pages() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "{ours}"}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "{ours}", "Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "{ours}.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Origin": "ftp://127.0.0.1:{port}"}, 403),
        ({"Origin": "http://evil@127.0.0.1:{port}"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "{ours}", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "{ours}", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
    ],
)
async def test_only_our_own_pages_may_post(
    server: RunningServer, ann: Person, headers: Mapping[str, str], status: int
) -> None:
    sent = {name: _filled(value, server) for name, value in headers.items()}
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        answer = await client.post("/logout", headers=ann.cookie | sent)
    assert answer.status_code == status
    assert (await ann.get("/", **HTML)).status_code == (200 if status == 403 else 303)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("{ours}", True),
        (None, False),
        ("", False),
        ("null", False),
        ("https://evil.example", False),
        ("{ours}.evil.example", False),
        ("http://127.0.0.1:1", False),
        ("ws://127.0.0.1:{port}", False),
    ],
)
async def test_only_our_own_pages_may_open_a_socket(
    server: RunningServer, ann: Person, origin: str | None, allowed: bool
) -> None:
    page = await ann.open_page()
    headers = ann.cookie | ({} if origin is None else {"Origin": _filled(origin, server)})
    if allowed:
        async with open_socket(ann, page.client_id, headers) as socket:
            await socket.join()
        return
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(ann, page.client_id, headers):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_may_not_poll(ann: Person, site: str) -> None:
    page = await ann.open_page()
    path = f"/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page.client_id}"
    assert (await ann.get(path, **{"Sec-Fetch-Site": site})).status_code == 403
    assert (await ann.get(path, Origin="https://evil.example")).status_code == 403
    assert (await ann.get(path, **{"Sec-Fetch-Site": "same-origin"})).status_code == 200


@pytest.mark.parametrize("path", ["/", "/ws", "/api/v1/ws", "/_nicegui_ws", "/login", "/board/snapshot"])
async def test_there_are_no_other_sockets(server: RunningServer, ann: Person, path: str) -> None:
    address = server.origin.replace("http", "ws") + path
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, additional_headers=ann.cookie | {"Origin": server.origin}, proxy=None):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_somebody_else_is_out_of_reach(ann: Person, bob: Person) -> None:
    page = await ann.open_page()
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(bob, page.client_id):
            pass
    assert refused.value.response.status_code == 403
    polled = await bob.get(f"/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page.client_id}")
    assert polled.status_code == 403


async def test_each_person_sees_the_board_of_their_own_team(ann: Person, server: RunningServer) -> None:
    answer = await ann.get("/board/snapshot")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["rows"] == []
    assert ann.team_id in server.context.boards


async def test_a_disabled_person_is_out_within_seconds(ann: Person, web_database: Database) -> None:
    assert (await ann.get("/board/snapshot")).status_code == 200
    async with web_database.transaction() as session:
        user = await session.get_one(User, ann.user.id)
        user.disabled_at = clock.now()
    while (await ann.get("/board/snapshot")).status_code != 401:
        pass


PAGES = ["/login", "/setup?token=x", "/nope", "/"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_its_protecting_headers(ann: Person, path: str) -> None:
    signed_in = path in {"/", "/nope"}
    headers = ann.cookie if signed_in else {}
    async with httpx.AsyncClient(base_url=ann.origin, trust_env=False) as client:
        answer = await client.get(path, headers=headers | HTML, follow_redirects=True)
    policy = answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "frame-ancestors 'none'" in policy
    assert ("script-src" in policy) == (path == "/")
    assert "unsafe-inline" not in re.sub(r"style-src [^;]*", "", policy)


async def test_each_script_of_a_page_has_that_responses_own_nonce(ann: Person) -> None:
    first, second = await ann.open_page(), await ann.open_page()
    nonces = []
    for page in (first, second):
        allowed = re.search(r"'nonce-([^']+)'", page.headers["content-security-policy"])
        assert allowed
        tags = re.findall(r"<script[^>]*>", page.html)
        assert tags
        assert all(f'nonce="{allowed[1]}"' in tag for tag in tags)
        nonces.append(allowed[1])
    assert nonces[0] != nonces[1]


async def test_pages_name_no_other_host(ann: Person, anonymous: httpx.AsyncClient) -> None:
    texts = [(await ann.open_page()).html, (await anonymous.get("/login")).text]
    texts.append((await anonymous.get("/assets/auth.css")).text)
    for text in texts:
        assert re.findall(r"""(?:src|href|url|import|from)\s*[=(:]?\s*["']?\s*(?:https?:)?//[^\s"')]+""", text) == []


async def test_a_prefix_from_a_stranger_is_not_written_into_pages(ann: Person) -> None:
    answer = await ann.get("/", **HTML, **{"X-Forwarded-Prefix": "//evil.example"})
    assert "evil.example" not in answer.text


def _filled(text: str, server: RunningServer) -> str:
    return text.replace("{ours}", server.origin).replace("{port}", str(server.port))
