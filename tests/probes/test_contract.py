"""What every kind of check keeps to; a new kind is held to it before its author writes a test."""

import asyncio
import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.addresses import IPAddress, probe_policy
from app.domain.status import Outcome
from probes import PROBES
from probes.base import Probe, ProbeConfig, ProbeContext, ProbeResult
from tests.probes.helpers import open_sockets
from tests.probes.servers import saying, silence
from tests.zoo import Zoo

_CAUSES = {
    "", "status", "timeout", "dns", "connect", "tls", "auth", "answer", "keyword", "body", "redirect", "policy",
    "protocol", "internal",
}  # fmt: skip
_WIDGETS = {"text", "textarea", "select", "mapping"}
_CANARY = "canary-5ec2e7"

_TARGETS = {"url", "host", "server", "port"}
_NO_SENSE = b"\x00\xff\r\n\x16 no sense \xe2\x80\xae\r\n\r\n" * 40

every_kind = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
# Without a port there is nothing of ours to aim at: such a kind's own tests say how it treats the rest.
with_port = [probe for probe in PROBES.values() if {"url", "port"} & probe.config.model_fields.keys()]
every_kind_with_a_port = pytest.mark.parametrize("probe", with_port, ids=[probe.kind for probe in with_port])


def aimed(probe: Probe[Any], host: str, port: int) -> ProbeConfig:
    """The kind's example, aimed at a port of ours, with a canary in each secret field."""
    values = example_of(probe)
    fields = probe.config.model_fields
    assert _TARGETS & fields.keys(), f"teach this function how to aim a {probe.kind} check"
    if "url" in fields:
        values["url"] = f"{values['url'].partition(':')[0].removesuffix('s')}://{host}:{port}/"
    values |= {name: host for name in ("host", "server") if name in fields}
    values |= {"port": port} if "port" in fields else {}
    values |= {"expect": "PONG"} if "expect" in fields else {}
    for name, field in probe.config.model_fields.items():
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("secret"):
            values[name] = {"X-Canary": _CANARY} if field.annotation == dict[str, str] else _CANARY
    config: ProbeConfig = probe.config.model_validate(values)
    return config


def example_of(probe: Probe[Any]) -> dict[str, Any]:
    fields = probe.config.model_fields.items()
    return {name: field.examples[0] for name, field in fields if field.is_required() and field.examples}


def assert_fit(result: ProbeResult) -> None:
    """The result can be stored, shown and told."""
    assert result.cause in _CAUSES
    assert (result.cause == "") == (result.outcome is Outcome.UP)
    assert result.message
    assert len(result.message) <= 500
    assert "\n" not in result.message
    numbers = [result.latency_ms, *asdict(result.phases).values()]
    assert all(number is None or (math.isfinite(number) and number >= 0) for number in numbers)
    stored = json.dumps({"message": result.message, "facts": dict(result.facts)}, allow_nan=False)
    assert "\\u0000" not in stored
    assert _CANARY not in stored
    assert len(stored) < 8192


@every_kind
def test_a_kind_is_known_by_its_own_name(probe: Probe[Any]) -> None:
    assert PROBES[probe.kind] is probe
    assert probe.kind.isidentifier()
    assert probe.title


@every_kind
def test_a_config_is_frozen_and_takes_nothing_unknown(probe: Probe[Any]) -> None:
    config = probe.config.model_validate(example_of(probe))
    name = next(iter(probe.config.model_fields))
    with pytest.raises(ValidationError):
        setattr(config, name, getattr(config, name))
    with pytest.raises(ValidationError):
        probe.config.model_validate(example_of(probe) | {"unheard_of": 1})


@every_kind
def test_a_config_survives_storage(probe: Probe[Any]) -> None:
    config = aimed(probe, "192.0.2.1", 80)
    assert probe.config.model_validate_json(config.model_dump_json()) == config


@every_kind
def test_a_form_can_be_drawn_from_the_config(probe: Probe[Any]) -> None:
    for name, field in probe.config.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.description.endswith("."), name
        extra = field.json_schema_extra
        assert not isinstance(extra, dict) or extra.get("widget", "text") in _WIDGETS, name
    assert probe.config.model_json_schema()["properties"]


@every_kind
def test_what_belongs_to_the_check_is_not_in_the_config(probe: Probe[Any]) -> None:
    assert not {"interval", "timeout", "retries", "failures", "recoveries"} & probe.config.model_fields.keys()


@every_kind
def test_a_description_names_the_target_and_no_secret(probe: Probe[Any]) -> None:
    text = probe.describe(aimed(probe, "192.0.2.1", 8080))
    assert "192.0.2.1" in text
    assert _CANARY not in text


@every_kind_with_a_port
async def test_a_target_that_can_not_be_reached_is_a_value(probe: Probe[Any], zoo: Zoo) -> None:
    result = await probe.run(aimed(probe, *zoo.residences["dead"].address), ProbeContext(timeout=2))
    assert result.outcome is Outcome.DOWN
    assert_fit(result)


@every_kind_with_a_port
async def test_an_address_that_the_policy_refuses_is_not_touched(probe: Probe[Any]) -> None:
    def refuse(address: IPAddress, port: int) -> str:
        return "metadata"

    async with silence() as server:
        result = await probe.run(aimed(probe, "127.0.0.1", server.port), ProbeContext(timeout=2, address_policy=refuse))
        assert not server.reached.is_set()
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")
    assert "metadata" in result.message
    assert_fit(result)


@every_kind_with_a_port
async def test_the_timeout_is_kept_without_help(probe: Probe[Any]) -> None:
    async with silence() as server, asyncio.timeout(5):
        result = await probe.run(aimed(probe, "127.0.0.1", server.port), ProbeContext(timeout=0.2))
    assert result.outcome is Outcome.DOWN
    assert result.cause == "timeout"
    assert "0.2 s" in result.message
    assert_fit(result)


@every_kind_with_a_port
async def test_cancelling_leaves_no_socket_behind(probe: Probe[Any]) -> None:
    async with silence() as server:
        config = aimed(probe, "127.0.0.1", server.port)
        context = ProbeContext(timeout=60, address_policy=probe_policy())
        await probe.run(config, ProbeContext(timeout=0.1))
        await server.quiet.wait()
        server.reached.clear()
        before = open_sockets()
        running = asyncio.ensure_future(probe.run(config, context))
        await server.reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        ours = open_sockets() - before
    assert len(ours) <= 1  # the server's end


@every_kind_with_a_port
async def test_an_answer_that_makes_no_sense_is_down(probe: Probe[Any]) -> None:
    async with saying(_NO_SENSE) as server, asyncio.timeout(5):
        result = await probe.run(aimed(probe, "127.0.0.1", server.port), ProbeContext(timeout=2))
    assert result.outcome is Outcome.DOWN
    assert result.cause not in {"connect", "internal"}
    assert_fit(result)


@every_kind_with_a_port
async def test_a_server_that_hangs_up_is_down(probe: Probe[Any]) -> None:
    async with saying() as server, asyncio.timeout(5):
        result = await probe.run(aimed(probe, "127.0.0.1", server.port), ProbeContext(timeout=0.5))
    assert result.outcome is Outcome.DOWN
    assert_fit(result)


@every_kind_with_a_port
async def test_many_runs_leave_nothing_open(probe: Probe[Any]) -> None:
    async with saying(_NO_SENSE) as server, asyncio.timeout(20):
        config = aimed(probe, "127.0.0.1", server.port)
        context = ProbeContext(timeout=5)
        await asyncio.gather(*(probe.run(config, context) for _ in range(20)))
        await server.quiet.wait()
        before = len(open_sockets())
        for result in await asyncio.gather(*(probe.run(config, context) for _ in range(20))):
            assert_fit(result)
        await server.quiet.wait()
        assert len(open_sockets()) <= before
