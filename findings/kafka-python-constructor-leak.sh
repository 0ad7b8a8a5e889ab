#!/bin/sh
# Believed: a constructor of kafka-python that raises leaves nothing behind, so a program may try again until a broker
#   answers. KafkaProducer behaves so.
# Seen: KafkaAdminClient and KafkaConsumer leave one running thread and four open descriptors for each try that finds no
#   broker, also after a garbage collection: some 250 tries use up the usual 1,024 descriptors.
# Way out: both take a factory for their inner client (`kafka_client`); what it made can be closed afterwards, which ends
#   the thread and closes the selector. The program below does that, too.
# Versions: kafka-python 3.0.12 on CPython 3.11, Linux.
# Source: kafka/admin/client.py and kafka/consumer/group.py: the constructor starts the network thread
#   (`self._net.start()`) before it bootstraps, and nothing stops it where the bootstrap raises. `close()` cannot be called
#   on an object that was never returned.
# Matters: probes, exporters and health checks that outlive the brokers they look at.
#
# Needs python3 with venv, and a package index for pip. Uses a closed port of loopback and no broker. Exit code: 0 while
# it behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "kafka-python==3.0.12"
cat > "$work/finding.py" <<'PYTHON'
import gc
import os
import platform
import socket
import sys
import threading

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.net.compat import KafkaNetClient

TRIES = 5


def held():
    gc.collect()
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def left_by(make):
    """Threads and descriptors that are still there after TRIES tries, each of which must raise."""
    threads, descriptors = held()
    for _ in range(TRIES):
        try:
            make()
        except kafka.errors.KafkaTimeoutError as error:
            said = repr(error)
        else:
            sys.exit("a client without a broker was made: this shows nothing")
    now_threads, now_descriptors = held()
    print(f"{make.__name__}: {TRIES} tries raised {said}; left: {now_threads - threads} threads,"
          f" {now_descriptors - descriptors} descriptors")
    return now_threads - threads, now_descriptors - descriptors


with socket.create_server(("127.0.0.1", 0)) as server:
    closed = f"127.0.0.1:{server.getsockname()[1]}"
settings = {"bootstrap_servers": closed, "bootstrap_timeout_ms": 200}


def admin():
    KafkaAdminClient(**settings)


def consumer():
    KafkaConsumer(**settings)


def producer():
    KafkaProducer(**settings)


def admin_with_factory():
    made = []

    def factory(**configs):
        made.append(KafkaNetClient(**configs))
        return made[-1]

    try:
        KafkaAdminClient(kafka_client=factory, **settings)
    except BaseException:
        for client in made:
            client.close()
        raise


print(f"kafka-python {kafka.__version__}, Python {platform.python_version()}")
leaks = [left_by(admin), left_by(consumer)]
clean = [left_by(producer), left_by(admin_with_factory)]
same = all(t == TRIES and d >= 3 * TRIES for t, d in leaks) and all(t == 0 and d == 0 for t, d in clean)
print("as described" if same else "NOT as described: it behaves otherwise now")
sys.exit(0 if same else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py"
