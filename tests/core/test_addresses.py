"""Which addresses may be connected to (S31 to S33)."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.addresses import probe_policy, public_only_policy, unwrap

_METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"]
_WRAPPED_METADATA = ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        *((text, "metadata") for text in _METADATA + _WRAPPED_METADATA),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("::ffff:169.254.1.1", "link-local"),
        ("64:ff9b:1:a9fe:1:100::", "link-local"),
        ("2001:0:0:0:0:0:5601:5601", "metadata"),  # Teredo: the client's address, inverted
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.0.0.1", None),
        ("192.168.1.1", None),
        ("fd12::1", None),
        ("93.184.216.34", None),
        ("2606:2800:220:1::1", None),
    ],
)
def test_checks_reach_private_networks_and_no_metadata(text: str, rule: str | None) -> None:
    assert probe_policy()(ip_address(text), 80) == rule


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12::1", "100.64.0.1", "192.0.0.8",
        "198.18.0.1", "203.0.113.1", "2001:db8::1", "240.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
        "fec0::1", "3fff::1",
    ],
)  # fmt: skip
def test_messages_go_to_public_addresses_only(text: str) -> None:
    assert public_only_policy()(ip_address(text), 443) == "not-public"


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_messages_go_to_public_addresses(text: str) -> None:
    assert public_only_policy()(ip_address(text), 443) is None


def test_listed_networks_are_reached_but_never_metadata() -> None:
    policy = public_only_policy([ip_network("10.0.0.0/8"), ip_network("169.254.0.0/16"), ip_network("::/0")])
    assert policy(ip_address("10.1.2.3"), 443) is None
    assert policy(ip_address("::ffff:10.1.2.3"), 443) is None
    assert policy(ip_address("192.168.1.1"), 443) == "not-public"
    for text in _METADATA + _WRAPPED_METADATA:
        assert policy(ip_address(text), 443) == "metadata"


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::", "::1"])
@pytest.mark.parametrize("reached", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_port_of_ours_is_refused_on_every_loopback_address(bound: str, reached: str) -> None:
    policy = probe_policy([(ip_address(bound), 5432)])
    assert policy(ip_address(reached), 5432) == "own-port"
    assert policy(ip_address(reached), 8080) is None


def test_a_port_of_ours_on_another_address_is_refused_there_only() -> None:
    policy = probe_policy([(ip_address("10.0.0.5"), 6379)])
    assert policy(ip_address("10.0.0.5"), 6379) == "own-port"
    assert policy(ip_address("::ffff:10.0.0.5"), 6379) == "own-port"
    assert policy(ip_address("10.0.0.6"), 6379) is None
    assert policy(ip_address("127.0.0.1"), 6379) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_found_in_each_of_its_wrappings(address: object) -> None:
    inner = ip_address(str(address))
    high, low = int(inner) >> 16, int(inner) & 0xFFFF
    wrapped = [
        f"::ffff:{inner}",
        f"64:ff9b::{high:x}:{low:x}",
        f"2002:{high:x}:{low:x}::",
        f"64:ff9b:1:{high:x}:{low >> 8:x}:{(low & 0xFF) << 8:x}::",
        f"2001:0:4136:e378:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
    ]
    assert [str(unwrap(ip_address(text))) for text in wrapped] == [str(inner)] * len(wrapped)


@given(st.ip_addresses())
def test_the_policies_judge_any_address(address: object) -> None:
    any_address = ip_address(str(address))
    if probe_policy()(any_address, 80):
        assert public_only_policy()(any_address, 80)
