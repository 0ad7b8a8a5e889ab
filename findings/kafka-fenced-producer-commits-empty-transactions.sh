#!/bin/sh
# Believed: a producer whose transactional id another one has taken hears of it at its next commit_transaction, so that
#   work may be done on the strength of a commit that succeeds.
# Seen: a transaction in which nothing was produced and no offset was sent is committed without an error, by
#   confluent-kafka and by kafka-python, as often as one likes: the client asks no broker. The first one with a record is
#   refused. So a process that was replaced goes on with its other work (a database, a call) as long as its batches give
#   nothing to write.
# Way out: send the consumer's offsets in every transaction (send_offsets_to_transaction), also in one without a record:
#   the coordinator is asked then. And guard other work by a fence of its own.
# Versions: Kafka 4.3.1 (one node, transaction.version 2), confluent-kafka 2.16.1 (librdkafka 2.16.0), kafka-python
#   3.0.12, Java 17, CPython 3.11, Linux.
# Source: librdkafka, INTRODUCTION.md, "Transactional producer"; KafkaProducer.commitTransaction's documentation names
#   ProducerFencedException without a condition.
# Matters: consume-transform-produce loops whose transform often gives nothing.
#
# Needs python3 with venv, Java 17 or newer, mvn, and package indexes for pip and mvn. Everything lies in a temporary
# folder and listens on loopback. Exit code: 0 while it behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
broker=
end() {
    [ -z "$broker" ] || { kill "$broker" 2>/dev/null && wait "$broker" || true; }
    rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

cat > "$work/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B -f "$work/pom.xml" "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies" \
    -DoutputDirectory="$work/jars" > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "confluent-kafka==2.16.1" "kafka-python==3.0.12"

set -- $(python3 -c '
import socket
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(server.getsockname()[1] for server in servers))')
cat > "$work/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
advertised.listeners=PLAINTEXT://127.0.0.1:$1
controller.listener.names=CONTROLLER
log.dirs=$work/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
PROPERTIES
java -cp "$work/jars/*" kafka.tools.StorageTool format -t "$(python3 -c 'import base64, uuid
print(base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, "finding").bytes).decode().rstrip("="))')" \
    -c "$work/server.properties" > "$work/format.log" 2>&1 || { cat "$work/format.log"; exit 1; }
java -Xmx512m -cp "$work/jars/*" kafka.Kafka "$work/server.properties" > "$work/broker.log" 2>&1 &
broker=$!

cat > "$work/finding.py" <<'PYTHON'
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition, libversion, version
from confluent_kafka.admin import AdminClient, NewTopic
import kafka
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

BOOTSTRAP = sys.argv[1]
SERVERS = {"bootstrap.servers": BOOTSTRAP, "log_level": 0}
WAIT_S = 60
TOPIC, TIMES = "records", 10


def admin():
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        asked = AdminClient(SERVERS)
        try:
            if asked.list_topics(timeout=2).controller_id == 1:
                return asked
        except KafkaException:
            time.sleep(0.5)
    sys.exit("the broker did not start: this shows nothing")


first_asked = admin()
first_asked.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(WAIT_S)
asked = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
level = asked.describe_features()["transaction.version"]["finalized"][1]
print(f"Kafka 4.3.1 with transaction.version {level}, confluent-kafka {version()}, librdkafka {libversion()[0]}, "
      f"kafka-python {kafka.__version__}, Python {sys.version.split()[0]}")
if level != 2:
    sys.exit("not transaction.version 2: this shows nothing")


def confluent(name):
    producer = Producer(SERVERS | {"transactional.id": name})
    producer.init_transactions(WAIT_S)
    return producer


def python(name):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=name)
    producer.init_transactions()
    return producer


def send(producer):
    (producer.produce if hasattr(producer, "produce") else producer.send)(TOPIC, b"x")


def commit(producer, empty):
    """The name of the error that a transaction ends with; empty: without one."""
    try:
        producer.begin_transaction()
        if not empty:
            send(producer)
        producer.commit_transaction()
    except Exception as error:
        return error.args[0].name() if isinstance(error, KafkaException) else type(error).__name__
    return ""


def fenced(make, name):
    """What a producer hears whose id another one has taken: of empty transactions, and of one with a record."""
    first = make(name)
    if commit(first, empty=False):
        sys.exit("a producer that is not fenced cannot commit: this shows nothing")
    second = make(name)
    empties = [commit(first, empty=True) for _ in range(TIMES)]
    refused = commit(first, empty=False)
    after = commit(second, empty=False)
    print(f"{name}: {empties.count('')} of {TIMES} empty commits without an error; one with a record: "
          f"{refused or 'no error'}; the other producer: {after or 'no error'}")
    return empties == [""] * TIMES and bool(refused) and not after


def offsets_alone():
    """What a fenced producer hears of a transaction in which nothing is but a consumer's offset."""
    first, member = confluent("offsets"), Consumer(SERVERS | {"group.id": "readers"})
    confluent("offsets")
    first.begin_transaction()
    try:
        first.send_offsets_to_transaction([TopicPartition(TOPIC, 0, 1)], member.consumer_group_metadata(), WAIT_S)
        refused = ""
    except KafkaException as error:
        refused = error.args[0].name()
    member.close()
    print(f"confluent-kafka, a transaction with an offset alone: {refused or 'no error'}")
    return bool(refused)


same = offsets_alone() and all([fenced(confluent, "confluent-kafka"), fenced(python, "kafka-python")])
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1"
