#!/bin/sh
# Believed: when a worker of a share group is killed, its records go to the workers that live, within a second or at the
#   latest when their locks end (30 s). A queue has no partitions that belong to somebody.
# Seen: the coordinator shares the partitions out, and with as many members as partitions each has one alone. A member
#   that is killed stays in the group for `share.session.timeout.ms`, 45 s, and keeps its partition. Until then nobody
#   is given a record of that partition, neither those that were in hand nor new ones, though a worker lives and polls.
#   45 s is also the shortest session that a broker allows by default (`group.share.min.session.timeout.ms`).
# Way out: at least two living workers for each partition; workers that are stopped by SIGTERM and close their client.
# Versions: Kafka 4.3.1 (one node), confluent-kafka 2.16.1 (librdkafka 2.16.0), Java 17, CPython 3.11, Linux.
# Source: KIP-932 (SimpleAssignor); org.apache.kafka.coordinator.group.modern.share of Kafka 4.3.1.
# Matters: whoever scales a queue on Kafka to as many workers as partitions, and expects a crash to cost nothing.
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
import os
import platform
import signal
import subprocess
import sys
import time

from confluent_kafka import KafkaException, Producer, ShareConsumer, libversion, version
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

SERVERS = {"bootstrap.servers": sys.argv[1], "log_level": 0}
WAIT_S = 60
PARTITIONS = 2
LONGER_THAN_A_LOCK_S, SESSION_AND_MORE_S = 35, 60


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


def worker():
    """Prints the partition of each record that it is given, and accepts it with the next poll."""
    consumer = ShareConsumer(SERVERS | {"group.id": "workers"})
    consumer.subscribe(["work"])
    while True:
        for message in consumer.poll(0.5):
            if message.error() is None:
                print(message.partition(), flush=True)


def started():
    return subprocess.Popen([sys.executable, __file__, sys.argv[1], "worker"], stdout=subprocess.PIPE, bufsize=0)


def write(producer, partition):
    producer.produce("work", value=b"value", partition=partition)
    if producer.flush(WAIT_S):
        sys.exit("nothing was written: this shows nothing")


def alone(producer, workers):
    """The partition of each worker, once each has another one for ten records in a row."""
    until, last = time.monotonic() + WAIT_S, {}
    seen = {one: [] for one in workers}
    while time.monotonic() < until:
        for partition in range(PARTITIONS):
            write(producer, partition)
        time.sleep(0.5)
        for one in workers:
            seen[one] += lines(one)
        last = {one: set(seen[one][-10:]) for one in workers}
        if all(len(of) == 1 for of in last.values()) and len(set.union(*last.values())) == PARTITIONS:
            return {one: of.pop() for one, of in last.items()}
    sys.exit(f"the workers did not come to have one partition each ({list(last.values())}): this shows nothing")


def lines(one):
    """What a worker has printed since."""
    os.set_blocking(one.stdout.fileno(), False)
    return [int(word) for word in (one.stdout.read() or b"").split()]


if sys.argv[2:] == ["worker"]:
    worker()
print(f"Kafka 4.3.1, confluent-kafka {version()}, librdkafka {libversion()[0]}, Python {platform.python_version()}")
asked = admin()
asked.create_topics([NewTopic("work", PARTITIONS, 1)])["work"].result(WAIT_S)
earliest = ConfigResource(ResourceType.GROUP, "workers", incremental_configs=[
    ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)])
asked.incremental_alter_configs([earliest])[earliest].result(WAIT_S)
producer, workers = Producer(SERVERS), [started() for _ in range(2)]
try:
    has = alone(producer, workers)
    dead, living = workers
    dead.send_signal(signal.SIGKILL)
    died_s = time.monotonic()
    lines(living)
    came, own = None, 0
    while came is None and time.monotonic() < died_s + SESSION_AND_MORE_S:
        for partition in range(PARTITIONS):
            write(producer, partition)
        time.sleep(0.5)
        given = lines(living)
        own += given.count(has[living])
        if has[dead] in given:
            came = time.monotonic() - died_s
finally:
    for one in workers:
        one.kill()
        one.wait()
print(f"the living worker was given {own} records of its own partition meanwhile, and of the dead one's "
      + (f"the first {came:.1f} s after the death" if came else f"none within {SESSION_AND_MORE_S} s"))
same = own > 0 and (came is None or came > LONGER_THAN_A_LOCK_S)
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1"
