#!/bin/sh
# Believed: with `errors.deadletterqueue.copy.record.enable=true` a share group's dead letter is the record that was
#   rejected, as it was, with headers about its failure added: the setting is said to copy the original record.
# Seen: key and value are copied. The record's own headers are not: the letter has the six headers `__dlq.errors.…` and
#   nothing else. A trace id, a schema id or a content type that travels in a header is gone, without an error anywhere.
# Way out: write a record that must keep its headers to a topic of your own before you reject it; or read it again by
#   `__dlq.errors.topic`, `…partition` and `…offset` while the source topic still has it.
# Versions: Kafka 4.4.0 (one node, share.version 2), confluent-kafka 2.16.1 (librdkafka 2.16.0), Java 17, CPython 3.11,
#   Linux.
# Source: the documentation of the setting in org.apache.kafka.coordinator.group.GroupConfig of Kafka 4.4.0; KIP-1191.
# Matters: whoever lets Kafka write the dead letters of a queue and routes, traces or decodes by headers.
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
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.4.0</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B -f "$work/pom.xml" "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies" \
    -DoutputDirectory="$work/jars" > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "confluent-kafka==2.16.1"

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
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
PROPERTIES
java -cp "$work/jars/*" kafka.tools.StorageTool format -t "$(python3 -c 'import base64, uuid
print(base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, "finding").bytes).decode().rstrip("="))')" \
    -c "$work/server.properties" > "$work/format.log" 2>&1 || { cat "$work/format.log"; exit 1; }
java -Xmx512m -cp "$work/jars/*" kafka.Kafka "$work/server.properties" > "$work/broker.log" 2>&1 &
broker=$!

cat > "$work/finding.py" <<'PYTHON'
import platform
import sys
import time

from confluent_kafka import AcknowledgeType, Consumer, KafkaException, Producer, ShareConsumer, TopicPartition
from confluent_kafka import libversion, version
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

SERVERS = {"bootstrap.servers": sys.argv[1], "log_level": 0}
WAIT_S = 60


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


def configure(asked, group, settings):
    """Raises KafkaException where the broker refuses a setting."""
    wanted = ConfigResource(ResourceType.GROUP, group, incremental_configs=[
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()])
    asked.incremental_alter_configs([wanted])[wanted].result(WAIT_S)


def write(topic):
    producer = Producer(SERVERS)
    producer.produce(topic, key=b"key", value=b"value", headers=[("trace", b"4711")])
    if producer.flush(WAIT_S):
        sys.exit("nothing was written: this shows nothing")


def reject(topic, group):
    """Reads the one record as a worker of a share group and rejects it; gives its headers, and the commit's answers."""
    worker = ShareConsumer(SERVERS | {"group.id": group, "share.acknowledgement.mode": "explicit"})
    worker.subscribe([topic])
    until, got = time.monotonic() + WAIT_S, []
    while not got and time.monotonic() < until:
        got = list(worker.poll(1.0))
    if not got:
        sys.exit("the worker was given nothing: this shows nothing")
    worker.acknowledge(got[0], AcknowledgeType.REJECT)
    answers = list(worker.commit_sync(WAIT_S).values())
    worker.close()
    return got[0].headers(), answers


def letter(topic, wait_s):
    """The first record of a topic of dead letters; None where none comes in time."""
    reader = Consumer(SERVERS | {"group.id": "reader", "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition(topic, 0, 0)])
    until, found = time.monotonic() + wait_s, None
    while found is None and time.monotonic() < until:
        found = reader.poll(0.5)
        found = None if found is None or found.error() else found
    reader.close()
    return found


print(f"Kafka 4.4.0, confluent-kafka {version()}, librdkafka {libversion()[0]}, Python {platform.python_version()}")
asked = admin()
asked.create_topics([NewTopic("work", 1, 1)])["work"].result(WAIT_S)
letters = NewTopic("dlq.work", 1, 1, config={"errors.deadletterqueue.group.enable": "true"})
asked.create_topics([letters])["dlq.work"].result(WAIT_S)
configure(asked, "workers", {
    "share.auto.offset.reset": "earliest",
    "errors.deadletterqueue.topic.name": "dlq.work",
    "errors.deadletterqueue.copy.record.enable": "true",
})
write("work")
headers, answers = reject("work", "workers")
found = letter("dlq.work", WAIT_S)
if found is None:
    sys.exit("no dead letter was written: it behaves otherwise now")
names = [name for name, _ in found.headers() or []]
print(f"the record: headers {headers}; rejected, and the commit answered {answers}")
print(f"its dead letter: key {found.key()}, value {found.value()}, headers {names}")
same = (
    headers == [("trace", b"4711")] and answers == [None] and (found.key(), found.value()) == (b"key", b"value")
    and len(names) == 6 and all(name.startswith("__dlq.errors.") for name in names)
)
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1"
