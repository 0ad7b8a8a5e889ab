#!/bin/sh
# Believed: on a cluster whose transaction.version is 2 (KIP-890) the epoch of a producer rises with each transaction, so
#   that a record that arrives late is never taken for one of the next transaction.
# Seen: that is so for the Java client. With confluent-kafka and kafka-python the producer id and its epoch are the same
#   after each of ten transactions: these clients speak the older protocol, which the broker still allows.
# Way out: none in the client. Do not rely on the epoch of each transaction from Python; take a new transactional producer
#   (init_transactions raises the epoch) after a time-out whose outcome is not known.
# Versions: Kafka 4.3.1 (one node, transaction.version 2), confluent-kafka 2.16.1 (librdkafka 2.16.0), kafka-python
#   3.0.12, Java 17, CPython 3.11, Linux.
# Source: KIP-890, "Bump epoch on each transaction"; Kafka's upgrade notes of 4.0 on transaction.version.
# Matters: whoever counts on KIP-890 against hanging transactions, with clients that are not Java's.
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
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>4.3.1</version></dependency>
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

from confluent_kafka import KafkaException, Producer, libversion, version
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


if sys.argv[2] != "java":
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


def epoch(name):
    told = asked.describe_transactions([name])[name]
    return told.producer_id, told.producer_epoch


def epochs(make, name):
    """Producer id and epoch after each of some transactions."""
    producer, seen = make(name), []
    for _ in range(TIMES):
        producer.begin_transaction()
        send(producer)
        producer.commit_transaction()
        seen.append(epoch(name))
    print(f"{name}: (producer id, epoch) after each transaction: {seen}")
    return len(set(seen)) == 1


if sys.argv[2] == "java":
    identity, raised = epoch("java")
    print(f"Java's producer, after some transactions: epoch {raised}")
    same = raised >= 2
else:
    same = all([epochs(confluent, "confluent-kafka"), epochs(python, "kafka-python")])
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1" python
java -cp "$work/jars/*" org.apache.kafka.tools.ProducerPerformance --topic records --num-records 200 --record-size 10 \
    --throughput 100 --transactional-id java --transaction-duration-ms 100 \
    --bootstrap-server "127.0.0.1:$1" > "$work/java.log" 2>&1 || { cat "$work/java.log"; exit 1; }
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1" java
