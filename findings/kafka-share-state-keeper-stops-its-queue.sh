#!/bin/sh
# Believed: a queue on Kafka stops for the death of the broker that leads its partition. A broker that has no replica of
#   the topic, does not coordinate the group and is no controller may die without its workers noticing.
# Seen: the state of each share of a group has a keeper of its own, the leader of a partition of `__share_group_state`
#   (FindCoordinator of type SHARE, by group, topic id and partition). When that broker is killed, the workers of the
#   partition are given nothing until it is fenced, after `broker.session.timeout.ms` (9 s), and another one has taken
#   over: 10 to 14 s were seen. A producer is acknowledged all the time. No metadata of the topic names the keeper.
# Way out: watch the age of the last delivery, not only leaders and ISR; lower `broker.session.timeout.ms` where 9 s are
#   too long; end brokers by SIGTERM.
# Versions: Kafka 4.3.1 (three brokers, one of them the controller), confluent-kafka 2.16.1 (librdkafka 2.16.0),
#   Java 17, CPython 3.11, Linux.
# Source: KIP-932 (share coordinator, persister); org.apache.kafka.coordinator.share.ShareCoordinatorService.
# Matters: whoever reads off the replicas of a topic which brokers its queue depends on.
#
# Needs python3 with venv, Java 17 or newer, mvn, and package indexes for pip and mvn. Everything lies in a temporary
# folder and listens on loopback. Exit code: 0 while it behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
end() {
    for pid in "$work"/*.pid; do [ ! -e "$pid" ] || kill -9 "$(cat "$pid")" 2>/dev/null || true; done
    wait || true
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
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "confluent-kafka==2.16.1"

set -- $(python3 -c '
import socket
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(server.getsockname()[1] for server in servers))')
controller=$4
id=$(python3 -c 'import base64, uuid
print(base64.urlsafe_b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, "finding").bytes).decode().rstrip("="))')
node=1
for port in "$1" "$2" "$3"; do
    roles=broker listeners="PLAINTEXT://127.0.0.1:$port"
    [ "$node" != 1 ] || { roles=broker,controller; listeners="$listeners,CONTROLLER://127.0.0.1:$controller"; }
    cat > "$work/$node.properties" <<PROPERTIES
process.roles=$roles
node.id=$node
controller.quorum.voters=1@127.0.0.1:$controller
listeners=$listeners
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/data-$node
offsets.topic.num.partitions=3
share.coordinator.state.topic.num.partitions=3
group.initial.rebalance.delay.ms=0
PROPERTIES
    java -cp "$work/jars/*" kafka.tools.StorageTool format -t "$id" -c "$work/$node.properties" \
        > "$work/format.log" 2>&1 || { cat "$work/format.log"; exit 1; }
    java -Xmx384m -cp "$work/jars/*" kafka.Kafka "$work/$node.properties" > "$work/$node.log" 2>&1 &
    echo $! > "$work/$node.pid"
    node=$((node + 1))
done

cat > "$work/finding.py" <<'PYTHON'
import base64
import os
import platform
import signal
import sys
import threading
import time
from pathlib import Path

from confluent_kafka import KafkaException, Producer, ShareConsumer, TopicCollection, libversion, version
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

SERVERS = {"bootstrap.servers": sys.argv[1], "log_level": 0}
WORK = Path(sys.argv[2])
WAIT_S, BEFORE_S, AFTER_S, EVERY_S = 60, 5, 25, 0.05
LEADER = 1  # of the topic, and the controller


def until(look, what):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except KafkaException:
            pass
        time.sleep(0.5)
    sys.exit(f"{what}: not within {WAIT_S} s, so this shows nothing")


def java_hash(text):
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def leader(topic, key):
    """The broker that leads the partition of an inner topic to which a key belongs; None while nobody does."""
    partitions = asked.list_topics(topic, timeout=5).topics[topic].partitions
    found = partitions[abs(java_hash(key)) % len(partitions)].leader if partitions else -1
    return found if found > 0 else None


def topic_id():
    of = asked.describe_topics(TopicCollection(["work"]))["work"].result(WAIT_S).topic_id
    most, least = of.get_most_significant_bits(), of.get_least_significant_bits()
    raw = b"".join(half.to_bytes(8, "big", signed=True) for half in (most, least))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Worker(threading.Thread):
    """The only member of a group; notes when it is given something, and accepts that with the next poll."""

    def __init__(self, group):
        super().__init__(daemon=True)
        earliest = ConfigResource(ResourceType.GROUP, group, incremental_configs=[
            ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)])
        asked.incremental_alter_configs([earliest])[earliest].result(WAIT_S)
        self.given, self.stop = [], False
        self.consumer = ShareConsumer(SERVERS | {"group.id": group})
        self.consumer.subscribe(["work"])

    def run(self):
        while not self.stop:
            if [message for message in self.consumer.poll(0.1) if message.error() is None]:
                self.given.append(time.monotonic())


class Writer(threading.Thread):
    """Writes a record each EVERY_S, and notes when one is acknowledged."""

    def __init__(self):
        super().__init__(daemon=True)
        self.acked, self.producer = [], Producer(SERVERS)

    def answered(self, error, _):
        if error is None:
            self.acked.append(time.monotonic())

    def run(self):
        while True:
            self.producer.produce("work", b"value", on_delivery=self.answered)
            self.producer.poll(EVERY_S)


def gap_s(moments, since):
    """The longest time between two moments, the second of them after the death."""
    return max((b - a for a, b in zip(moments, moments[1:]) if b > since), default=float("inf"))


def suitable():
    """A group whose state for this topic has a keeper that neither leads the topic nor coordinates the group."""
    for number in range(100):
        name = f"workers-{number}"
        keeper, coordinator = leader("__share_group_state", f"{name}:{made}:0"), leader("__consumer_offsets", name)
        if keeper and coordinator and keeper not in (LEADER, coordinator):
            return name, keeper
    return None


print(f"Kafka 4.3.1, confluent-kafka {version()}, librdkafka {libversion()[0]}, Python {platform.python_version()}")
asked = AdminClient(SERVERS)
until(lambda: len(asked.list_topics(timeout=2).brokers) == 3, "three brokers")
asked.create_topics([NewTopic("work", 1, replica_assignment=[[LEADER]])])["work"].result(WAIT_S)
made = until(topic_id, "the topic's id")
writer = Writer()
writer.start()
first = Worker("first")  # with it the inner topics come
first.start()
until(lambda: first.given, "a first delivery")
first.stop = True
group, keeper = until(suitable, "a group with a keeper of its own")
worker = Worker(group)
worker.start()
until(lambda: len(worker.given) > BEFORE_S, "deliveries")
time.sleep(BEFORE_S)
died = time.monotonic()
os.kill(int((WORK / f"{keeper}.pid").read_text()), signal.SIGKILL)
time.sleep(AFTER_S)
given_s, acked_s = gap_s(worker.given, died), gap_s(writer.acked, died)
print(f"broker {keeper}, which has no replica of the topic, was killed: the worker was given nothing for {given_s:.1f} "
      f"s, and the producer had no acknowledgement for {acked_s:.1f} s")
same = given_s > 6 and acked_s < 3
print("as described" if same else "NOT as described: it behaves otherwise now")
os._exit(0 if same else 1)  # clients of a dead broker take their time to close
PYTHON
"$work/venv/bin/python" -u "$work/finding.py" "127.0.0.1:$1" "$work"
