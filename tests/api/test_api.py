"""The REST API: who may ask what, what it answers, and how it refuses."""

from typing import Any

import httpx
import pytest

from app.domain.access import Role
from app.usecases.configs import MASK
from tests.api.conftest import PASSWORD, ClientOf

SERVICE: dict[str, Any] = {"name": "checkout-api", "group": "Storefront", "tags": ["critical"]}
CHECK: dict[str, Any] = {"kind": "http", "config": {"url": "http://127.0.0.1:9/health"}}
OPEN = {("POST", "/api/v1/auth/token")}


def operations(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item]


async def test_every_operation_but_signing_in_refuses_whoever_has_no_token(anonymous: httpx.AsyncClient) -> None:
    document = (await anonymous.get("/api/openapi.json")).json()
    asked = [item for item in operations(document) if item not in OPEN]
    assert len(asked) > 30
    for method, path in asked:
        url = path.replace("{", "").replace("}", "").replace("service_id", "1").replace("check_id", "1")
        url = url.replace("channel_id", "1").replace("number", "1")
        answer = await anonymous.request(method, url, json={})
        assert answer.status_code in {401, 422}, (method, path)
        if answer.status_code == 422:
            valid = await anonymous.request(method, url, json=_body(document, method, path))
            assert valid.status_code == 401, (method, path)


def _body(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """A body that fits the operation's schema well enough to get past validation."""
    name = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    bodies = {
        "ServiceWithCheck": SERVICE,
        "ServiceUpdate": SERVICE,
        "CheckCreate": CHECK,
        "CheckUpdate": CHECK,
        "TrialForm": CHECK,
        "ChannelCreate": {"kind": "slack", "name": "x", "config": {}},
        "ChannelUpdate": {"kind": "slack", "name": "x", "config": {}},
        "CommentForm": {"text": "x"},
        "AssignForm": {"owner_id": None},
        "StatusForm": {"status": "open"},
        "ThemeForm": {"theme": "dark"},
    }
    return bodies[name.rpartition("/")[2]]


async def test_a_token_is_made_used_and_revoked(anonymous: httpx.AsyncClient, client_of: ClientOf) -> None:
    await client_of(Role.DEVELOPER, "Payments")
    credentials = {"email": "developer-0@example.com", "password": PASSWORD}
    made = await anonymous.post("/api/v1/auth/token", json=credentials)
    assert made.status_code == 201
    headers = {"Authorization": f"Bearer {made.json()['access_token']}"}
    assert (await anonymous.get("/api/v1/me", headers=headers)).json()["role"] == "developer"
    assert (await anonymous.delete("/api/v1/auth/token", headers=headers)).status_code == 204
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 401


async def test_a_wrong_password_is_401_with_a_reason(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/api/v1/auth/token", json={"email": "nobody@example.com", "password": "x" * 20})
    assert answer.status_code == 401
    assert answer.json() == {"message": "The address or the password is wrong.", "fields": {}}


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "Bearer"])
async def test_a_token_that_is_none_is_401(anonymous: httpx.AsyncClient, token: str) -> None:
    headers = httpx.Headers({b"Authorization": f"Bearer {token}".encode()})
    assert (await anonymous.get("/api/v1/me", headers=headers)).status_code == 401


async def test_a_service_lives_from_adding_to_deleting(admin: httpx.AsyncClient) -> None:
    added = await admin.post("/api/v1/services", json=SERVICE | {"check": CHECK})
    assert added.status_code == 201
    service = f"/api/v1/services/{added.json()['id']}"
    checks = (await admin.get(f"{service}/checks")).json()
    assert [(check["kind"], check["status"]) for check in checks] == [("http", "pending")]
    edited = await admin.put(service, json=SERVICE | {"name": "checkout", "version": 1})
    assert (edited.json()["name"], edited.json()["version"]) == ("checkout", 2)
    assert (await admin.post(f"{service}/pause")).status_code == 200
    assert (await admin.get(f"{service}/checks")).json()[0]["status"] == "paused"
    assert (await admin.post(f"{service}/resume")).status_code == 200
    assert (await admin.post(f"{service}/check-now")).json() == {"started": 1}
    assert len((await admin.get(f"{service}/days")).json()) == 90
    assert (await admin.get(f"{service}/uptime")).json()["24h"] is None
    assert (await admin.get(f"{service}/loss")).json()["checks"] == 1
    assert (await admin.delete(service)).status_code == 204
    assert (await admin.get(service)).status_code == 404


async def test_a_stale_version_is_a_conflict_that_loses_nothing(admin: httpx.AsyncClient) -> None:
    service = f"/api/v1/services/{(await admin.post('/api/v1/services', json=SERVICE)).json()['id']}"
    await admin.put(service, json=SERVICE | {"name": "first", "version": 1})
    second = await admin.put(service, json=SERVICE | {"name": "second", "version": 1})
    assert second.status_code == 409
    assert (await admin.get(service)).json()["name"] == "first"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (SERVICE | {"name": ""}, "name"),
        ({}, "name"),
        (SERVICE | {"check": {"kind": "http", "config": {"url": "ftp://example.com"}}}, "url"),
        (SERVICE | {"check": {"kind": "http", "config": {}}}, "url"),
        (SERVICE | {"check": {"kind": "http", "config": {"url": "http://example.com", "nope": 1}}}, "nope"),
        (SERVICE | {"check": {"kind": "carrier-pigeon", "config": {}}}, "kind"),
        (SERVICE | {"check": CHECK | {"interval_s": 1}}, "check.interval_s"),
    ],
)
async def test_bad_input_is_422_and_names_the_field(admin: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await admin.post("/api/v1/services", json=body)
    assert answer.status_code == 422
    assert field in answer.json()["fields"]
    assert (await admin.get("/api/v1/services")).json() == []


async def test_headers_of_a_check_are_masked_and_a_masked_value_keeps_the_stored_one(admin: httpx.AsyncClient) -> None:
    config = CHECK["config"] | {"headers": {"Authorization": "Bearer s3cret-canary"}}
    added = await admin.post("/api/v1/services", json=SERVICE | {"check": CHECK | {"config": config}})
    check = (await admin.get(f"/api/v1/services/{added.json()['id']}/checks")).json()[0]
    assert check["config"]["headers"] == {"Authorization": MASK}
    saved = await admin.put(f"/api/v1/checks/{check['id']}", json={key: check[key] for key in ("kind", "config")})
    assert saved.status_code == 200
    assert saved.json()["config"]["headers"] == {"Authorization": MASK}


async def test_trying_a_check_tells_its_outcome_and_saves_nothing(admin: httpx.AsyncClient) -> None:
    tried = await admin.post("/api/v1/checks/try", json=CHECK)
    assert tried.status_code == 200
    assert tried.json()["outcome"] == "down"
    assert (await admin.get("/api/v1/services")).json() == []


async def test_a_channels_address_is_never_shown_again(admin: httpx.AsyncClient) -> None:
    url = "https://hooks.slack.com/services/T000/B000/canary"
    body = {"kind": "slack", "name": "#oncall", "config": {"webhook_url": url}}
    added = await admin.post("/api/v1/channels", json=body)
    assert added.status_code == 201
    assert "canary" not in added.text
    assert "canary" not in (await admin.get("/api/v1/channels")).text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DEVELOPER])
async def test_only_an_admin_changes_services_and_channels(client_of: ClientOf, role: Role) -> None:
    client = await client_of(role, "Payments")
    assert (await client.post("/api/v1/services", json=SERVICE)).status_code == 403
    assert (await client.post("/api/v1/checks/try", json=CHECK)).status_code == 403
    body = {"kind": "slack", "name": "x", "config": {"webhook_url": "https://hooks.slack.com/services/T/B/x"}}
    assert (await client.post("/api/v1/channels", json=body)).status_code == 403


async def test_another_teams_objects_do_not_exist(admin: httpx.AsyncClient, client_of: ClientOf) -> None:
    other = await client_of(Role.ADMIN, "Search")
    added = (await admin.post("/api/v1/services", json=SERVICE | {"check": CHECK})).json()
    check = (await admin.get(f"/api/v1/services/{added['id']}/checks")).json()[0]
    for url in (f"/api/v1/services/{added['id']}", f"/api/v1/checks/{check['id']}"):
        assert (await other.get(url)).status_code == 404
        assert (await other.delete(url)).status_code == 404
    trial = CHECK | {"check_id": check["id"]}
    assert (await other.post("/api/v1/checks/try", json=trial)).status_code == 404
    assert (await admin.get(f"/api/v1/services/{added['id']}")).status_code == 200


async def test_latency_between_two_moments_wants_both_with_a_zone(admin: httpx.AsyncClient) -> None:
    added = (await admin.post("/api/v1/services", json=SERVICE | {"check": CHECK})).json()
    check = (await admin.get(f"/api/v1/services/{added['id']}/checks")).json()[0]
    url = f"/api/v1/checks/{check['id']}/latency/between"
    naive = await admin.get(url, params={"start": "2026-01-01T00:00:00", "end": "2026-01-01T01:00:00Z"})
    assert (naive.status_code, list(naive.json()["fields"])) == (422, ["start"])
    found = await admin.get(url, params={"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z"})
    assert (found.status_code, found.json()["at"]) == (200, [])


async def test_messages_of_channels_are_counted(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/api/v1/channels/messages")).json() == {}


async def test_unknown_incidents_are_404_for_every_operation(admin: httpx.AsyncClient) -> None:
    for url in ("", "/timeline", "/evidence"):
        assert (await admin.get(f"/api/v1/incidents/7{url}")).status_code == 404
    bodies = {"comments": {"text": "x"}, "acknowledge": {}, "assign": {"owner_id": None}, "status": {"status": "open"}}
    for name, body in bodies.items():
        assert (await admin.post(f"/api/v1/incidents/7/{name}", json=body)).status_code == 404


async def test_activity_tells_what_was_done(admin: httpx.AsyncClient) -> None:
    await admin.post("/api/v1/services", json=SERVICE)
    lines = (await admin.get("/api/v1/activity")).json()
    assert lines[0]["sentence"] == "admin-0@example.com added checkout-api"


async def test_the_documentation_page_asks_no_other_host(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/api/docs")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert (await anonymous.get(f"/api/docs/{name}")).status_code == 200
    assert (await anonymous.get("/api/docs/..%2fmain.py")).status_code == 404


async def test_an_unknown_path_is_404_in_the_same_shape(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/api/v1/nothing")
    assert (answer.status_code, set(answer.json())) == (404, {"message", "fields"})
