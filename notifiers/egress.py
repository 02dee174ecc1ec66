"""The one HTTP client that messages leave by: it reaches public addresses over TLS, and what the operator listed.

A name is resolved once, every address it has is judged, and the connection goes to a judged address; so a name that
changes its mind between the check and the connection gains nothing. The list (PULSEBOARD_NOTIFY_ALLOW) holds hosts,
host:port pairs, addresses and networks, parted by commas or spaces; what it names may also be plain http.
"""

import asyncio
import logging
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address, ip_network

import httpx

from app.core.addresses import IPAddress, IPNetwork, public_only_policy, unwrap
from app.core.errors import PermanentNotifyError, StartError

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# A kept connection was verified for one name, and may be gone by the next message; messages are rare.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=0)
_ENTRY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\s:/\[\]]+)(?::(?P<port>\d{1,5}))?")
_EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_public = public_only_policy()
# Metadata services, link-local, multicast and unspecified addresses stay refused even when listed.
_listed = public_only_policy(_EVERYWHERE)


@dataclass(frozen=True, slots=True)
class AllowList:
    """`hosts` are names or addresses with a port, None for every port."""

    hosts: frozenset[tuple[str, int | None]]
    networks: tuple[IPNetwork, ...]

    @classmethod
    def parse(cls, text: str) -> "AllowList":
        """Raises StartError for an entry that is none."""
        hosts: set[tuple[str, int | None]] = set()
        networks: list[IPNetwork] = []
        for entry in text.lower().replace(",", " ").split():
            if network := _network(entry):
                networks.append(network)
            elif (match := _ENTRY.fullmatch(entry)) and int(match["port"] or 0) < 65536:
                hosts.add((match["host"].strip("[]"), int(match["port"]) if match["port"] else None))
            else:
                raise StartError(
                    f"PULSEBOARD_NOTIFY_ALLOW: {entry} is neither a host, a host:port nor a network such as 10.0.0.0/8."
                )
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str, address: IPAddress, port: int) -> bool:
        listed = {(name, number) for name in (host, str(address)) for number in (port, None)}
        return not self.hosts.isdisjoint(listed) or any(address in network for network in self.networks)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Raises PermanentNotifyError, with the rule's name, for an address that messages may not reach.

    `tls` None trusts the public certificate authorities.
    """

    def __init__(self, allow: AllowList, tls: ssl.SSLContext | None = None) -> None:
        self._allow = allow
        self._inner = httpx.AsyncHTTPTransport(verify=tls or True, trust_env=False, limits=_LIMITS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        host = request.url.raw_host.decode("ascii")
        *others, last = await self._judged(request.url.scheme, host, port)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._inner.handle_async_request(_pinned(request, host, address))
        return await self._inner.handle_async_request(_pinned(request, host, last))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _judged(self, scheme: str, host: str, port: int) -> list[IPAddress]:
        addresses = await _resolve(host, port)
        for address in addresses:
            if rule := self._refuses(scheme, host, address, port):
                raise PermanentNotifyError(
                    f"Messages may not be sent to this address (rule {rule}). "
                    "If it is meant, an operator can list its host in PULSEBOARD_NOTIFY_ALLOW."
                )
        return addresses

    def _refuses(self, scheme: str, host: str, address: IPAddress, port: int) -> str | None:
        if self._allow.names(host, unwrap(address), port):
            return _listed(address, port)
        return _public(address, port) or ("plain-http" if scheme != "https" else None)


def build_client(allow: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client for `Notifier.send`; `allow` is PULSEBOARD_NOTIFY_ALLOW. Close it when done.

    It heeds no proxy variables, follows no redirects and keeps no cookies. `transport` replaces the network.
    """
    # At INFO httpx logs whole addresses, and the address of a webhook is its secret.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        transport=transport or GuardedTransport(AllowList.parse(allow)),
        timeout=_TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        headers={"User-Agent": "Pulseboard"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


async def _resolve(host: str, port: int) -> list[IPAddress]:
    trouble: Exception
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))
    except (OSError, UnicodeError) as error:
        trouble = error
    raise httpx.ConnectError(f"The name can't be resolved ({type(trouble).__name__}).")


def _pinned(request: httpx.Request, host: str, address: IPAddress) -> httpx.Request:
    """The same request to a fixed address; the Host header and the name that TLS verifies stay."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _network(entry: str) -> IPNetwork | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None
