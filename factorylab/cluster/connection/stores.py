"""Certificates and keys as files and texts hold them, turned into PEM texts that every client takes.

What a file holds is told by its first bytes and not by its name or declared type: Java reads PKCS12 where JKS is
declared, and JKS is its default.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates, load_pkcs12
from pydantic import SecretStr

from factorylab.core import secret

JKS, JCEKS, DER = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce", b"\x30"
_BLOCK = re.compile(r"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----\s+(?P<body>[A-Za-z0-9+/=\s]+?)\s*-----END (?P=kind)-----")
LINE = 64


@dataclass(frozen=True)
class Identity:
    """A certificate, with those that sign it, and its key without a password, as PEM."""

    certificate: str
    key: SecretStr


def refuse_jks(data: bytes, path: str) -> None:
    """Raises ValueError with the command that converts Java's own format."""
    if data.startswith((JKS, JCEKS)):
        kind = "JKS" if data.startswith(JKS) else "JCEKS"
        new = path.rpartition(".")[0] or path
        raise ValueError(
            f"is a {kind} store, which only Java reads. Convert it, and name the new file:\n  keytool -importkeystore "
            f"-srckeystore {path} -srcstoretype {kind} -destkeystore {new}.p12 -deststoretype PKCS12"
        )


def trusted(data: bytes, password: str, path: str) -> str:
    """The certificates of a trust store (PEM or PKCS12), as PEM.

    Raises:
        ValueError: after the name of the setting.
    """
    refuse_jks(data, path)
    if not data.startswith(DER):
        return certificates(data.decode(errors="replace"))
    found = _opened(data, password)
    all_of_it = [one.certificate for one in (found.cert, *found.additional_certs) if one]
    if not all_of_it:
        raise ValueError("holds no certificate")
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in all_of_it)


def certificates(text: str) -> str:
    """The certificates of a PEM text, also of one that was written on one line.

    Raises:
        ValueError: there are none, or one cannot be read.
    """
    blocks = "".join(block for kind, block in _blocks(text) if kind.endswith("CERTIFICATE"))
    if not blocks:
        raise ValueError("holds no certificate in PEM ('-----BEGIN CERTIFICATE-----')")
    try:
        x509.load_pem_x509_certificates(blocks.encode())
    except ValueError:
        raise ValueError("holds a certificate that cannot be read") from None
    return blocks


def identity(certificate: str, key: str, password: str) -> Identity:
    """A certificate and its key from PEM texts; `password` opens the key, if it is closed.

    Raises:
        ValueError: one of them cannot be read, or they do not belong together.
    """
    chain = certificates(certificate)
    block = next((block for kind, block in _blocks(key) if kind.endswith("PRIVATE KEY")), key)
    if "PRIVATE KEY" not in block:
        raise ValueError("holds no private key in PEM ('-----BEGIN PRIVATE KEY-----')")
    closed = "ENCRYPTED" in block
    if closed and not password:
        raise ValueError("is a key with a password: give ssl.key.password")
    try:
        opened = load_pem_private_key(block.encode(), password.encode() if closed else None)
    except (ValueError, TypeError):
        raise ValueError(
            "is a key that cannot be read" + (", or ssl.key.password is wrong" if closed else "")
        ) from None
    return _matched(chain, opened)


def identity_of_store(data: bytes, password: str, path: str) -> Identity:
    """The certificate and key of a PKCS12 store.

    Raises:
        ValueError: after the name of the setting.
    """
    refuse_jks(data, path)
    found = _opened(data, password)
    if found.key is None or found.cert is None:
        raise ValueError("holds no private key with its certificate: is it a trust store?")
    chain = [found.cert.certificate, *(one.certificate for one in found.additional_certs)]
    return _matched("".join(one.public_bytes(Encoding.PEM).decode() for one in chain), found.key)


def _opened(data: bytes, password: str) -> PKCS12KeyAndCertificates:
    try:
        return load_pkcs12(data, password.encode() or None)
    except ValueError:
        why = "its password does not open" if password else "no password was given for"
        raise ValueError(f"is a PKCS12 store that {why}") from None


def _matched(chain: str, key: PrivateKeyTypes) -> Identity:
    first = x509.load_pem_x509_certificate(chain.encode())
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if first.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise ValueError("is the key of another certificate")
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secret.remember({"ssl.key.pem": text})
    return Identity(chain, SecretStr(text))


def _blocks(text: str) -> list[tuple[str, str]]:
    """Kind and text of each PEM block, in lines as every reader takes them."""
    return [(one["kind"], _in_lines(one["kind"], re.sub(r"\s", "", one["body"]))) for one in _BLOCK.finditer(text)]


def _in_lines(kind: str, body: str) -> str:
    return "\n".join([f"-----BEGIN {kind}-----", *textwrap.wrap(body, LINE), f"-----END {kind}-----", ""])
