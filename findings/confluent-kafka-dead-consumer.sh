#!/bin/sh
# Believed: when a consumer of confluent-kafka can never work again, its error says so by `fatal()`, or `error_cb` is
#   called, or a call raises.
# Seen: it is told once, as a message from `poll()` without a topic (`topic()` None, `partition()` 0) whose error has the
#   code `_FATAL` and whose `fatal()` is False. `error_cb` is not called. Later polls give None, as when there is nothing to
#   read, so who asks `fatal()` goes on with a consumer that is dead, and believes that its partitions are its own. So with
#   both group protocols, when one `group.instance.id` is used by two members: the classic protocol ends the earlier
#   member, KIP-848 the later.
# Way out: ask `error.code() == KafkaError._FATAL or error.fatal()`.
# Versions: confluent-kafka 2.16.1 (librdkafka 2.16.0), Kafka 4.3.1 (one node), Java 17, CPython 3.11, Linux.
# Source: librdkafka's rd_kafka_set_fatal_error0 (src/rdkafka.c) hands the error of a consumer over as a consumer error with
#   the code RD_KAFKA_RESP_ERR__FATAL; confluent-kafka makes the message's error of the code and the text alone
#   (Message_new0 in confluent_kafka/src/confluent_kafka.c), and the flag is not part of those.
# Matters: consumers with static membership; whoever tells fatal from passing errors by the flag.
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

from confluent_kafka import Consumer, KafkaError, KafkaException, libversion, version
from confluent_kafka.admin import AdminClient, NewTopic

SERVERS = {"bootstrap.servers": sys.argv[1], "log_level": 0}
WAIT_S = 60
LATER_S = 3


def create_topic():
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        admin = AdminClient(SERVERS)
        try:
            if admin.list_topics(timeout=2).controller_id == 1:
                return admin.create_topics([NewTopic("finding", 1, 1)])["finding"].result(WAIT_S)
        except KafkaException:
            time.sleep(0.5)
    sys.exit("the broker did not start: this shows nothing")


def member(protocol, heard):
    settings = {"group.protocol": protocol, "group.id": f"group-{protocol}", "group.instance.id": "one"}
    if protocol == "classic":
        settings |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
    consumer = Consumer(SERVERS | settings | {"error_cb": heard.append})
    consumer.subscribe(["finding"])
    return consumer


def first_error(members):
    """Which member is told an error first (0 or 1), and the message."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        for number, consumer in enumerate(members):
            message = consumer.poll(0.1)
            if message is not None and message.error() is not None:
                return number, message
    sys.exit("no member was told an error: it behaves otherwise now")


def see(protocol):
    heard = [[], []]
    members = [member(protocol, heard[0])]
    until = time.monotonic() + WAIT_S
    while not members[0].assignment() and time.monotonic() < until:
        members[0].poll(0.1)
    members.append(member(protocol, heard[1]))
    number, message = first_error(members)
    error = message.error()
    later, until = [], time.monotonic() + LATER_S
    while time.monotonic() < until:
        later.append(members[number].poll(0.1))
    told = [one for one in heard[number] if one.code() == KafkaError._FATAL or one.fatal()]
    print(f"{protocol}: told to the {('earlier', 'later')[number]} member: {error.name()}, fatal() {error.fatal()},"
          f" topic {message.topic()}, partition {message.partition()}; error_cb told {len(told)} of it;"
          f" {len(later)} later polls gave {set(later)}")
    print(f"  {error.str()}")
    for consumer in members:
        consumer.close()
    facts = error.code() == KafkaError._FATAL, not error.fatal(), message.topic() is None, not told, set(later) == {None}
    return all(facts)


print(f"confluent-kafka {version()}, librdkafka {libversion()[0]}, Python {platform.python_version()}")
create_topic()
same = all([see("classic"), see("consumer")])
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py" "127.0.0.1:$1"
