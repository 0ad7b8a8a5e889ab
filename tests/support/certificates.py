"""Certificates of an authority of a test's own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def key_pem(self, password: str = "") -> str:
        closing = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closing).decode()

    def store(self, password: str, authority: Issued) -> bytes:
        """PKCS12 with the key and both certificates."""
        closing = BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(
            b"own", self.key, self.certificate, [authority.certificate], closing
        )

    def trust_store(self, password: str) -> bytes:
        """PKCS12 with the certificate alone, as Java's keytool makes a trust store."""
        entry = pkcs12.PKCS12Certificate(self.certificate, b"ca")
        return pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(password.encode()))


def authority(name: str = "ca") -> Issued:
    """A new authority, which signs itself."""
    return _made(name, None, (), 3 * DAY)


def issued(by: Issued, name: str, *addresses: str, lasts: timedelta = DAY) -> Issued:
    """A certificate of `name` for these host names or IP addresses; of a `lasts` below zero it has ended."""
    return _made(name, by, addresses, lasts)


def _made(name: str, by: Issued | None, addresses: tuple[str, ...], lasts: timedelta) -> Issued:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if by:
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(signer, critical=False)
    if addresses:
        names = x509.SubjectAlternativeName([_general(one) for one in addresses])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


def _general(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
