"""The DNS check: what a name server, or the system's resolver, answers about a name."""

import asyncio
import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename

from app.core.errors import ProbeUnable, TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.datagrams import Datagrams
from probes.dns_config import DnsConfig, wanted_answers
from probes.targets import shown_endpoint
from probes.verdicts import one_line
from probes.visit import LOOKING_UP, Visit, visit

_PAYLOAD = 1232  # the largest UDP answer that passes every network, as of DNS flag day 2020
_MAX_SHOWN = 20


async def run(config: DnsConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        query = _query(config)
        server = config.server or await asyncio.to_thread(_system_server)
        answer = await _ask(run, config, server, query)
        if not config.server:
            run.doing = "reading the answer"
        return judge(run, config, answer)

    return await visit(context, talk)


def describe(config: DnsConfig) -> str:
    where = f" at {shown_endpoint(config.server, config.port)}" if config.server else ""
    return f"DNS {config.type} {config.name}{where}"


DNS: Probe[DnsConfig] = Probe(kind="dns", title="DNS", config=DnsConfig, run=run, describe=describe)


def _query(config: DnsConfig) -> dns.message.QueryMessage:
    name = dns.name.from_text(config.name)
    if config.type == "PTR" and config.is_address:
        name = dns.reversename.from_address(config.name)
    return dns.message.make_query(name, config.type, use_edns=0, payload=_PAYLOAD)


def _system_server() -> str:
    try:
        return str(dns.resolver.Resolver().nameservers[0])
    except (dns.resolver.NoResolverConfiguration, IndexError):
        raise ProbeUnable("dns", "The system has no resolver: name a server to ask") from None


async def _ask(run: Visit, config: DnsConfig, server: str, query: dns.message.QueryMessage) -> dns.message.Message:
    port = config.port if config.server else 53
    address = (await run.resolve(server, port))[0]
    answer = None
    if config.transport == "UDP":
        answer = await _ask_by_udp(run, config, (address, port), query)
    if answer is None or answer.flags & dns.flags.TC:
        answer = await _ask_by_tcp(run, config, (address, port), query)
    return answer


async def _ask_by_udp(
    run: Visit, config: DnsConfig, where: tuple[str, int], query: dns.message.QueryMessage
) -> dns.message.Message:
    datagrams = Datagrams(run, *where)
    run.doing = _waiting(config)
    datagrams.send(query.to_wire())
    while True:
        answer = _parsed(await datagrams.receive())
        if query.is_response(answer):  # another is late, or forged
            return answer


async def _ask_by_tcp(
    run: Visit, config: DnsConfig, where: tuple[str, int], query: dns.message.QueryMessage
) -> dns.message.Message:
    stream = await run.connect(*where)
    run.doing = _waiting(config)
    wire = query.to_wire()
    await stream.send(struct.pack("!H", len(wire)) + wire)
    (length,) = struct.unpack("!H", await stream.read_exactly(2))
    answer = _parsed(await stream.read_exactly(length))
    if not query.is_response(answer):
        raise TargetFailed("protocol", "The answer is to another question")
    return answer


def _waiting(config: DnsConfig) -> str:
    # The system's resolver is ours: when it is silent, the name's owner is not to blame.
    return "waiting for an answer" if config.server else LOOKING_UP


def _parsed(data: bytes) -> dns.message.Message:
    try:
        return dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError):
        raise TargetFailed("protocol", "This is no answer of a name server") from None


def judge(run: Visit, config: DnsConfig, answer: dns.message.Message) -> str:
    """The message of an UP; raises ProbeError for what is not as expected."""
    rcode = dns.rcode.to_text(answer.rcode())
    wanted_type = dns.rdatatype.from_text(config.type)
    found = [item.to_text() for rrset in answer.answer if rrset.rdtype == wanted_type for item in rrset]
    run.code = int(answer.rcode())
    run.facts |= {"rcode": rcode, "answers": [one_line(text) for text in found[:_MAX_SHOWN]]}
    if rcode != config.rcode:
        if not config.server and rcode in {"SERVFAIL", "REFUSED"}:
            raise ProbeUnable("dns", f"The system's resolver answers {rcode}")
        raise TargetFailed("status", f"The server answers {rcode}")
    if rcode == "NOERROR" and not found:
        raise TargetFailed("answer", f"There are no {config.type} records")
    got = {_comparable(text) for text in found}
    wanted = {_comparable(text) for text in wanted_answers(config.answers)}
    if missing := wanted - got:
        raise TargetFailed("answer", f"An answer is missing: {one_line(min(missing), 100)}")
    if config.exact and wanted and (surplus := got - wanted):
        raise TargetFailed("answer", f"There is an answer that was not expected: {one_line(min(surplus), 100)}")
    return ", ".join(one_line(text, 60) for text in found[:3]) or rcode


def _comparable(text: str) -> str:
    """Records as people write them: without quotes and final dots, in one case."""
    words = (word.strip('"').removesuffix(".") for word in text.split())
    return " ".join(words).lower()
