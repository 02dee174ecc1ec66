"""The ping check against the loopback, and where the system refuses."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.addresses import probe_policy
from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.icmp import ICMP, IcmpConfig, checksum, judge
from probes.visit import Visit, visit
from tests.probes.helpers import open_sockets

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket needs root")


async def check(host: str, **config: Any) -> ProbeResult:
    context = ProbeContext(timeout=5, address_policy=probe_policy())
    return await ICMP.run(IcmpConfig.model_validate({"host": host} | config), context)


@as_root
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_host_that_answers_is_up_with_its_times(host: str) -> None:
    before = open_sockets()
    result = await check(host, count=4)
    assert result.outcome is Outcome.UP
    assert result.message.startswith("4 of 4 packets answered")
    facts = result.facts
    assert (facts["packets_sent"], facts["packets_lost_percent"], facts["address"]) == (4, 0, host)
    assert result.latency_ms is not None
    assert 0 < facts["rtt_min_ms"] <= result.latency_ms <= facts["rtt_max_ms"]
    assert facts["jitter_ms"] >= 0
    assert open_sockets() == before


@as_root
async def test_many_at_once_do_not_take_each_others_replies() -> None:
    results = await asyncio.gather(*(check(f"127.0.0.{number}") for number in range(1, 21)))
    assert {result.outcome for result in results} == {Outcome.UP}


async def test_a_metadata_address_is_refused() -> None:
    result = await check("169.254.169.254")
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")


@as_root
def test_an_unprivileged_socket_is_enough_and_silence_or_another_reply_is_down() -> None:
    command = ["unshare", "--net", sys.executable, "-m", "tests.probes.own_network"]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert seen["unprivileged"][0] == "up"
    for title in ("silent", "forged", "forged, raw"):
        assert seen[title] == ["down", "timeout", "No answer within 0.4 s (waiting for a reply)"]


@pytest.mark.parametrize(
    ("answered", "outcome"), [(4, Outcome.UP), (2, Outcome.UP), (1, Outcome.DOWN), (0, Outcome.DOWN)]
)
async def test_more_loss_than_allowed_is_down(answered: int, outcome: Outcome) -> None:
    async def talk(run: Visit) -> str:
        return judge(run, IcmpConfig(host="127.0.0.1", count=4), [0.010, 0.012, 0.010, 0.014][:answered])

    result = await visit(ProbeContext(timeout=1), talk)
    assert result.outcome is outcome
    assert result.facts["packets_lost_percent"] == 100 - 25 * answered
    if answered == 4:
        assert (result.latency_ms, result.facts["jitter_ms"]) == (11.5, 2.667)


@as_root
async def test_where_the_system_refuses_it_is_unknown_and_says_what_to_do() -> None:
    os.seteuid(65534)
    try:
        result = await check("127.0.0.1")
    finally:
        os.seteuid(0)
    if result.outcome is Outcome.UP:
        pytest.skip("this system lets everybody ping")
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "internal")
    assert "ping_group_range" in result.message


def test_the_checksum_is_that_of_the_rfc() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert checksum(b"\x01") == 0xFEFF


@pytest.mark.parametrize("values", [{"count": 0}, {"count": 11}, {"max_loss": 100}, {"host": ""}])
def test_what_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IcmpConfig.model_validate({"host": "127.0.0.1"} | values)
