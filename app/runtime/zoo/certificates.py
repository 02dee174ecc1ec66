"""A small certificate authority for the zoo's hosts: valid, expired, self-signed and wrongly named."""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import clock
from app.runtime.zoo.cast import Tls

_LIFE_DAYS = 90
_EXPIRED_DAYS_AGO = 3


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Authority:
    """Issues certificates into `folder`; `ca_file` is the one to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = _sign("Zoo authority", names=None, issuer=None, end_days=_LIFE_DAYS)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._root.certificate))

    def context(self, tls: Tls) -> ssl.SSLContext:
        """A server's TLS context with a certificate of the given sort."""
        end_days = -_EXPIRED_DAYS_AGO if tls is Tls.EXPIRED else _LIFE_DAYS
        names = ["elsewhere.example"] if tls is Tls.WRONG_NAME else ["localhost", "127.0.0.1", "::1"]
        issuer = None if tls is Tls.SELF_SIGNED else self._root
        pair = _sign("Zoo host", names=names, issuer=issuer, end_days=end_days)
        path = self._folder / f"{tls.value}.pem"
        path.touch(mode=0o600)
        path.write_bytes(_key_pem(pair.key) + _pem(pair.certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _sign(title: str, names: list[str] | None, issuer: _Pair | None, end_days: int) -> _Pair:
    """A certificate for `names`, or of an authority when None; signed by itself without an `issuer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    end = clock.now() + timedelta(days=end_days, hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=2 * _LIFE_DAYS))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return _Pair(signed, key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
