"""The Redis check: connect, sign in, PING, and a key with an expected value."""

from pydantic import Field

from app.core.errors import TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.stream import Stream
from probes.targets import (
    HostConfig,
    OptionalHost,
    Port,
    Text,
    password_field,
    port_field,
    server_name_field,
    shown_endpoint,
    tls_field,
    user_field,
    verify_field,
)
from probes.verdicts import one_line
from probes.visit import Tls, Visit, visit

_MAX_VALUE = 64 * 1024
_MAX_LINE = 4096


class RedisConfig(HostConfig):
    """A Redis server, or one that speaks its protocol (RESP 2)."""

    port: Port = port_field(6379)
    user: Text = user_field("The ACL user; empty means the default one.")
    password: Text = password_field()
    key: Text = Field(default="", title="Key", description="A key to GET; empty asks for PING alone.", max_length=500)
    value: Text = Field(
        default="",
        title="Expected value",
        description="What the key must hold, to the letter; empty takes any value, but no missing key.",
        max_length=2000,
    )
    tls: bool = tls_field()
    verify_tls: bool = verify_field()
    server_name: OptionalHost = server_name_field()


async def run(config: RedisConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        stream = await run.connect(config.host, config.port)
        if config.tls:
            await run.start_tls(stream, Tls(config.server_name or config.host, config.verify_tls))
        if config.password:
            names = [config.user, config.password] if config.user else [config.password]
            await _ask(stream, "AUTH", *names)
        if await _ask(stream, "PING") != b"PONG":
            raise TargetFailed("protocol", "The server does not answer PING with PONG")
        if config.key:
            _judge(config, await _ask(stream, "GET", config.key))
        return "The key holds what was expected" if config.value else "PONG"

    return await visit(context, talk)


def describe(config: RedisConfig) -> str:
    return f"Redis {shown_endpoint(config.host, config.port)}"


REDIS: Probe[RedisConfig] = Probe(kind="redis", title="Redis", config=RedisConfig, run=run, describe=describe)


def _judge(config: RedisConfig, value: bytes | None) -> None:
    if value is None:
        raise TargetFailed("answer", "There is no such key")
    if config.value and value != config.value.encode():
        raise TargetFailed("answer", "The key holds another value")


async def _ask(stream: Stream, *words: str) -> bytes | None:
    """The answer to one command: a simple string, an integer or a bulk string."""
    parts = [word.encode() for word in words]
    await stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
    line = await stream.read_until(b"\r\n", _MAX_LINE)
    sign, rest = line[:1], line[1:-2]
    if sign == b"-":
        raise _refusal(words[0], one_line(rest))
    if sign in {b"+", b":"}:
        return rest
    if sign == b"$" and rest == b"-1":
        return None
    if sign == b"$" and rest.isdigit() and int(rest) <= _MAX_VALUE:
        return (await stream.read_exactly(int(rest) + 2))[:-2]
    raise TargetFailed("protocol", f"This is no answer of a Redis server: {one_line(line, 100)}")


def _refusal(command: str, error: str) -> TargetFailed:
    name = error.partition(" ")[0]
    if command == "AUTH" or name in {"NOAUTH", "WRONGPASS", "NOPERM"}:
        return TargetFailed("auth", f"The server refuses to let us in: {error}")
    return TargetFailed("status", f"The server refuses {command}: {error}")
