"""The WebSocket check against a real server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.websocket import WEBSOCKET, WebSocketConfig
from tests.probes.helpers import Context, page
from tests.probes.servers import saying
from tests.zoo import Zoo


async def behave(connection: ServerConnection) -> None:
    """Answers each message with it in brackets; does as told by a few of them."""
    async for message in connection:
        if message == "close":
            await connection.close(1011)
        elif message == "flood":
            while True:
                await connection.send("x" * 4096)
        elif message == "token":
            request = connection.request
            assert request
            await connection.send(request.headers.get("X-Token", "none"))
        else:
            await connection.send(["[", str(message), "]"])


def gate(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(HTTPStatus.FORBIDDEN, "no") if request.path == "/closed" else None


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async with serve(behave, "127.0.0.1", 0, process_request=gate) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def check(url: str, context: ProbeContext | None = None, **config: Any) -> ProbeResult:
    made = WebSocketConfig.model_validate({"url": url} | config)
    return await WEBSOCKET.run(made, context or ProbeContext(timeout=5))


async def test_a_server_that_answers_a_ping_is_up(server: str) -> None:
    result = await check(server)
    assert (result.outcome, result.code, result.message) == (Outcome.UP, 101, "The server answers")
    assert result.phases.first_byte is not None


async def test_a_message_and_its_answer_in_fragments(server: str) -> None:
    result = await check(server, send="hello", expect="[hello]")
    assert result.outcome is Outcome.UP


async def test_headers_are_sent(server: str) -> None:
    result = await check(server, send="token", expect="s3cret", headers={"X-Token": "s3cret"})
    assert result.outcome is Outcome.UP


@pytest.mark.parametrize(
    ("path", "config", "cause"),
    [
        ("/closed", {}, "status"),
        ("/", {"send": "close", "expect": "more"}, "protocol"),
        ("/", {"send": "flood", "expect": "end"}, "keyword"),
    ],
)
async def test_other_answers_are_down(server: str, path: str, config: dict[str, Any], cause: str) -> None:
    result = await check(server + path, **config)
    assert (result.outcome, result.cause) == (Outcome.DOWN, cause)
    assert len(result.facts.get("body", "")) <= 200


async def test_a_web_page_is_no_websocket() -> None:
    async with saying(b"", page(b"hello")) as server:
        result = await check(f"ws://127.0.0.1:{server.port}/")
    assert (result.outcome, result.cause, result.message) == (
        Outcome.DOWN,
        "status",
        "The handshake was answered with 200",
    )


async def test_a_redirect_is_not_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: ws://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with saying(b"", redirect) as server:
        result = await check(f"ws://127.0.0.1:{server.port}/")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "status")


async def test_tls_is_verified(zoo: Zoo, context: Context) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(zoo.ca_file.parent / "valid.pem")
    async with serve(behave, "127.0.0.1", 0, ssl=tls) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trusted = await check(url, context())
        foreign = await check(url)
    assert (trusted.outcome, trusted.facts["certificate_days"]) == (Outcome.UP, 90)
    assert (foreign.outcome, foreign.cause) == (Outcome.DOWN, "tls")
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "values",
    [{"url": "http://example.com"}, {"url": "ws://"}, {"url": "ws://a b"}, {"headers": {"X": "a\nb"}}, {"send": "\\"}],
)
def test_what_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebSocketConfig.model_validate({"url": "ws://example.com"} | values)
