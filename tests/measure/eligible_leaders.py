"""Eligible leader replicas (KIP-966): both replicas of a partition end one after the other; who may lead when one of
them returns, and what is lost.

    python -m tests.measure.eligible_leaders OUT.jsonl --rounds 1     a lab; appends what it saw
    python -m tests.measure.eligible_leaders OUT.jsonl --rounds 0     the table of all that OUT has

The partition has two replicas, min ISR 2 and no unclean election; the third broker is the active controller and stays,
so that a majority of controllers is there as soon as one of the two returns. BEFORE records are acknowledged by both.
Then the first replica ends, by SIGKILL or SIGTERM, the leader alone acknowledges AFTER records (acks=1), and is killed.
One of the two returns, and LED_WITHIN_S later, or as soon as it leads, the other. Each case is measured with the
feature at its level of a new cluster, and at 0.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from kafka.admin import UpdateFeatureType
from kafka.errors import TopicAlreadyExistsError
from kafka.protocol.admin import DescribeTopicPartitionsRequest
from rich.console import Console
from rich.table import Table

from factorylab.cluster.admin import Admin
from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.python_client import FAILURES
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import WaitTimeout
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS
from factorylab.core.waiting import wait_until
from factorylab.execution.log_scan import read_topic

FEATURE = "eligible.leader.replicas.version"
OFF = {FEATURE: (UpdateFeatureType.SAFE_DOWNGRADE, 0)}
BEFORE, AFTER = 100, 50
LED_WITHIN_S, LONG_S = 20.0, 60.0  # a broker's session is 9 s
FIRST_ENDS, RETURNS = ("kill", "terminate"), ("the first that ended", "the last leader")


class Partition:
    """One partition on two brokers, and how the broker that stays describes it."""

    def __init__(self, cluster: LocalCluster, admin: Admin, topic: str) -> None:
        self.admin, self.cluster, self.topic = admin, cluster, topic
        self.stays = admin.controller()
        self.first, self.last = (n for n in (1, 2, 3) if n != self.stays)
        config = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        wanted = {topic: {"assignments": {0: [self.last, self.first]}, "configs": config}}

        def create(client: Any) -> None:
            with suppress(TopicAlreadyExistsError):  # made, and the answer was lost
                client.create_topics(wanted)

        admin._ask(f"create {topic}", create)
        admin.wait_full_isr(topic, LONG_S)

    def described(self) -> Any:
        """Leader, ISR, eligible replicas and those last known; None where the broker does not answer."""
        asked = DescribeTopicPartitionsRequest.TopicRequest(name=self.topic)
        try:
            with closing(BrokerLine(self.admin.bootstrap.split(",")[self.stays - 1], 2.0)) as line:
                return line.ask(DescribeTopicPartitionsRequest(topics=[asked])).topics[0].partitions[0]
        except FAILURES:
            return None

    def words(self) -> str:
        """The description in short."""
        if (p := self.described()) is None:
            return "no answer"
        names = {self.first: "first", self.last: "last", -1: "none"}
        sets = (("ISR", p.isr_nodes), ("ELR", p.eligible_leader_replicas), ("last known", p.last_known_elr))
        told = (f"{name} {{{', '.join(names[n] for n in nodes or ())}}}" for name, nodes in sets)
        return f"leader {names[p.leader_id]}, {', '.join(told)}"

    def wait(self, what: str, timeout_s: float, isr: int | None = None, epoch: int = -1) -> Any:
        """Until somebody leads in a later epoch, with so many replicas in sync, if that is asked; the description."""

        def there() -> Any:
            p = self.described()
            led = p is not None and p.leader_id >= 0 and p.leader_epoch > epoch
            return p if led and (isr is None or len(p.isr_nodes) == isr) else None

        return wait_until(there, what=what, timeout_s=timeout_s, every_s=0.2, last_seen=self.words)

    def write(self, acks: str, numbers: range) -> None:
        answers: list[object] = []
        producer = Producer({"bootstrap.servers": self.admin.bootstrap, "acks": acks, "enable.idempotence": False})
        for number in numbers:
            producer.produce(self.topic, str(number), on_delivery=lambda error, _: answers.append(error))
        producer.flush(LONG_S)
        if answers != [None] * len(numbers):
            raise SystemExit(f"acks={acks}: {[a for a in answers if a][:1]}: this shows nothing")

    def kept(self) -> set[int]:
        batches = read_topic(self.admin.bootstrap, self.topic, self.admin.spans(self.topic))
        return {int(message.value() or b"-1") for batch in batches for message in batch}


def one_case(p: Partition, ends: str, returns: str) -> dict[str, Any]:
    p.write("all", range(BEFORE))
    p.cluster.inject(1, f"broker-{p.first}", ends)  # type: ignore[arg-type]
    epoch = p.wait("the leader to be alone", LONG_S, isr=1).leader_epoch
    alone = p.words()
    p.write("1", range(BEFORE, BEFORE + AFTER))
    p.cluster.inject(2, f"broker-{p.last}", "kill")
    early, late = (1, 2) if returns == RETURNS[0] else (2, 1)
    returned = time.monotonic()
    p.cluster.heal(early)
    try:
        p.wait("the one that returned to lead", LED_WITHIN_S, epoch=epoch)  # without a majority an old answer stands
        led_s: float | None = time.monotonic() - returned
    except WaitTimeout:
        led_s = None
    then = p.words()
    p.cluster.heal(late)
    p.wait("both to be in sync", LONG_S, isr=2)
    kept = p.kept()
    return {
        "ends": ends, "returns": returns, "alone": alone, "led_s": led_s, "then": then, "at_last": p.words(),
        "lost_of_both": len(set(range(BEFORE)) - kept), "lost_of_one": len(set(range(BEFORE, BEFORE + AFTER)) - kept),
    }  # fmt: skip


def measure(out: Path, rounds: int, kafka: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(update={"home": Path(folder) / "lab"})
        with LocalCluster.up(settings, kafka=kafka) as cluster, closing(Admin(cluster.endpoints.bootstrap)) as admin:
            for switch_off in (False, True):
                if switch_off:
                    print(admin._ask("switch off", lambda client: client.update_features(OFF)), flush=True)
                used = admin.features().get(FEATURE, (0, 0))[0]
                cases = product(range(rounds), FIRST_ENDS, RETURNS)
                for number, (_, ends, returns) in enumerate(cases):
                    found = one_case(Partition(cluster, admin, f"elr-{used}-{number}"), ends, returns)
                    append(out, found | {"kafka": kafka, "level": used})


def append(out: Path, found: dict[str, Any]) -> None:
    with out.open("a") as file:
        file.write(json.dumps(found | {"load": round(os.getloadavg()[0], 1)}) + "\n")
    print(found, flush=True)


def table(found: list[dict[str, Any]]) -> Table:
    shown = Table("Kafka", "level", "first ends by", "while one is left", "returns first", "leads after (s)", "then",
                  f"lost of {BEFORE} by both", f"lost of {AFTER} by one", "n", show_lines=True)  # fmt: skip
    keys = ("kafka", "level", "ends", "returns")
    for case in dict.fromkeys(tuple(one[key] for key in keys) for one in found):
        mine = [one for one in found if tuple(one[key] for key in keys) == case]
        led = [one["led_s"] for one in mine if one["led_s"] is not None]
        after = f"{statistics.median(led):.1f} ({min(led):.1f}–{max(led):.1f})" if led else ""
        never = len(mine) - len(led)
        after += f" not within {LED_WITHIN_S:g} s: {never} of {len(mine)}" if never else ""
        kafka, level, ends, returns = case
        shown.add_row(
            kafka, str(level), ends, *_each(mine, "alone"), returns, after.strip(), *_each(mine, "then"),
            *_each(mine, "lost_of_both"), *_each(mine, "lost_of_one"), str(len(mine)),
        )  # fmt: skip
    return shown


def _each(found: list[dict[str, Any]], key: str) -> list[str]:
    return [" | ".join(sorted({str(one[key]) for one in found}))]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--rounds", type=int, default=1)
    words.add_argument("--kafka", choices=KAFKA_VERSIONS, default=DEFAULT_KAFKA)
    given = words.parse_args()
    if given.rounds:
        measure(given.out, given.rounds, given.kafka)
    Console(width=200).print(table([json.loads(line) for line in given.out.read_text().splitlines()]))


if __name__ == "__main__":
    main()
