#!/bin/sh
# Believed: a setting that wants a number refuses a text that is none, as it refuses a name that it does not know.
# Seen: librdkafka takes the digits that it understands and drops the rest without a word. A size of "1e5" is 1, "64k"
#   is 64, "1_000" is 1, "010" is 8 (octal), and a number beyond 32 bits loses its upper bits: 4294967396 becomes 100.
#   Only a text without any digit at its start is refused.
# Versions: confluent-kafka 2.16.1 with librdkafka 2.16.0 on CPython 3.11, Linux.
# Source: rdkafka_conf.c, where a setting of type integer is set from a text. What was seen is how strtol() of C reads
#   with base 0, its result kept in an int before the range is looked at.
# Matters: batches of one byte, queues of one message and time-outs of 5 ms where 5 s were written, each in silence.
# Way out: check numbers before they are handed over; librdkafka's table of settings has the type and the range of each.
#
# Needs python3 with venv, and a package index for pip. Connects to nothing: the producers are asked for their settings
# by debug=conf and closed. Exit code: 0 while it behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "confluent-kafka==2.16.1"
cat > "$work/finding.py" <<'PYTHON'
import logging
import platform
import re
import sys

import confluent_kafka
from confluent_kafka import KafkaException, Producer

CASES = {  # setting and text, and what the client made of it
    ("batch.size", "100000"): "100000",
    ("batch.size", "1e5"): "1",
    ("batch.size", "64k"): "64",
    ("batch.size", "1_000"): "1",
    ("batch.size", "010"): "8",
    ("batch.size", "4294967396"): "100",
    ("socket.timeout.ms", "10s"): "10",
    ("batch.size", "many"): "refused",
}


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def effective(name, text):
    """What a producer that was given `text` says of its setting `name`."""
    handler = Lines()
    logger = logging.Logger("client")
    logger.addHandler(handler)
    try:
        producer = Producer({name: text, "debug": "conf"}, logger=logger)
    except KafkaException:
        return "refused"
    producer.poll(0)  # hands the log lines over
    found = [fits[1] for line in handler.lines if (fits := re.search(rf"  {re.escape(name)} = (\S+)", line))]
    return found[0] if found else "not told"


print(f"confluent-kafka {confluent_kafka.version()}, librdkafka {confluent_kafka.libversion()[0]},"
      f" Python {platform.python_version()}")
seen = {case: effective(*case) for case in CASES}
for (name, text), value in seen.items():
    print(f"{name}={text}: {value}")
print("as described" if seen == CASES else "NOT as described: it behaves otherwise now")
sys.exit(0 if seen == CASES else 1)
PYTHON
"$work/venv/bin/python" "$work/finding.py"
