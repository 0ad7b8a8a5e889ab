"""What a broker's death costs the members of groups, by session, protocol and rule of committing; and how long a dead
member keeps its partitions.

    flock /tmp/cluster.lock python -m tests.measure.sessions OUT.jsonl --rounds 3      runs, and appends what it saw
    python -m tests.measure.sessions OUT.jsonl --rounds 0                              the table of all that OUT has

All set-ups are measured by the same deaths. Of each there are three groups, one with its coordinator on each broker, of
two members in processes of their own; so one death is that of the coordinator to a third of the groups and of a leader
to all. In each round the active controller is killed once and another broker once, for HOLD_S; at the end the second
members are killed. Consumers are those of the factory (`consumer_defaults`), but fetch less often, without a store.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from rich.console import Console
from rich.table import Table

from factorylab.cluster.admin import OFFSETS_TOPIC, Admin, coordinating_partition
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import load_settings
from factorylab.core.clock import NS
from factorylab.core.errors import WaitTimeout
from factorylab.core.waiting import wait_until
from factorylab.factory.profiles import consumer_defaults
from factorylab.scenarios.model import Topology

TOPIC, PARTITIONS, EVERY_S = "measured", 3, 0.2
HOLD_S, QUIET_S, SETTLE_S, TAKEOVER_S = 18.0, 4.0, 60.0, 60.0


@dataclass(frozen=True)
class SetUp:
    """`one`: no commit while another is unanswered; else one for each poll."""

    protocol: str
    session_s: float
    one: bool = False

    def __str__(self) -> str:
        return f"{self.protocol} {self.session_s:g} s" + ", one commit at a time" * self.one


SET_UPS = (
    SetUp("range", 14),
    SetUp("range", 14, one=True),
    SetUp("range", 20),
    SetUp("range", 20, one=True),
    SetUp("consumer", 6),
    SetUp("consumer", 6, one=True),
    SetUp("consumer", 10, one=True),
)


class Member(threading.Thread):
    """One consumer; what its group tells it goes to `out`, a line each."""

    def __init__(self, bootstrap: str, group: str, number: int, made: SetUp, out: Any) -> None:
        super().__init__(daemon=True)
        self._group, self._number, self._made, self._out = group, number, made, out
        settings = consumer_defaults(made.protocol, made.session_s)  # a broker sets the session of `consumer`
        own = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "latest", "log_level": 0}
        self._consumer = Consumer({**settings, **own, "fetch.wait.max.ms": 500, "on_commit": self._answered})
        self._waiting = False

    def _tell(self, event: str, partitions: list[TopicPartition]) -> None:
        told = {"t_ns": time.monotonic_ns(), "group": self._group, "member": self._number, "event": event}
        self._out.write(json.dumps(told | {"partitions": [p.partition for p in partitions]}) + "\n")
        self._out.flush()

    def _answered(self, *_: object) -> None:
        self._waiting = False

    def run(self) -> None:
        self._consumer.subscribe(
            [TOPIC],
            on_assign=lambda _, p: self._tell("assigned", p),
            on_revoke=lambda _, p: self._tell("revoked", p),
            on_lost=lambda _, p: self._tell("lost", p),
        )
        while True:
            message = self._consumer.poll(0.1)
            if message is None or message.error():
                continue
            if self._made.one and self._waiting:
                continue
            self._waiting = True
            with suppress(KafkaException):  # as the processors do: only lag monitors miss it
                self._consumer.commit(message=message, asynchronous=True)


def members(bootstrap: str, groups: dict[str, SetUp], number: int, out: str) -> None:
    """The members with this number of all groups, until the process is killed."""
    with Path(out).open("a") as file:
        for member in [Member(bootstrap, group, number, made, file) for group, made in groups.items()]:
            member.start()
        threading.Event().wait()


class Lab:
    """A cluster with all groups at work."""

    def __init__(self, cluster: LocalCluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.bootstrap = cluster.endpoints.bootstrap
        self.admin = Admin(self.bootstrap)
        self.admin.create_topics([TOPIC], Topology())
        first = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "first"})
        wait_until(lambda: self._coordinated(first), what="the offsets topic", timeout_s=60, every_s=1)
        self.groups = dict(self._named())
        self._set_sessions()
        self.processes = [self._process(number) for number in range(2)]
        threading.Thread(target=self._produce, daemon=True).start()

    @staticmethod
    def _coordinated(consumer: Consumer) -> bool:
        """The offsets topic is made for the first group that asks."""
        try:
            return bool(consumer.committed([TopicPartition(TOPIC, 0)], 5))
        except KafkaException:
            return False

    def _named(self) -> Iterator[tuple[str, SetUp]]:
        """For each set-up three groups, each in another partition of the offsets topic."""
        for number, made in enumerate(SET_UPS):
            for wanted in range(3):
                names = (f"g{number}-{wanted}-{salt}" for salt in count())
                yield next(name for name in names if coordinating_partition(name, 3) == wanted), made

    def _set_sessions(self) -> None:
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        for group, made in self.groups.items():
            if made.protocol == "consumer":
                config = {"consumer.session.timeout.ms": f"{made.session_s * 1000:.0f}"}
                client.alter_configs([ConfigResource(ConfigResourceType.GROUP, group, configs=config)])
        client.close()

    def _process(self, number: int) -> BaseProcess:
        out = str(self.folder / f"member-{number}.jsonl")
        process = get_context("spawn").Process(target=members, args=(self.bootstrap, self.groups, number, out))
        process.start()
        return process

    def _produce(self) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})
        while True:
            for partition in range(PARTITIONS):
                producer.produce(TOPIC, b"x", partition=partition)
            producer.poll(0)
            time.sleep(EVERY_S)

    def told(self) -> list[dict[str, Any]]:
        lines = [line for file in self.folder.glob("*.jsonl") for line in file.read_text().splitlines(keepends=True)]
        return sorted((json.loads(line) for line in lines if line.endswith("\n")), key=lambda told: int(told["t_ns"]))

    def owners(self, group: str) -> dict[int, int]:
        owned: dict[int, int] = {}
        for told in self.told():
            if told["group"] == group:
                for partition in told["partitions"]:
                    if told["event"] == "assigned":
                        owned[partition] = told["member"]
                    elif owned.get(partition) == told["member"]:
                        del owned[partition]
        return owned

    def _shared_out(self) -> bool:
        return all(len(o := self.owners(g)) == PARTITIONS and len(set(o.values())) == 2 for g in self.groups)

    def settle(self) -> bool:
        """Until all is in sync and led as at first, and every group has two members with partitions; False: not in
        time."""
        for topic in (TOPIC, OFFSETS_TOPIC):
            self.admin.wait_full_isr(topic, 60)
        try:
            self._wait_shared_out()
            self.admin.elect_preferred()
            time.sleep(QUIET_S)
            self._wait_shared_out()
        except WaitTimeout as error:
            print(error, flush=True)
            return False
        return True

    def _wait_shared_out(self) -> None:
        wait_until(
            self._shared_out, what="all groups to have two members", timeout_s=SETTLE_S, every_s=1,
            last_seen=lambda: str({g: self.owners(g) for g in self.groups}),
        )  # fmt: skip

    def kill_broker(self, *, controller: bool) -> list[dict[str, Any]]:
        active = self.admin.controller()
        victim = active if controller else active % 3 + 1
        coordinators = {group: self.admin.coordinator(group) for group in self.groups}
        began = time.monotonic_ns()
        self.cluster.inject(1, f"broker-{victim}", "kill")
        time.sleep(HOLD_S)
        self.cluster.heal()
        settled = self.settle()
        found = [
            {"set_up": str(made), "controller": controller, "coordinator": coordinators[group] == victim,
             "unowned_s": self._unowned_s(group, began)}
            for group, made in self.groups.items()
        ]  # fmt: skip
        if not settled:
            self.restart()
        return found

    def restart(self) -> None:
        """All members anew, in groups that have forgotten the old ones."""
        self.end()
        time.sleep(max(made.session_s for made in SET_UPS) + QUIET_S)
        self.processes = [self._process(number) for number in range(2)]
        self.settle()

    def end(self) -> None:
        for number, process in enumerate(self.processes):
            process.kill()
            process.join()
            (self.folder / f"member-{number}.jsonl").unlink(missing_ok=True)

    def _unowned_s(self, group: str, began: int) -> float:
        """Seconds that the partitions that somebody lost were without an owner, the longest; 0 where none was lost."""
        told = [t for t in self.told() if t["group"] == group and t["t_ns"] > began]
        lost = {p: t["t_ns"] for t in reversed(told) if t["event"] != "assigned" for p in t["partitions"]}
        back = [min((t["t_ns"] for t in told if t["event"] == "assigned" and p in t["partitions"] and t["t_ns"] > when),
                    default=time.monotonic_ns()) for p, when in lost.items()]  # fmt: skip
        return max(((b - a) / NS for a, b in zip(lost.values(), back, strict=True)), default=0.0)

    def kill_members(self) -> list[dict[str, Any]]:
        """How long the partitions of members that die stay theirs."""
        gone = {g: {p for p, member in self.owners(g).items() if member == 1} for g in self.groups}
        began = time.monotonic_ns()
        self.processes[1].kill()
        self.processes[1].join()
        (self.folder / "member-1.jsonl").unlink()
        with suppress(WaitTimeout):  # what was not taken over in time has no row
            wait_until(lambda: all(gone[g] <= self.owners(g).keys() for g in self.groups), what="all to be taken over",
                       timeout_s=TAKEOVER_S, every_s=1)  # fmt: skip
        taken = {
            g: [t["t_ns"] for t in self.told() if t["group"] == g and t["t_ns"] > began and t["event"] == "assigned"
                and gone[g] & set(t["partitions"])]
            for g in self.groups
        }  # fmt: skip
        self.processes[1] = self._process(1)
        return [{"set_up": str(made), "takeover_s": (min(taken[g]) - began) / NS}
                for g, made in self.groups.items() if taken[g]]  # fmt: skip


def measure(out: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(update={"home": Path(folder) / "lab"})
        with LocalCluster.up(settings) as cluster:
            lab = Lab(cluster, Path(folder))
            try:
                lab.settle()
                for _ in range(rounds):
                    for found in (lab.kill_broker(controller=False), lab.kill_broker(controller=True)):
                        append(out, found)
                append(out, lab.kill_members())
            finally:
                lab.end()


def append(out: Path, found: list[dict[str, Any]]) -> None:
    load = round(os.getloadavg()[0], 1)
    with out.open("a") as file:
        file.writelines(json.dumps(one | {"load": load}) + "\n" for one in found)
    print(f"{len(found)} more, load {load}", flush=True)


def table(found: list[dict[str, Any]]) -> Table:
    """One row a set-up: by role of the victim the groups that lost a partition, of how many, and for how long at most;
    then how long a dead member kept its own."""
    roles = {"leader": (False, False), "+ coordinator": (False, True), "+ controller": (True, False),
             "all three": (True, True)}  # fmt: skip
    shown = Table("set-up", *roles, "dead member's taken over (s)", title="groups that lost a partition")
    for made in dict.fromkeys(one["set_up"] for one in found):
        mine = [one for one in found if one["set_up"] == made]
        cells = []
        for controller, coordinator in roles.values():
            s = [o["unowned_s"] for o in mine if o.get("controller") == controller and o["coordinator"] == coordinator]
            hit = [seconds for seconds in s if seconds]
            cells.append(f"{len(hit)} of {len(s)}" + (f", up to {max(hit):.1f} s" if hit else ""))
        took = [one["takeover_s"] for one in mine if "takeover_s" in one]
        spread = f"{statistics.median(took):.1f} ({min(took):.1f} to {max(took):.1f}, n = {len(took)})" if took else ""
        shown.add_row(made, *cells, spread)
    return shown


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--rounds", type=int, default=3)
    given = words.parse_args()
    if given.rounds:
        measure(given.out, given.rounds)
    Console(width=160).print(table([json.loads(line) for line in given.out.read_text().splitlines()]))


if __name__ == "__main__":
    main()
