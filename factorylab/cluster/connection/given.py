"""The keys of a client's `.properties` file that say how it connects, Java's and librdkafka's by one name.

Both clients' keys may stand side by side: of none the meaning depends on whose it is. What says something else of a
client (batches, groups, serializers) is left out by name; what no client knows is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.sources import Property, entries_of
from factorylab.factory.client_definitions import librdkafka
from factorylab.scenarios.client_settings import SPELLINGS
from factorylab.scenarios.configuration import spring_boot
from factorylab.scenarios.configuration.entries import entry_of
from factorylab.scenarios.configuration.key_names import nearest, shown
from factorylab.scenarios.configuration.keys import Client, Definitions, kafka
from factorylab.scenarios.configuration.whose_file import OF_A_BROKER, refuse_framework
from factorylab.scenarios.references import resolved

OF_CONNECTING = re.compile(r"bootstrap\.servers|security\.protocol|(sasl|ssl|https|enable\.(ssl|sasl))\..*")
UNDERSTOOD = frozenset({
    "bootstrap.servers", "security.protocol", "sasl.mechanisms", "sasl.jaas.config", "sasl.username", "sasl.password",
    "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope", "sasl.oauthbearer.extensions", "sasl.oauthbearer.method", "sasl.oauthbearer.config",
    "sasl.oauthbearer.grant.type", "enable.sasl.oauthbearer.unsecure.jwt", "https.ca.location", "https.ca.pem",
    "ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.type", "ssl.truststore.certificates",
    "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.type", "ssl.keystore.certificate.chain",
    "ssl.keystore.key", "ssl.key.password", "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location",
    "ssl.certificate.pem", "ssl.key.location", "ssl.key.pem", "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
})  # fmt: skip
"""What is carried over, by the names of `client_settings.SPELLINGS`."""
USUAL = {"sasl.mechanisms": "sasl.mechanism"}
"""How a setting is called mostly, where its one name is seldom written."""
NEGOTIATED = re.compile(
    r"ssl\.(protocol|enabled\.protocols|cipher\.suites|curves\.list|sigalgs\.list|provider|providers|"
    r"secure\.random\.implementation|keymanager\.algorithm|trustmanager\.algorithm)|security\.providers|"
    r"sasl\.login\.(connect|read|refresh|retry)\..*|sasl\.kerberos\..*|sasl\.login\.class|"
    r"sasl\.oauthbearer\.(clock|expected|jwks|scope\.claim|sub\.claim|jwt|header)\..*|"
    r"sasl\.login\.callback\.handler\.class"
)
"""What fine-tunes Java's own way, and client and broker settle without it."""
CODE = "is code of your program, which cannot run here"
REFUSED: Mapping[str, str] = {
    r"ssl\.engine\..*|sasl\.client\.callback\.handler\.class|.*_cb": CODE,
    r"ssl\.crl\.location": "asks for a list of revoked certificates, which is not offered",
    r"sasl\.oauthbearer\.(assertion|metadata)\..*": "is another way to a token: offered are client credentials "
    "(sasl.oauthbearer.token.endpoint.url=https://…) and a token in a file (…=file:///…)",
}
"""What would change how one logs in, and is not offered."""


@dataclass(frozen=True)
class Given:
    """What a file says of connecting, by one name for each setting: the values, and the keys as they stand there. Which
    of its keys say nothing of it are `left_out`."""

    path: Path
    values: dict[str, str] = field(repr=False)
    keys: dict[str, Property] = field(repr=False)
    left_out: tuple[str, ...]

    def text(self, name: str, default: str = "") -> str:
        """A value without the blanks around it."""
        return self.values.get(name, default).strip()

    def secret(self, name: str) -> str:
        """A value as it stands: a blank at its end is a part of it, as to the clients."""
        return self.values.get(name, "")

    def wrong(self, name: str, rule: str) -> UsageError:
        """The error of a value, which names where it stands and not the value: it may be a secret."""
        its = self.keys.get(name)
        where, called = (f", line {its.line}", its.key) if its else ("", USUAL.get(name, name))
        return UsageError(f"{self.path}{where}: {called} {rule}")

    def file(self, name: str) -> Path:
        """The file that a setting names, which may be relative to the folder of the properties."""
        named = Path(self.text(name).removeprefix("file://")).expanduser()
        found = named if named.is_absolute() or named.is_file() else self.path.absolute().parent / named
        if not found.is_file():
            raise self.wrong(name, f"names {str(named)!r}, and there is no such file")
        return found


def read_given(path: Path) -> Given:
    """Read the file. All its secrets are hidden in texts from now on.

    Raises:
        UsageError: it cannot be read, or each line that no client understands or that is not offered.
    """
    try:
        properties, problems = entries_of(path.read_text(encoding="utf-8-sig"), path)
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    secret.remember({one.key: one.value for one in properties})
    _refuse_others(path, properties)
    problems += _refusals(path, properties)
    if problems:
        raise UsageError("\n".join(problems))
    ours = {SPELLINGS.get(one.key, one.key): one for one in properties}
    used = {name: one for name, one in ours.items() if name in UNDERSTOOD}
    values = resolved({name: one.value for name, one in used.items()}, str(path))
    left_out = tuple(one.key for name, one in ours.items() if name not in UNDERSTOOD)
    return Given(path, values, used, left_out)


def _refuse_others(path: Path, properties: list[Property]) -> None:
    """Raises UsageError where the file is no client's."""
    names = [one.key for one in properties]
    if spring_boot.is_one(properties):
        raise UsageError(f"{path} is Spring Boot's: copy what stands behind 'spring.kafka.properties.' to a file")
    if OF_A_BROKER & set(names):
        told = min(OF_A_BROKER & set(names))
        raise UsageError(f"{path} is a broker's file, by {told}: give one of a client, with bootstrap.servers")
    refuse_framework(path, names)


def _refusals(path: Path, properties: list[Property]) -> list[str]:
    known: dict[Client, Definitions] = {"java": kafka(), "librdkafka": librdkafka()}
    seen: dict[str, Property] = {}
    found = []
    for one in properties:
        name = SPELLINGS.get(one.key, one.key)
        former = seen.setdefault(name, one)
        if former.value != one.value and name in UNDERSTOOD:
            found.append(f"{path}, line {one.line}: {one.key} has another value on line {former.line}: leave one out")
        if why := _refusal(name, one, known):
            found.append(f"{path}, line {one.line}: {shown(one.key)} {why}")
    return found


def _refusal(name: str, one: Property, known: Mapping[Client, Definitions]) -> str:
    """Why a key cannot be carried over; empty where it can, or need not be."""
    if name in UNDERSTOOD:
        return ""
    if why := next((why for pattern, why in REFUSED.items() if re.fullmatch(pattern, name)), ""):
        return why
    entry = entry_of(one, "admin", known["java"], known)
    if entry.standing == "unknown":
        return nearest(one.key, {*UNDERSTOOD, *(name for its in known.values() for name in its.names)})
    if OF_CONNECTING.fullmatch(name) and not NEGOTIATED.fullmatch(name):
        return "is not offered here: leave it out"
    return ""
