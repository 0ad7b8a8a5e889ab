"""What clients told of a broker that was lost, by lines of real runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from factorylab.analysis.client_log import Client, trouble
from factorylab.audit.judged import JudgedRun
from tests.support.histories import at_ns, healthy

TIMED_OUT = (
    "REQTMOUT [fleet-0#producer-1] [thrd:127.0.1.3:26071/3]: "
    "127.0.1.3:26071/3: Timed out ProduceRequest in flight (after 3828ms, timeout #0)"
)
CLOSED = (
    "FAIL [fleet-0#producer-1] [thrd:127.0.1.3:30558/3]: "
    "127.0.1.3:30558/3: Disconnected: connection closed by peer: POLLHUP (after 11589ms in state UP)"
)
FETCH = (
    "REQTMOUT [processor-0#consumer-1] [thrd:127.0.1.3:26022/3]: "
    "127.0.1.3:26022/3: Timed out FetchRequest in flight (after 10578ms, timeout #0)"
)
ALERTS = FETCH.replace("processor-0#consumer-1", "processor-0-alerts#producer-2")


def logged(folder: Path, name: str, *lines: str) -> JudgedRun:
    """A run whose worker wrote these lines at 8 s; the history's clock starts with the epoch."""
    run = healthy(folder).run()
    stamp = "1970-01-01T00:16:48.000000Z"
    rows = [json.dumps({"worker": name, "text": line, "event": "kafka_client", "timestamp": stamp}) for line in lines]
    (run.folder.logs / f"{name}.jsonl").write_text("\n".join([*rows, '{"event": "kafka_client", "text": "FAIL [']))
    return run


@pytest.mark.parametrize(
    ("name", "lines", "client", "told"),
    [
        ("fleet-0", [CLOSED], "producer", "closed"),
        ("fleet-0", [CLOSED, TIMED_OUT], "producer", "timed out"),
        ("fleet-0", [], "producer", "none"),
        ("processor-0", [FETCH], "consumer", "timed out"),
        ("processor-0", [ALERTS], "consumer", "none"),
        ("processor-0", [FETCH], "producer", "not recorded"),
    ],
)
def test_real_lines_say_how_a_broker_was_lost(
    tmp_path: Path, name: str, lines: list[str], client: Client, told: str
) -> None:
    """Closed, timed out, neither, or no log; a processor's producer of alerts is not its consumer."""
    assert trouble(logged(tmp_path, name, *lines), client, {3}, at_ns(6), at_ns(9)) == told


def test_another_broker_and_another_time_do_not_count(tmp_path: Path) -> None:
    """What is told of a broker that was not hit, or after the phase, says nothing about it."""
    run = logged(tmp_path, "fleet-0", CLOSED)
    assert trouble(run, "producer", {2}, at_ns(6), at_ns(9)) == "none"
    assert trouble(run, "producer", {3}, at_ns(6), at_ns(7)) == "none"
