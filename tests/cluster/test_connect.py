"""What a secured cluster answers, by each way in, and when something is wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic, ResourceType

from factorylab.cluster.asking.answers import Answers
from factorylab.cluster.asking.ask import ask
from factorylab.cluster.connection.connection import read_connection
from factorylab.cluster.settings import load_settings
from tests.support.identity_provider import identity_provider, unsigned
from tests.support.secured_cluster import LOGINS, PASSWORDS, PREFIX, SecuredCluster, secured_cluster

OAUTH = f"{LOGINS}.oauthbearer.OAuthBearerLoginModule required"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredCluster]:
    """One for all tests of this file."""
    with secured_cluster(tmp_path_factory.mktemp("secured"), load_settings()) as cluster:
        yield cluster


def answers(file: Path, prefix: str = PREFIX) -> Answers:
    return ask(read_connection(file), prefix, lambda text: None)


def own_certificate(secured: SecuredCluster) -> Path:
    files = {"ssl_certificate_location": "alice.pem", "ssl_key_location": "alice.key"}
    return secured.properties("MUTUAL", **files)


def token_file(secured: SecuredCluster) -> Path:
    file = secured.folder / "token"
    file.write_text(unsigned(sub="alice", iat=int(time.time()), exp=int(time.time()) + 600))
    url = {"sasl_oauthbearer_token_endpoint_url": file.as_uri()}
    return secured.properties("SECURE", sasl_mechanism="OAUTHBEARER", **url)


WAYS_IN = {
    "PLAIN": lambda s: s.password("alice"),
    "PLAIN without TLS": lambda s: s.password("alice", listener="CLEAR"),
    "SCRAM-SHA-256": lambda s: s.password("alice", "SCRAM-SHA-256"),
    "SCRAM-SHA-512": lambda s: s.password("alice", "SCRAM-SHA-512"),
    "mutual TLS": own_certificate,
    "a token in a file": token_file,
    "a token that nobody signed": lambda s: s.properties(
        "SECURE", sasl_mechanism="OAUTHBEARER", sasl_jaas_config=f'{OAUTH} unsecuredLoginStringClaim_sub="alice";'
    ),
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_ways_in(secured: SecuredCluster, way: str) -> None:
    """By each mechanism both clients get in, and whoever has the least privileges lacks none; the only denial is of the
    optional one."""
    before = len(secured.denials())
    found = answers(WAYS_IN[way](secured))
    assert found.problems == [] and found.reached and found.metadata_version and found.cluster_id
    assert {one.held for one in found.privileges if not one.optional} == {True}
    denied = secured.denials()[before:]
    assert denied and all("operation = ALTER " in line and "Cluster:LITERAL" in line for line in denied)


def test_client_credentials(secured: SecuredCluster) -> None:
    """With a client's id and secret a token is had of the identity provider; with a wrong secret its answer is told."""
    jaas = f'{OAUTH} clientId="lab" clientSecret="{PASSWORDS["bob"]}";'
    with identity_provider("lab", PASSWORDS["bob"], "alice") as endpoint:
        lines = {"sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_token_endpoint_url": endpoint}
        assert answers(secured.properties("SECURE", sasl_jaas_config=jaas, **lines)).problems == []
        wrong = answers(secured.properties("SECURE", sasl_jaas_config=jaas.replace("Bridge", "Bride"), **lines))
    assert not wrong.reached and "HTTP 401 (invalid_client)" in wrong.problems[0]


WRONG = {
    "it refuses the login, PLAIN as alice": lambda s: s.password("alice", sasl_password="another-word"),
    "it refuses the login, SCRAM-SHA-256 as alice": lambda s: s.password(
        "alice", "SCRAM-SHA-256", sasl_password="another-word"
    ),
    "it does not offer SCRAM-SHA-512; it offers PLAIN": lambda s: s.password("alice", "SCRAM-SHA-512", "CLEAR"),
    "its certificate has expired, on 20": lambda s: s.properties("EXPIRED"),
    "its certificate is not for localhost. It is for kafka.example": lambda s: s.properties("RENAMED"),
    "it asks for a certificate of yours": lambda s: s.properties("MUTUAL"),
    "nobody whom you trust signed its certificate": lambda s: s.password("alice", ssl_ca_location=""),
    "does it ask for a login": lambda s: s.properties("SECURE", security_protocol="SSL"),
    "is it a listener with TLS?": lambda s: s.properties("SECURE", security_protocol="PLAINTEXT"),
    "it does not speak TLS": lambda s: s.properties("INTERNAL", security_protocol="SSL"),
    "the name nowhere.invalid is unknown": lambda s: s.properties("MUTUAL", bootstrap_servers="nowhere.invalid:9092"),
    "nobody listens there": lambda s: s.properties("MUTUAL", bootstrap_servers=f"localhost:{s.dead_port}"),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong(secured: SecuredCluster, said: str) -> None:
    """What is wrong with a way in is one sentence, which names no secret."""
    found = answers(WRONG[said](secured))
    assert not found.reached and len(found.problems) == 1
    assert said in found.problems[0] and "another-word" not in repr(found)


def test_half_reached(secured: SecuredCluster) -> None:
    """Where the bootstrap answers and the address that a broker tells does not, that broker and address are named."""
    found = answers(secured.properties("HALF"))
    told = f"tells its clients to come to localhost:{secured.dead_port} (its advertised.listeners)"
    assert found.reached and [problem for problem in found.problems if told in problem]
    assert {one.held for one in found.privileges if one.kind == "group"} == {None}


def test_granted_by_the_lines(secured: SecuredCluster) -> None:
    """Who may do nothing lacks every privilege, and lacks none when the ACLs that were named are there."""
    file = secured.password("carol")
    found = answers(file, "carols-")
    assert {one.held for one in found.privileges} == {False} and "missing privileges" in found.problems[0]
    for line in found.acls:
        fits = re.search(r"'User:carol' (?P<ops>.*?) --(?P<kind>topic|group|cluster)(?: (?P<name>\S+))?", line)
        assert fits
        kind = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}[fits["kind"]]
        operations = [re.sub(r"(?<!^)(?=[A-Z])", "_", one).upper() for one in fits["ops"].split("--operation ")[1:]]
        secured.allow("carol", kind, fits["name"] or "kafka-cluster", *(one.strip() for one in operations))
    granted = answers(file, "carols-")
    assert {one.held for one in granted.privileges} == {True} and granted.problems == []
    assert {one.held for one in answers(file, "others-").privileges if one.kind != "cluster"} == {False}


def test_below_min_isr_and_untouched(secured: SecuredCluster) -> None:
    """A topic under the prefix is told with its settings, and that it takes no record; asking changes no topic."""
    name = f"{PREFIX}there"
    topic = NewTopic(name, num_partitions=2, replication_factor=1, config={"min.insync.replicas": "2"})
    secured.admin.create_topics([topic])[name].result(20)
    before = secured.admin.list_topics(timeout=10).topics
    found = answers(secured.password("bob"))
    assert [(one.name, one.partitions, one.replicas, one.min_isr, one.below) for one in found.topics] == [
        (name, 2, 1, 2, [0, 1])
    ]
    assert "below its min ISR of 2: they take no record with acks=all" in found.problems[0]
    assert secured.admin.list_topics(timeout=10).topics.keys() == before.keys()
    secured.admin.delete_topics([name])[name].result(20)
