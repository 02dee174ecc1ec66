"""What a certificate says, for people and for thresholds."""

import ssl
from datetime import datetime
from typing import Any

from cryptography import x509

from app.core import clock
from probes.verdicts import one_line

_MAX_NAMES = 20
_MAX_CHAIN = 5


def certificate_facts(tls: ssl.SSLObject) -> dict[str, Any]:
    """Facts of the handshake and of the chain that the server sent; empty values where they can't be read."""
    chain = [parsed for der in chain_of(tls) if (parsed := _parse(der))]
    cipher = tls.cipher()
    facts: dict[str, Any] = {"tls_version": tls.version() or "", "tls_cipher": cipher[0] if cipher else ""}
    if not chain:
        return facts
    leaf = chain[0]
    return facts | {
        "certificate_subject": _shown(leaf.subject),
        "certificate_issuer": _shown(leaf.issuer),
        "certificate_expires": leaf.not_valid_after_utc.isoformat(),
        "certificate_days": days_left(leaf.not_valid_after_utc),
        "certificate_names": _names(leaf),
        "certificate_chain": [
            f"{_shown(link.subject)}, {days_left(link.not_valid_after_utc)} days" for link in chain[:_MAX_CHAIN]
        ],
        "certificate_chain_days": min(days_left(link.not_valid_after_utc) for link in chain),
    }


def chain_of(tls: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server sent, its own first, in DER."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        sent: list[bytes] = tls.get_unverified_chain()
        return sent
    # Before, the standard library kept the same function to itself.
    inner = getattr(tls, "_sslobj", None)
    if inner is None or not hasattr(inner, "get_unverified_chain"):
        own = tls.getpeercert(binary_form=True)
        return [own] if own else []
    return [ssl.PEM_cert_to_DER_cert(link.public_bytes()) for link in inner.get_unverified_chain() or ()]


def days_left(end: datetime) -> int:
    return (end - clock.now()).days


def _parse(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _shown(name: x509.Name) -> str:
    return one_line(", ".join(f"{part.rfc4514_attribute_name} = {part.value!s}" for part in name))


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    listed = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return [one_line(text, 100) for text in listed[:_MAX_NAMES]]
