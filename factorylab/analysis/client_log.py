"""What the clients' own logs say of a broker that was lost: whether their connection ended, or a request timed out.

librdkafka's lines are kept as events "kafka_client" in the logs of fleets and processors: FAIL where a connection was
closed or refused, REQTMOUT where a request had no answer in socket.timeout.ms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from factorylab.analysis.log_lines import wall_ahead_ns
from factorylab.history.saved_run import Run

Client = Literal["producer", "consumer"]
"""The producer of a fleet, or the consumer of a processor."""
Trouble = Literal["timed out", "closed", "none", "not recorded"]
_OF: dict[Client, str] = {"producer": "fleet-*.jsonl", "consumer": "processor-*.jsonl"}
_LINE = re.compile(r"(?P<kind>REQTMOUT|FAIL) \[[^]]*#(?P<client>producer|consumer)-\d+\] \[[^]]*/(?P<broker>\d+)\]: ")


class _Told(NamedTuple):
    t_ns: int
    client: str
    broker: int
    timed_out: bool


def trouble(run: Run, client: Client, brokers: Collection[int], from_ns: int, until_ns: int) -> Trouble:
    """What these clients told of these brokers in between; a time-out before a closed connection, which it ends."""
    files = list(run.folder.logs.glob(_OF[client]))
    if not files or run.workers.empty:
        return "not recorded"
    told = [one for one in run.once(_told) if one.client == client and one.broker in brokers]
    within = [one for one in told if from_ns <= one.t_ns <= until_ns]
    if any(one.timed_out for one in within):
        return "timed out"
    return "closed" if within else "none"


def _told(run: Run) -> list[_Told]:
    return [one for client in _OF for one in _lines(run, client)]


def _lines(run: Run, client: Client) -> Iterator[_Told]:
    ahead_ns = wall_ahead_ns(run)
    for path in sorted(run.folder.logs.glob(_OF[client])):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"kafka_client"' not in line or (found := _LINE.search(line)) is None:
                continue
            try:
                wall = datetime.fromisoformat(json.loads(line)["timestamp"])
            except (ValueError, KeyError):  # cut off where the process was killed
                continue
            t_ns = round(wall.timestamp() * 1e6) * 1000 - ahead_ns
            yield _Told(t_ns, found["client"], int(found["broker"]), found["kind"] == "REQTMOUT")
