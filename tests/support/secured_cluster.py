"""Two Kafka brokers of a test's own that ask who one is: a listener for each way in and each thing that is wrong.

Their authorizer denies whatever no ACL allows and writes each denial down. `alice` and `bob` may work under one
prefix, and `carol` nowhere; INTERNAL, in plain text, is the administrator's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
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

NUMBERS = (4, 7)  # no cluster but the lab's own need count its brokers from 1
PREFIX = "team-a-"
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
    """Running brokers. `ports` has those of the listeners of each by name; `dead_port` is advertised and nobody's."""

    folder: Path
    ports: dict[int, dict[str, int]]
    dead_port: int
    authority: Issued
    alice: Issued

    def bootstrap(self, listener: str) -> str:
        """Of the first broker alone: clients hear of the other."""
        return f"localhost:{self.ports[NUMBERS[0]][listener]}"

    def log(self, number: int) -> Path:
        return self.folder / f"broker-{number}.log"

    @cached_property
    def admin(self) -> AdminClient:
        """The administrator, who may do anything."""
        return AdminClient({"bootstrap.servers": self.bootstrap("INTERNAL"), "log_level": 0})

    def denials(self) -> list[str]:
        """What the authorizer denied so far."""
        lines = [line for number in NUMBERS for line in self.log(number).read_text().splitlines()]
        return [line for line in lines if "kafka.authorizer.logger" in line and "Denied" in line]

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
        prefixed, allowed = ResourcePatternType.PREFIXED, AclPermissionType.ALLOW
        bindings = [
            AclBinding(kind, name, prefixed, f"User:{user}", "*", AclOperation[one], allowed) for one in operations
        ]
        for done in self.admin.create_acls(bindings).values():
            done.result(20)


@contextmanager
def secured_cluster(folder: Path, settings: Settings) -> Iterator[SecuredCluster]:
    """The cluster while the block lasts; alice and bob may work under PREFIX, and nobody else may do anything."""
    folder.mkdir(parents=True, exist_ok=True)
    each = len(LISTENERS) + 1
    block = ports.free_block(ports.FIRST + 4000, "127.0.0.1", each * len(NUMBERS) + 1)
    own = {number: block[each * i : each * (i + 1)] for i, number in enumerate(NUMBERS)}
    listeners = {number: dict(zip(LISTENERS, own[number], strict=False)) for number in NUMBERS}
    places = [BrokerPlace(number, "localhost", block[-1], own[number][-1]) for number in NUMBERS]
    ca = authority()
    made = SecuredCluster(folder, listeners, block[-1], ca, issued(ca, "alice"))
    (folder / "ca.pem").write_text(ca.pem)
    (folder / "alice.pem").write_text(made.alice.pem)
    (folder / "alice.key").write_text(made.alice.key_pem())
    kit = java.ensure(settings.java, settings.cache, quiet)
    with ExitStack() as brokers:
        running = [_started(made, place, places, kit, brokers) for place in places]
        for number, broker in zip(NUMBERS, running, strict=True):
            wait_until(partial(_begun, made.log(number), broker), what=f"broker {number}", timeout_s=90)
        _users(made)
        yield made


def _begun(log: Path, broker: subprocess.Popen[bytes]) -> bool:
    assert broker.poll() is None, log.read_text()[-3000:]
    return java.STARTED in log.read_text()


def _started(
    made: SecuredCluster, place: BrokerPlace, places: list[BrokerPlace], kit: java.Kit, brokers: ExitStack
) -> subprocess.Popen[bytes]:
    node = made.folder / f"node-{place.number}"
    write_node(node, place, places, kit.kafka, kit.checkpoint)
    write_properties(node / CONFIG, properties(place, places) | _secured(made, place))
    with (node / LOGGING).open("a") as logging:
        logging.write(LOG)
    with made.log(place.number).open("wb") as output:
        broker = subprocess.Popen(kit.command(), cwd=node, env=java.ENVIRONMENT, stdout=output, stderr=output)
    brokers.callback(broker.wait)
    brokers.callback(broker.kill)
    return broker


def _secured(made: SecuredCluster, place: BrokerPlace) -> dict[str, str]:
    """The broker's settings that are about listeners and who may do what."""
    own = made.ports[place.number]
    listeners = [f"{name}://127.0.0.1:{port}" for name, port in own.items()]
    advertised = {name: made.dead_port if name == "HALF" else port for name, port in own.items()}
    protocols = {name: PROTOCOLS.get(name, "SSL") for name in LISTENERS}
    every = protocols | {"CONTROLLER": "PLAINTEXT"}
    found = {
        "listeners": ",".join([*listeners, f"CONTROLLER://{place.quorum}"]),
        "advertised.listeners": ",".join(f"{name}://localhost:{port}" for name, port in advertised.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{its}" for name, its in every.items()),
        "inter.broker.listener.name": "INTERNAL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
    }
    return found | _logins() | _certificates(made, protocols)


def _logins() -> dict[str, str]:
    """What SECURE and CLEAR ask for."""
    users = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    plain = f"{LOGINS}.plain.PlainLoginModule required {users};"
    scram = f"{LOGINS}.scram.ScramLoginModule required;"
    token = f'{LOGINS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.clear.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clear.plain.sasl.jaas.config": plain,
        "listener.name.secure.plain.sasl.jaas.config": plain,
        "listener.name.secure.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.secure.oauthbearer.sasl.jaas.config": token,
    }


def _certificates(made: SecuredCluster, protocols: dict[str, str]) -> dict[str, str]:
    """The certificate of each listener with TLS, and whom it trusts."""
    right = issued(made.authority, "broker", "localhost", "127.0.0.1")
    wrong = {
        "EXPIRED": issued(made.authority, "broker", "localhost", lasts=timedelta(hours=-1)),
        "RENAMED": issued(made.authority, "broker", "kafka.example"),
    }
    found = {}
    for name in (name for name, protocol in protocols.items() if protocol.endswith("SSL")):
        its, prefix = wrong.get(name, right), f"listener.name.{name.lower()}.ssl"
        found |= {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.key": its.key_pem(),
            f"{prefix}.keystore.certificate.chain": its.pem,
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.certificates": made.authority.pem,
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
