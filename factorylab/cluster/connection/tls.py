"""Whom a client trusts and what it shows of itself: the `ssl.*` settings of both clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509

from factorylab.cluster.connection import stores
from factorylab.cluster.connection.given import Given
from factorylab.cluster.connection.stores import DER, Identity
from factorylab.core.files import write_secret

FALSE = {"false", "f", "0"}


@dataclass(frozen=True)
class Tls:
    """`ca`: certificates of whom it trusts, as PEM; empty for those of this machine. `identity`: None where it shows no
    certificate. `names` and `verified`: does the certificate have to fit the broker's host name, or anything?"""

    ca: str = ""
    identity: Identity | None = None
    names: bool = True
    verified: bool = True

    def settings(self) -> dict[str, str]:
        """As librdkafka takes them."""
        found = {"ssl.endpoint.identification.algorithm": "https" if self.names else "none"}
        if not self.verified:
            found["enable.ssl.certificate.verification"] = "false"
        if self.ca:
            found["ssl.ca.pem"] = self.ca
        if self.identity:
            found["ssl.certificate.pem"] = self.identity.certificate
            found["ssl.key.pem"] = self.identity.key.get_secret_value()
        return found

    def context(self) -> ssl.SSLContext:
        """As Python's own TLS takes them. A key passes through a file of this user's alone, which is gone at once."""
        context = ssl.create_default_context(cadata=self.ca or None)
        context.check_hostname = self.names and self.verified
        if not self.verified:
            context.verify_mode = ssl.CERT_NONE
        if self.identity:
            with TemporaryDirectory() as folder:
                file = Path(folder) / "identity.pem"
                write_secret(file, self.identity.certificate + self.identity.key.get_secret_value())
                context.load_cert_chain(file)
        return context

    def expires(self) -> datetime | None:
        """When its own certificate ends (UTC)."""
        own = self._own()
        return own.not_valid_after_utc if own else None

    def subject(self) -> str:
        """Whom its own certificate names, as brokers write it by default (RFC 2253); empty without one."""
        own = self._own()
        return own.subject.rfc4514_string() if own else ""

    def _own(self) -> x509.Certificate | None:
        return x509.load_pem_x509_certificate(self.identity.certificate.encode()) if self.identity else None


def read_tls(given: Given) -> Tls:
    """What a file says of TLS.

    Raises:
        UsageError: a store or a text cannot be used; the message names its setting.
    """
    algorithm = given.text("ssl.endpoint.identification.algorithm", "https").lower()
    if algorithm not in {"https", "none", ""}:
        raise given.wrong("ssl.endpoint.identification.algorithm", "must be https, or empty (librdkafka: none)")
    verified = given.text("enable.ssl.certificate.verification", "true").lower() not in FALSE
    return Tls(_ca(given), _identity(given), names=algorithm == "https", verified=verified)


def _ca(given: Given) -> str:
    name = _one_of(given, "ssl.truststore.location", "ssl.truststore.certificates", "ssl.ca.location", "ssl.ca.pem")
    try:
        if name in {"ssl.truststore.certificates", "ssl.ca.pem"}:
            return stores.certificates(given.text(name))
        if name:
            file = given.file(name)
            return stores.trusted(file.read_bytes(), given.secret("ssl.truststore.password"), str(file))
    except ValueError as error:
        raise given.wrong(name, str(error)) from None
    return ""


def _identity(given: Given) -> Identity | None:
    name = _one_of(given, "ssl.keystore.location", "ssl.keystore.key", "ssl.key.location", "ssl.key.pem")
    try:
        if name == "ssl.keystore.location":
            return _of_store(given, given.file(name))
        if name:
            return stores.identity(_certificate(given), _text(given, name), given.secret("ssl.key.password"))
    except ValueError as error:
        raise given.wrong(name, str(error)) from None
    if chain := _one_of(given, *CHAINS):
        raise given.wrong(chain, "needs its private key: ssl.key.location, ssl.key.pem or ssl.keystore.key")
    return None


CHAINS = "ssl.keystore.certificate.chain", "ssl.certificate.location", "ssl.certificate.pem"


def _certificate(given: Given) -> str:
    name = _one_of(given, *CHAINS)
    if not name:
        raise ValueError(f"needs its certificate: one of {', '.join(CHAINS)}")
    return _text(given, name)


def _of_store(given: Given, file: Path) -> Identity:
    data = file.read_bytes()
    if data.startswith(DER):
        return stores.identity_of_store(data, given.secret("ssl.keystore.password"), str(file))
    stores.refuse_jks(data, str(file))
    text = data.decode(errors="replace")
    return stores.identity(text, text, given.secret("ssl.key.password"))


def _text(given: Given, name: str) -> str:
    """What a setting holds, or the file that it names."""
    if not name.endswith(".location"):
        return given.text(name)
    data = given.file(name).read_bytes()
    stores.refuse_jks(data, given.text(name))
    return data.decode(errors="replace")


def _one_of(given: Given, *names: str) -> str:
    """The one of these settings that is given; empty where none is."""
    there = [name for name in names if given.text(name)]
    if len(there) > 1:
        raise given.wrong(there[1], f"says the same as {there[0]}: leave one out")
    return there[0] if there else ""
