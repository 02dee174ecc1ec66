"""The DNS check against a name server of ours, over UDP and TCP."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.dns import DNS, judge
from probes.dns_config import DnsConfig
from probes.visit import Visit, visit
from tests.probes.servers import Server, saying, serving, silence

ZONE = {
    ("www.example.", "A"): ("192.0.2.1", "192.0.2.2"),
    ("www.example.", "AAAA"): ("2001:db8::1",),
    ("alias.example.", "CNAME"): ("www.example.",),
    ("example.", "MX"): ("10 mail.example.",),
    ("example.", "TXT"): ('"v=spf1 -all"',),
    ("example.", "NS"): ("ns1.example.", "ns2.example."),
    ("example.", "SOA"): ("ns1.example. admin.example. 7 3600 600 86400 60",),
    ("_sip._tcp.example.", "SRV"): ("10 5 5060 sip.example.",),
    ("example.", "CAA"): ('0 issue "ca.example"',),
    ("1.2.0.192.in-addr.arpa.", "PTR"): ("www.example.",),
    ("long.example.", "A"): tuple(f"192.0.2.{number}" for number in range(100)),
}


def reply(data: bytes, *, truncate: bool = True) -> bytes:
    query = dns.message.from_wire(data)
    answer = dns.message.make_response(query)
    question = query.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    if records := ZONE.get((question.name.to_text(), kind)):
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
    elif question.name.to_text() == "broken.example.":
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif question.name.to_text() != "example.":
        answer.set_rcode(dns.rcode.NXDOMAIN)
    if truncate and records and len(records) > 20:
        answer.answer.clear()
        answer.flags |= dns.flags.TC
    return answer.to_wire(max_size=65535)


async def by_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    answer = reply(await reader.readexactly(length), truncate=False)
    writer.write(struct.pack("!H", len(answer)) + answer)
    await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(by_tcp, answer=reply) as server:
        yield server


async def check(server: Server, name: str = "www.example", **config: Any) -> ProbeResult:
    values = {"name": name, "server": "127.0.0.1", "port": server.port} | config
    return await DNS.run(DnsConfig.model_validate(values), ProbeContext(timeout=5))


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        ("www.example", "A", "192.0.2.2\n192.0.2.1"),
        ("WWW.Example.", "AAAA", "2001:DB8::1"),
        ("alias.example", "CNAME", "www.example"),
        ("example", "MX", "10 mail.example."),
        ("example", "TXT", "v=spf1 -all"),
        ("example", "NS", "ns1.example"),
        ("example", "SOA", "ns1.example admin.example 7 3600 600 86400 60"),
        ("_sip._tcp.example", "SRV", "10 5 5060 sip.example"),
        ("example", "CAA", '0 issue "ca.example"'),
        ("192.0.2.1", "PTR", "www.example"),
        ("1.2.0.192.in-addr.arpa", "PTR", "www.example"),
    ],
)
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_the_records_are_found_and_compared(
    server: Server, name: str, kind: str, answers: str, transport: str
) -> None:
    result = await check(server, name, type=kind, answers=answers, transport=transport)
    assert result.outcome is Outcome.UP, result.message
    assert result.facts["rcode"] == "NOERROR"
    assert result.phases.first_byte is not None


async def test_an_answer_too_long_for_udp_is_fetched_over_tcp(server: Server) -> None:
    result = await check(server, "long.example", answers="192.0.2.99")
    assert result.outcome is Outcome.UP
    assert result.phases.connect is not None
    assert len(result.facts["answers"]) == 20


@pytest.mark.parametrize(
    ("config", "cause", "message"),
    [
        ({"answers": "192.0.2.3"}, "answer", "An answer is missing: 192.0.2.3"),
        ({"answers": "192.0.2.1", "exact": True}, "answer", "There is an answer that was not expected: 192.0.2.2"),
        (
            {"type": "MX", "name": "example", "answers": "10 mx.example"},
            "answer",
            "An answer is missing: 10 mx.example",
        ),
        ({"name": "none.example"}, "status", "The server answers NXDOMAIN"),
        ({"name": "broken.example"}, "status", "The server answers SERVFAIL"),
        ({"name": "example"}, "answer", "There are no A records"),
        ({"rcode": "NXDOMAIN"}, "status", "The server answers NOERROR"),
    ],
)
async def test_other_answers_are_down_with_their_reason(
    server: Server, config: dict[str, Any], cause: str, message: str
) -> None:
    result = await check(server, **config)
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, cause, message)


async def test_a_name_can_be_checked_to_be_gone(server: Server) -> None:
    result = await check(server, "none.example", rcode="NXDOMAIN")
    assert (result.outcome, result.message, result.code) == (Outcome.UP, "NXDOMAIN", 3)


async def test_a_silent_server_is_down_and_a_closed_port_at_once() -> None:
    async with silence() as server:
        values = {"name": "www.example", "server": "127.0.0.1", "port": server.port}
        silent = await DNS.run(DnsConfig.model_validate(values), ProbeContext(timeout=0.2))
    closed = await check(server)
    assert (silent.outcome, silent.cause) == (Outcome.DOWN, "timeout")
    assert (closed.outcome, closed.cause) == (Outcome.DOWN, "connect")


async def test_an_answer_to_another_question_is_not_taken() -> None:
    forged = dns.message.make_response(dns.message.make_query("www.example", "A", id=1)).to_wire()
    async with saying(forged) as server:
        values = {"name": "www.example", "server": "127.0.0.1", "port": server.port}
        result = await DNS.run(DnsConfig.model_validate(values), ProbeContext(timeout=0.2))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "timeout")


async def test_trouble_of_the_systems_resolver_is_not_the_targets(server: Server) -> None:
    answer = dns.message.from_wire(reply(dns.message.make_query("broken.example", "A").to_wire()))
    for name, outcome in (("", Outcome.UNKNOWN), ("127.0.0.1", Outcome.DOWN)):
        result = await judged(DnsConfig(name="broken.example", server=name), answer)
        assert result.outcome is outcome


async def judged(config: DnsConfig, answer: dns.message.Message) -> ProbeResult:
    async def talk(run: Visit) -> str:
        return judge(run, config, answer)

    return await visit(ProbeContext(timeout=1), talk)


@pytest.mark.parametrize(
    "values", [{"name": "192.0.2.1"}, {"name": "a..b"}, {"answers": "1.1.1.1", "rcode": "NXDOMAIN"}, {"type": "ANY"}]
)
def test_what_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DnsConfig.model_validate({"name": "www.example"} | values)
