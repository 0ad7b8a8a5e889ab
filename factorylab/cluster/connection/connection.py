"""A client's `.properties` file, understood as far as it says how to connect.

`read_connection(path)` reads and checks it, without connecting to anything; `client_settings()` are those of
librdkafka's clients (confluent-kafka). Secrets show in no text of these objects, and they cannot be pickled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from factorylab.cluster.connection import stores
from factorylab.cluster.connection.given import Given, read_given
from factorylab.cluster.connection.login import Login, read_login
from factorylab.cluster.connection.tls import Tls, read_tls
from factorylab.cluster.connection.tokens import Setting
from factorylab.core import secret
from factorylab.core.errors import UsageError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[\w.-]+):(?P<port>\d{1,5})")


class ClientSettings(dict[str, Setting]):
    """A client's settings as its constructor takes them. They hold secrets, which their own text does not show."""

    def __repr__(self) -> str:
        return repr(secret.masked({name: value if isinstance(value, str) else "…" for name, value in self.items()}))

    __str__ = __repr__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("settings with secrets are not pickled: read the file again")


@dataclass(frozen=True)
class Connection:
    """How to connect to a cluster. `tls` and `login` are None where the protocol has none.

    `left_out`: keys of the file that say nothing of connecting.
    """

    path: Path
    bootstrap: str
    protocol: str
    tls: Tls | None
    login: Login | None
    left_out: tuple[str, ...]

    def client_settings(self) -> ClientSettings:
        """Settings for confluent-kafka: who takes them adds its own (`client.id`, `group.id`, …)."""
        found = ClientSettings({"bootstrap.servers": self.bootstrap, "security.protocol": self.protocol})
        if self.tls:
            found.update(self.tls.settings())
        if self.login:
            found["sasl.mechanism"] = self.login.mechanism
            found.update(self.login.settings())
        return found

    def __str__(self) -> str:
        parts = [self.protocol, str(self.login or "")]
        parts.append("with a certificate of its own" if self.tls and self.tls.identity else "")
        return f"{self.bootstrap} ({', '.join(filter(None, parts))})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a connection holds secrets and is not pickled: read its file again")


def read_connection(path: Path) -> Connection:
    """Read a file with Java's names, librdkafka's or both. Nothing is connected to.

    Raises:
        UsageError: all that is wrong with a key, or the first value or store that cannot be used, with the way out. It
            shows no secret.
    """
    given = read_given(path)
    protocol = given.text("security.protocol", "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        raise given.wrong("security.protocol", f"must be one of {', '.join(PROTOCOLS)}")
    _check_protocol(given, protocol)
    tls = read_tls(given) if protocol.endswith("SSL") else None
    login = read_login(given, _https_ca(given)) if protocol.startswith("SASL") else None
    return Connection(path, _bootstrap(given), protocol, tls, login, given.left_out)


def _bootstrap(given: Given) -> str:
    text = given.text("bootstrap.servers")
    if not text:
        raise UsageError(f"{given.path}: bootstrap.servers is not there: name brokers as host:port,host:port")
    addresses = [one.strip() for one in text.split(",") if one.strip()]
    for one in addresses:
        fits = ADDRESS.fullmatch(one)
        if not fits or not 0 < int(fits["port"]) < 2**16:
            raise given.wrong("bootstrap.servers", f"must be host:port,host:port, and {one!r} is not one")
    return ",".join(addresses)


def _check_protocol(given: Given, protocol: str) -> None:
    """A file that says how to log in, and a protocol that does not ask: Java's clients would not say a word."""
    login = next((name for name in ("sasl.mechanisms", "sasl.jaas.config", "sasl.username") if given.text(name)), "")
    if login and not protocol.startswith("SASL"):
        said = "security.protocol" in given.values
        raise given.wrong(
            login,
            f"is there, and security.protocol={protocol}{'' if said else ' (the default)'} logs nobody in: set it to "
            f"{'SASL_SSL' if protocol == 'SSL' else 'SASL_SSL or SASL_PLAINTEXT'}, or leave the sasl settings out",
        )


def _https_ca(given: Given) -> str:
    name = next((name for name in ("https.ca.pem", "https.ca.location") if given.text(name)), "")
    try:
        text = given.file(name).read_text(errors="replace") if name == "https.ca.location" else given.text(name)
        return stores.certificates(text) if name else ""
    except ValueError as error:
        raise given.wrong(name, str(error)) from None
