"""A secured cluster: what it answers by each way in and when something is wrong, and runs on it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from factorylab.cluster import control
from factorylab.cluster.asking.answers import Answers
from factorylab.cluster.asking.ask import ask
from factorylab.cluster.connection.connection import read_connection
from factorylab.cluster.settings import load_settings
from factorylab.core.waiting import wait_until
from tests.support.drivers import command, driver
from tests.support.identity_provider import identity_provider, unsigned
from tests.support.labs import shell
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
    """By each mechanism both clients get in, and whoever has the least privileges lacks none and asks for no other."""
    before = len(secured.denials())
    found = answers(WAYS_IN[way](secured))
    assert found.problems == [] and found.reached and found.metadata_version and found.cluster_id
    assert {one.held for one in found.privileges} == {True} and secured.denials()[before:] == []


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
    assert {one.held for one in found.privileges} == {True}


def test_granted_by_the_lines(secured: SecuredCluster) -> None:
    """Who may do nothing lacks every privilege, and lacks none when the ACLs that were named are there."""
    file = secured.password("carol")
    found = answers(file, "carols-")
    assert {one.held for one in found.privileges} == {False} and "missing privileges" in found.problems[0]
    for line in found.acls:
        fits = re.search(r"'User:carol' (?P<ops>.*?) --(?P<kind>topic|group) (?P<name>\S+)", line)
        assert fits
        kind = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}[fits["kind"]]
        operations = [re.sub(r"(?<!^)(?=[A-Z])", "_", one).upper() for one in fits["ops"].split("--operation ")[1:]]
        secured.allow("carol", kind, fits["name"], *(one.strip() for one in operations))
    granted = answers(file, "carols-")
    assert {one.held for one in granted.privileges} == {True} and granted.problems == []
    assert {one.held for one in answers(file, "others-").privileges} == {False}


def test_below_min_isr_and_untouched(secured: SecuredCluster) -> None:
    """A topic that is there under the prefix is told with its settings and the partitions that take no record; no run
    touches it, so it is no problem, and asking changes no topic."""
    name = f"{PREFIX}there"
    make(secured, NewTopic(name, num_partitions=2, replication_factor=1, config={"min.insync.replicas": "2"}))
    before = names_on(secured)
    found = answers(secured.password("bob"))
    assert [(one.name, one.partitions, one.replicas, one.min_isr, one.below) for one in found.topics] == [
        (name, 2, 1, 2, [0, 1])
    ]
    assert found.problems == [] and names_on(secured) == before
    secured.admin.delete_topics([name])[name].result(20)
    wait_until(lambda: name not in names_on(secured), what="the topic to go", timeout_s=30)


SCENARIO = """
name: on_yours
workload: {rate_per_s: 200, sensors: 30}
clients: {session_timeout_s: 6}
schedule: {warm_up_s: 1, steady_s: 3, after_s: 3, drain_s: 20, recover_s: 20}
faults:
- {kind: kill, target: "processor:0", at_s: 0.5, hold_s: 2}
"""
ASKING = """
- {kind: demote, target: "leader:0", at_s: 3, hold_s: 4}
- {kind: evict, target: "processor:1", at_s: 0, hold_s: 3}
"""
PROGRAM = """
import json, os, signal, threading
from pathlib import Path
import javaproperties, psycopg2
from confluent_kafka import Consumer
from psycopg2.extras import execute_values

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = javaproperties.loads(Path(os.environ["KAFKA_PROPERTIES"]).read_text())
print("my settings", settings, flush=True)
database = psycopg2.connect(os.environ["DATABASE_URL"])
with database, database.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_xact_lock(1)")
    cursor.execute("CREATE TABLE IF NOT EXISTS readings (sensor_id text, seq bigint, PRIMARY KEY (sensor_id, seq))")
consumer = Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([os.environ["KAFKA_TOPIC"]])
while not stop.is_set():
    found = [json.loads(m.value()) for m in consumer.consume(500, 0.2) if m.error() is None]
    if found:
        with database, database.cursor() as cursor:
            rows = [(one["sensor_id"], one["seq"]) for one in found]
            execute_values(cursor, "INSERT INTO readings VALUES %s ON CONFLICT DO NOTHING", rows)
        consumer.commit(asynchronous=False)
consumer.close()
"""
RUN = """
import sys
from factorylab.execution.perform import run
from factorylab.scenarios.loading import scenario
judged = run(scenario(sys.argv[1]), say=lambda text: print(text, flush=True))
print("verdict", judged.verdict.verdict, judged.folder.path, flush=True)
"""


@contextmanager
def driven(
    secured: SecuredCluster, folder: Path, reached: str, *words: str, more: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A driver of a run on the cluster, in a process of its own, that is so far; and what it says."""
    (folder / "on_yours.yaml").write_text(SCENARIO + more)
    (folder / "results").mkdir()
    client = secured.password("alice", "SCRAM-SHA-512")
    places = {"HOME": folder / "lab", "RESULTS": folder / "results", "CLIENT": client, "PREFIX": PREFIX}
    env = shell() | {f"FACTORYLAB_{name}": str(value) for name, value in places.items()}
    env |= {"FACTORYLAB_BACKEND": "external"}
    with driver([*words, str(folder / "on_yours.yaml")], env, folder / "said.txt", reached) as process:
        yield process, folder / "said.txt"


def names_on(secured: SecuredCluster) -> set[str]:
    """Topics and groups that are there, inner ones left out."""
    groups = secured.admin.list_consumer_groups().result(20).valid
    topics = {name for name in secured.admin.list_topics(timeout=20).topics if not name.startswith("__")}
    return topics | {one.group_id for one in groups}


def make(secured: SecuredCluster, topic: NewTopic) -> None:
    """Make a topic, and wait until it is told."""
    secured.admin.create_topics([topic])[topic.topic].result(20)
    wait_until(lambda: topic.topic in names_on(secured), what=f"the topic {topic.topic}", timeout_s=30)


@contextmanager
def altering(secured: SecuredCluster, user: str) -> Iterator[None]:
    """The user may move leaderships, of whatever topic: Kafka knows no smaller privilege."""
    whole = (ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL)
    allowed = (f"User:{user}", "*", AclOperation.ALTER, AclPermissionType.ALLOW)
    granted = AclBinding(*whole, *allowed)
    secured.admin.create_acls([granted])[granted].result(20)
    try:
        yield
    finally:
        named = AclBindingFilter(*whole, *allowed)
        secured.admin.delete_acls([named])[named].result(20)


def leaders_of(secured: SecuredCluster, topic: str) -> list[tuple[int, list[int]]]:
    """Who leads each partition, and its replicas in their order."""
    found = wait_until(
        lambda: secured.admin.list_topics(topic, timeout=20).topics[topic].partitions,
        what=f"the broker that is asked to have heard of {topic}", timeout_s=30,
    )  # fmt: skip
    return [(found[p].leader, found[p].replicas) for p in sorted(found)]


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that lies in a folder, and the command lines of this machine's processes."""
    yield from ((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield str(path), path.read_bytes()


def test_run_under_fault(secured: SecuredCluster, tmp_path: Path) -> None:
    """Two runs with a killed and an evicted processor and a demoted broker pass on the cluster, the first of which is
    cleared away before the second begins. They move no leadership and ask for nothing outside their prefix; their
    secret is in no file, notebook, log or command line.

    Over 10 s: whole runs."""
    make(secured, NewTopic("orders", 2, 2))
    # the broker that is asked next may not have heard of it yet
    there = names_on(secured) | {"orders"}
    denied, led = len(secured.denials()), leaders_of(secured, "orders")
    with (
        altering(secured, "alice"),
        driven(secured, tmp_path, "fault window", *command("run", "--repeat", "2"), more=ASKING) as (process, said),
    ):
        first = names_on(secured) - there
        assert first
        wait_until(lambda: "[2/2]" in said.read_text(), what="the second run", timeout_s=120, last_seen=said.read_text)
        wait_until(lambda: not first & names_on(secured), what="each broker to have heard of the end", timeout_s=10)
        shown = [where for where, text in written(tmp_path / "results") if PASSWORDS["alice"].encode() in text]
        assert process.wait(120) == 0, said.read_text()
    assert "PASS" in said.read_text() and leaders_of(secured, "orders") == led
    wait_until(lambda: names_on(secured) == there, what="each broker to have heard of the end", timeout_s=30)
    assert len(re.findall(r"gave up p\d to broker-[47] \(epoch \d+ → \d+\)", said.read_text())) == 2
    assert said.read_text().count("evict processor:1: processor-1 is ") == 2
    assert shown == [] and [where for where, text in written(tmp_path) if PASSWORDS["alice"].encode() in text] == []
    assert secured.denials()[denied:] == []


def test_program_of_yours(secured: SecuredCluster, tmp_path: Path) -> None:
    """A program in the place of the processors finds its way in with KAFKA_PROPERTIES, and what it did under a kill is
    judged; what it printed of its settings holds no secret, and nothing is left there. Over 10 s: a whole run."""
    there, denied = names_on(secured), len(secured.denials())
    (tmp_path / "program.py").write_text(PROGRAM)
    subject = f"subject: {{command: ['{{python}}', '{tmp_path / 'program.py'}']}}\n"
    with driven(secured, tmp_path, "verdict", sys.executable, "-c", RUN, more=subject) as (process, said):
        assert process.wait(120) == 0
    assert "verdict PASS" in said.read_text() and names_on(secured) == there
    (printed,) = (tmp_path / "results").glob("*/*/raw/logs/processor-0.jsonl")
    assert "'sasl.password': '***'" in printed.read_text()
    assert [where for where, text in written(tmp_path) if PASSWORDS["alice"].encode() in text] == []
    assert secured.denials()[denied:] == []


def test_not_without_the_privilege(secured: SecuredCluster, tmp_path: Path) -> None:
    """Who may not move leaderships is told so, with the command that grants it, before anything is made."""
    there = names_on(secured)
    with driven(secured, tmp_path, "missing privileges: Alter on the cluster", *command("run"), more=ASKING) as (
        process,
        said,
    ):
        assert process.wait(60) == 5
    assert "--operation Alter --cluster" in said.read_text() and names_on(secured) == there


@pytest.mark.parametrize("victim", ["driver", "supervisor"])
def test_killed(secured: SecuredCluster, tmp_path: Path, victim: str) -> None:
    """Whether the driver is killed or the supervisor, what the run made on the cluster goes, and nothing else.

    Over 10 s: a run begins, and a killed member stays in its group for a session."""
    there = names_on(secured)
    with driven(secured, tmp_path, "steady", sys.executable, "-c", RUN) as (process, _):
        made = names_on(secured) - there
        assert made and all(name.startswith(PREFIX) for name in made)
        state = control.living_state(tmp_path / "lab")
        assert state
        os.kill(process.pid if victim == "driver" else state.supervisor.pid, signal.SIGKILL)
        wait_until(lambda: names_on(secured) == there, what="the run's topics and group to go", timeout_s=120)
    wait_until(lambda: control.living_state(tmp_path / "lab") is None, what="the lab to end", timeout_s=30)
