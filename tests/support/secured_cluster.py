"""A Kafka broker of a test's own that asks who one is: a listener for each way in and each thing that is wrong.

Its authorizer denies whatever no ACL allows and writes each denial down. `alice`, `bob`, `carol` and `dora` may do what
the tests allow, under one prefix; INTERNAL, in plain text, is the administrator's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from factorylab.cluster.driver import quiet
from factorylab.cluster.local import java, ports
from factorylab.cluster.local.kafka_config import CONFIG, LOGGING, properties, write_node, write_properties
from factorylab.cluster.places import BrokerPlace
from factorylab.cluster.settings import Settings
from factorylab.core.waiting import wait_until
from tests.support.certificates import Issued, authority, issued

NUMBER = 4  # no cluster but the lab's own counts its brokers from 1
PREFIX = "factorylab-"
PASSWORDS = {"alice": "Wonder-lamp-71", "bob": "Bridge-coal-52", "carol": "Carpet-moon-38"}
LOGINS = "org.apache.kafka.common.security"
LISTENERS = ("INTERNAL", "SECURE", "CLEAR", "MUTUAL", "EXPIRED", "RENAMED", "HALF")
PROTOCOLS = {"INTERNAL": "PLAINTEXT", "SECURE": "SASL_SSL", "CLEAR": "SASL_PLAINTEXT"}  # of the others SSL
ALLOWED = {
    ResourceType.TOPIC: ("CREATE", "DESCRIBE", "DELETE", "READ", "WRITE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS"),
    ResourceType.GROUP: ("READ", "DESCRIBE", "DELETE"),
}
LOG = """
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = info
"""


@dataclass(frozen=True)
class SecuredCluster:
    """A running broker. `ports` has those of its listeners by name; `dead_port` is advertised and nobody's."""

    folder: Path
    ports: dict[str, int]
    dead_port: int
    authority: Issued
    alice: Issued
    log: Path = field(repr=False)

    def bootstrap(self, listener: str) -> str:
        return f"localhost:{self.ports[listener]}"

    @cached_property
    def admin(self) -> AdminClient:
        """The administrator, who may do anything."""
        return AdminClient({"bootstrap.servers": self.bootstrap("INTERNAL"), "log_level": 0})

    def denials(self) -> list[str]:
        """What the authorizer denied so far."""
        return [
            line for line in self.log.read_text().splitlines() if "kafka.authorizer.logger" in line and "Denied" in line
        ]

    def properties(self, listener: str, **lines: str) -> Path:
        """A client's file for a listener: `_` of the names are dots; it trusts this cluster's authority."""
        trust = {"ssl_ca_location": str(self.folder / "ca.pem")}
        given = {"bootstrap_servers": self.bootstrap(listener), "security_protocol": PROTOCOLS.get(listener, "SSL")}
        given |= (trust if "SSL" in given["security_protocol"] else {}) | lines
        path = self.folder / f"client-{len(list(self.folder.glob('client-*')))}.properties"
        path.write_text("".join(f"{key.replace('_', '.')}={value}\n" for key, value in given.items() if value))
        return path

    def password(self, user: str, mechanism: str = "PLAIN", listener: str = "SECURE", **lines: str) -> Path:
        """A file with a user and password."""
        login = {"sasl_mechanism": mechanism, "sasl_username": user, "sasl_password": PASSWORDS[user]}
        return self.properties(listener, **(login | lines))

    def allow(self, user: str, kind: ResourceType, name: str, *operations: str) -> None:
        """Allow a user operations on all names that begin so."""
        bindings = [
            AclBinding(kind, name, ResourcePatternType.PREFIXED if kind != ResourceType.BROKER else
                       ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation[one], AclPermissionType.ALLOW)
            for one in operations
        ]  # fmt: skip
        for done in self.admin.create_acls(bindings).values():
            done.result(20)


@contextmanager
def secured_cluster(folder: Path, settings: Settings) -> Iterator[SecuredCluster]:
    """The cluster while the block lasts; alice and bob may work under PREFIX, and nobody else may do anything."""
    folder.mkdir(parents=True, exist_ok=True)
    first, *rest = range(ports.free_block(ports.FIRST + 4000, "127.0.0.1", len(LISTENERS) + 2)[0], 32_000)
    place = BrokerPlace(NUMBER, "localhost", rest[len(LISTENERS)], first)
    numbers = dict(zip(LISTENERS, rest, strict=False))
    ca = authority()
    made = SecuredCluster(folder, numbers, rest[len(LISTENERS)], ca, issued(ca, "alice"), folder / "broker.log")
    kit, node = java.ensure(settings.java, settings.cache, quiet), folder / "node"
    write_node(node, place, [place], kit.checkpoint)
    write_properties(node / CONFIG, properties(place, [place]) | _secured(made, place))
    with (node / LOGGING).open("a") as logging:
        logging.write(LOG)
    (folder / "ca.pem").write_text(ca.pem)
    (folder / "alice.pem").write_text(made.alice.pem)
    (folder / "alice.key").write_text(made.alice.key_pem())
    with made.log.open("wb") as output:
        broker = subprocess.Popen(kit.command(), cwd=node, env=java.ENVIRONMENT, stdout=output, stderr=output)
    try:
        wait_until(lambda: broker.poll() is not None or java.STARTED in made.log.read_text(), what="the broker",
                   timeout_s=60)  # fmt: skip
        assert broker.poll() is None, made.log.read_text()[-3000:]
        _users(made)
        yield made
    finally:
        broker.kill()
        broker.wait()


def _secured(made: SecuredCluster, place: BrokerPlace) -> dict[str, str]:
    """The broker's settings that are about listeners and who may do what."""
    listeners = [f"{name}://127.0.0.1:{port}" for name, port in made.ports.items()]
    advertised = {name: made.dead_port if name == "HALF" else port for name, port in made.ports.items()}
    protocols = {name: PROTOCOLS.get(name, "SSL") for name in LISTENERS} | {"CONTROLLER": "PLAINTEXT"}
    found = {
        "listeners": ",".join([*listeners, f"CONTROLLER://{place.quorum}"]),
        "advertised.listeners": ",".join(f"{name}://localhost:{port}" for name, port in advertised.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{its}" for name, its in protocols.items()),
        "inter.broker.listener.name": "INTERNAL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.clear.sasl.enabled.mechanisms": "PLAIN",
    }
    users = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    for name in ("secure", "clear"):
        found[f"listener.name.{name}.plain.sasl.jaas.config"] = f"{LOGINS}.plain.PlainLoginModule required {users};"
    for mechanism in ("scram-sha-256", "scram-sha-512"):
        jaas = f"{LOGINS}.scram.ScramLoginModule required;"
        found[f"listener.name.secure.{mechanism}.sasl.jaas.config"] = jaas
    jaas = f'{LOGINS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    found["listener.name.secure.oauthbearer.sasl.jaas.config"] = jaas
    own = issued(made.authority, "broker", "localhost", "127.0.0.1")
    wrong = {
        "expired": issued(made.authority, "broker", "localhost", lasts=timedelta(hours=-1)),
        "renamed": issued(made.authority, "broker", "kafka.example"),
    }
    for name in LISTENERS:
        its = wrong.get(name.lower(), own)
        if protocols[name].endswith("SSL"):
            found |= {
                f"listener.name.{name.lower()}.ssl.keystore.type": "PEM",
                f"listener.name.{name.lower()}.ssl.keystore.key": its.key_pem(),
                f"listener.name.{name.lower()}.ssl.keystore.certificate.chain": its.pem,
                f"listener.name.{name.lower()}.ssl.truststore.type": "PEM",
                f"listener.name.{name.lower()}.ssl.truststore.certificates": made.authority.pem,
            }
    return found


def _users(made: SecuredCluster) -> None:
    """Alice's SCRAM passwords, and what alice and bob may do."""
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):  # one a request, says the broker
        how = ScramCredentialInfo(mechanism, 4096)
        wanted = UserScramCredentialUpsertion("alice", how, PASSWORDS["alice"].encode())
        for done in made.admin.alter_user_scram_credentials([wanted]).values():
            done.result(20)
    for user in ("alice", "bob"):
        for kind, operations in ALLOWED.items():
            made.allow(user, kind, PREFIX, *operations)
