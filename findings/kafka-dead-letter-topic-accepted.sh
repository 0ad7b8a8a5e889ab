#!/bin/sh
# Believed: a topic that Kafka cannot use for the dead letters of a share group is refused when the group is told to use
#   it, or at the latest an error reaches the worker whose rejected record could not be set aside.
# Seen: the group's setting is accepted for a topic that is not enabled for dead letters
#   (`errors.deadletterqueue.group.enable`), for one whose name lacks the prefix `dlq.`, and for one that is not there,
#   where topics are not made by themselves. The worker rejects a record, the commit answers without an error, the record
#   is archived, and nothing is written: it is in no topic that anybody looks at. With an enabled `dlq.` topic beside them
#   the letter comes at once.
# Way out: reject one record on purpose before a group goes to work, and wait for its letter; or write dead letters
#   yourself before you reject.
# Versions: Kafka 4.4.0 (one node, share.version 2), confluent-kafka 2.16.1 (librdkafka 2.16.0), Java 17, CPython 3.11,
#   Linux.
# Source: KIP-1191; the settings' documentation in org.apache.kafka.coordinator.group.GroupConfig of Kafka 4.4.0.
# Matters: queues on Kafka whose operators believe that a configured dead-letter topic works.
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
auto.create.topics.enable=false
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
SILENCE_S = 10
ENABLED = {"errors.deadletterqueue.group.enable": "true"}


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


def see(name, letters, config):
    """What becomes of a rejected record; `config` None: the topic of dead letters is not there."""
    work, group = f"work-{name}", f"workers-{name}"
    asked.create_topics([NewTopic(work, 1, 1)])[work].result(WAIT_S)
    if config is not None:
        asked.create_topics([NewTopic(letters, 1, 1, config=config)])[letters].result(WAIT_S)
    configure(asked, group, {"share.auto.offset.reset": "earliest", "errors.deadletterqueue.topic.name": letters})
    write(work)
    _, answers = reject(work, group)
    if config is None:
        time.sleep(SILENCE_S)
        found = letters in asked.list_topics(timeout=WAIT_S).topics
    else:
        found = letter(letters, WAIT_S if name == "usable" else SILENCE_S) is not None
    print(f"{name}: the setting was accepted, the commit answered {answers}, "
          + (f"a letter {'came' if found else 'did not come'}" if config is not None else
             f"the topic is {'there' if found else 'still not there'}"))
    return answers == [None] and found


print(f"Kafka 4.4.0, confluent-kafka {version()}, librdkafka {libversion()[0]}, Python {platform.python_version()}")
asked = admin()
usable = see("usable", "dlq.letters", ENABLED)
others = [see("not-enabled", "dlq.not-enabled", {}), see("no-prefix", "letters", ENABLED), see("absent", "dlq.absent", None)]
same = usable and not any(others)
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1"
