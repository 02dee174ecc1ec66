"""Which addresses we may connect to: rules over the connected IP, never over the text of a URL.

A policy takes an address and a port and returns None, or the name of the rule that refuses them:
"unspecified", "multicast", "metadata", "link-local", "own-port", "not-public".
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
AddressPolicy = Callable[[IPAddress, int], str | None]

_CACHED_DECISIONS = 4096
_METADATA = frozenset(
    ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_LINK_LOCAL: tuple[IPNetwork, ...] = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_V4_COMPATIBLE = IPv6Network("::/96")
# What `ipaddress` of Python 3.11 takes for global, and isn't.
_NOT_PUBLIC: tuple[IPNetwork, ...] = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "100.64.0.0/10", "198.18.0.0/15", "192.88.99.0/24", "fec0::/10", "3fff::/20")
)


def unwrap(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped, compatible, NAT64, 6to4 or Teredo address; others as they are."""
    if isinstance(address, IPv4Address):
        return address
    return _embedded(address) or address


def probe_policy(own_ports: Collection[tuple[IPAddress, int]] = ()) -> AddressPolicy:
    """For checks: loopback and private networks are allowed, metadata services and `own_ports` are not.

    An own port on a loopback or unspecified address is refused on every loopback address.
    """
    exact = frozenset((unwrap(address), port) for address, port in own_ports)
    loopback = frozenset(port for address, port in exact if address.is_loopback or address.is_unspecified)

    @lru_cache(maxsize=_CACHED_DECISIONS)
    def decide(address: IPAddress, port: int) -> str | None:
        inner = unwrap(address)
        if (inner, port) in exact or (inner.is_loopback and port in loopback):
            return "own-port"
        return _never(inner)

    return decide


def public_only_policy(allow: Collection[IPNetwork] = ()) -> AddressPolicy:
    """For messages to vendors: the public Internet, and the networks of `allow`."""

    @lru_cache(maxsize=_CACHED_DECISIONS)
    def decide(address: IPAddress, port: int) -> str | None:
        inner = unwrap(address)
        if rule := _never(inner):
            return rule
        public = inner.is_global and not _within(inner, _NOT_PUBLIC)
        return None if public or _within(inner, allow) else "not-public"

    return decide


def _never(address: IPAddress) -> str | None:
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in IPv4Network("0.0.0.0/8")):
        return "unspecified"
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        return "multicast"
    if address in _METADATA:
        return "metadata"
    return "link-local" if _within(address, _LINK_LOCAL) else None


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if inner := address.ipv4_mapped or address.sixtofour:
        return inner
    if address.teredo:
        return address.teredo[1]
    number = int(address)
    if address in _NAT64 or (address in _V4_COMPATIBLE and number > 1):
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _NAT64_LOCAL:  # RFC 6052: bits 48-63 and 72-87, around the reserved octet
        return IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    return None


def _within(address: IPAddress, networks: Collection[IPNetwork]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
