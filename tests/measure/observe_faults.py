"""How well `factorylab observe` finds faults that are planted in a real cluster, and what it costs the brokers.

    python -m tests.measure.observe_faults --pauses 10 --kills 3 --moves 3
    python -m tests.measure.observe_faults --idle 3 --idle-s 60

A pause (SIGSTOP) is shorter than the broker's session: every partition is out from the injection to the healing.
A kill goes on beyond the session. A partition that the victim followed is served again when it is out of the ISR; one
that it led when the new leader tells its end, which it does once its follower has caught up: the others are asked 20
times a second, by no client of the observer's. A move of a leader is an event: it may pass without an outage.
With --idle, the CPU time of the three brokers of an idle cluster with and without an observer, in turn.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.settings import load_settings
from factorylab.core.waiting import wait_until
from tests.support.labs import pid_of, shell

TOPIC = "factorylab-canary"
QUIET_S, KILL_S, WITHIN_S = 4.0, 14.0, 0.5
PAUSES_S = (1.5, 5.0)
RETURN_S = 2.0  # what begins so shortly after the end of a fault, or a return of leaders, is of it


@dataclass(frozen=True)
class Planted:
    """What was done when, in seconds since 1970. `ends` by partition."""

    kind: str
    what: str
    start_s: float
    ends: Mapping[int, float]


@contextmanager
def observer(bootstrap: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`factorylab observe` in a process of its own, from the moment at which it observes; ended as by Ctrl-C."""
    properties = folder / "client.properties"
    properties.write_text(f"bootstrap.servers={bootstrap}\n")
    command = [sys.executable, "-m", "factorylab", "observe", str(properties), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=shell()) as process:
        assert process.stderr is not None
        said = ""
        while "observing" not in said:
            line = process.stderr.readline()
            assert line, f"the observer ended: {said}"
            said += line
        yield process
        if process.poll() is None:
            process.terminate()


def planted(cluster: LocalCluster, admin: Admin, args: argparse.Namespace) -> Iterator[Planted]:
    """Plant everything, in turn with quiet times. Leaders go home after each fault, which is told as well."""
    kinds = ["pause"] * args.pauses + ["kill"] * args.kills + ["move"] * args.moves
    chance = random.Random(args.seed)
    for number, kind in enumerate(kinds):
        admin.wait_full_isr(TOPIC, 60)
        admin.elect_preferred()
        yield Planted("return", "leaders to their first replicas", time.time(), dict.fromkeys(range(3), time.time()))
        time_out(QUIET_S + chance.random())
        victim = 1 + number % 3
        if kind == "pause":
            yield pause(cluster, number, victim, chance.uniform(*PAUSES_S))
        elif kind == "kill":
            yield kill(cluster, number, victim)
        else:
            yield move(admin, number % 3)


def time_out(for_s: float) -> None:
    """Let the cluster alone."""
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        time.sleep(0.02)


def pause(cluster: LocalCluster, number: int, victim: int, for_s: float) -> Planted:
    cluster.inject(number, f"broker-{victim}", "pause")
    start_s = time.time()
    time_out(for_s)
    cluster.heal(number)
    return Planted("pause", f"broker {victim} for {for_s:.1f} s", start_s, dict.fromkeys(range(3), time.time()))


def kill(cluster: LocalCluster, number: int, victim: int) -> Planted:
    others = {n: OneBroker(cluster.endpoints.bootstrap, n, deadline_s=2) for n in (1, 2, 3) if n != victim}
    led = {view.partition for view in next(iter(others.values())).partitions(TOPIC) if view.leader == victim}
    cluster.inject(number, f"broker-{victim}", "kill")
    start_s, ends = time.time(), dict[int, float]()
    while time.time() < start_s + KILL_S:
        for view in next(iter(others.values())).partitions(TOPIC):
            p, leader = view.partition, others.get(view.leader)
            if leader and victim not in view.isr and (p not in led or leader.own_ends(TOPIC, [p])):
                ends.setdefault(p, time.time())
        time.sleep(0.05)
    cluster.heal(number)
    for other in others.values():
        other.close()
    return Planted("kill", f"broker {victim} for {KILL_S:.0f} s", start_s, ends)


def move(admin: Admin, partition: int) -> Planted:
    view = admin.partitions(TOPIC)[partition]
    admin.place(TOPIC, {partition: (*view.replicas[1:], view.replicas[0])})
    admin.elect_preferred()
    moved = wait_until(
        lambda: admin.partitions(TOPIC)[partition].leader == view.replicas[1] and time.time(),
        what="the leader to move", timeout_s=20, every_s=0.02,
    )  # fmt: skip
    return Planted("move", f"leader of partition {partition}", moved, {partition: moved})


def seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def found(fault: Planted, report: Mapping[str, Any]) -> list[str]:
    """A line for each service and partition that the fault must have hit."""
    if fault.kind == "move":
        return [found_move(fault, report)]
    lines = []
    for service in ("produce", "consume"):
        for partition, end_s in fault.ends.items():
            mine = [o for o in report["outages"] if (o["service"], o["partition"]) == (service, partition)
                    and o["end"] and seconds(o["start"]) < end_s and seconds(o["end"]) > fault.start_s]  # fmt: skip
            if len(mine) != 1:
                lines.append(f"MISSED: {service} {partition}: {len(mine)} outages")
                continue
            late_s, end_error_s = seconds(mine[0]["start"]) - fault.start_s, seconds(mine[0]["end"]) - end_s
            good = abs(late_s) <= WITHIN_S and abs(end_error_s) <= WITHIN_S
            lines.append(f"{'found' if good else 'FAR'}: {service} {partition}: start {late_s:+.2f} s, end "
                         f"{end_error_s:+.2f} s, {mine[0]['cause']}")  # fmt: skip
    return lines


def found_move(fault: Planted, report: Mapping[str, Any]) -> str:
    (partition,) = fault.ends
    near = [abs(seconds(e["seen"]) - fault.start_s) for e in report["events"]
            if e["kind"] == "leader" and e["who"] == f"partition {partition}"]  # fmt: skip
    best = min(near, default=float("inf"))
    return f"{'found' if best <= 2 * WITHIN_S else 'MISSED'}: leader event {best:.2f} s from the move"


def faults(cluster: LocalCluster, admin: Admin, args: argparse.Namespace, folder: Path) -> None:
    with observer(cluster.endpoints.bootstrap, folder) as process:
        time_out(2 * QUIET_S)
        first_mb = psutil.Process(process.pid).memory_info().rss / 1e6
        done = list(planted(cluster, admin, args))
        admin.wait_full_isr(TOPIC, 60)
        time_out(QUIET_S)
        rss_mb = psutil.Process(process.pid).memory_info().rss / 1e6
        process.terminate()
        out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    hit, faulty = 0, [fault for fault in done if fault.kind != "return"]
    for fault in faulty:
        lines = found(fault, report)
        whole = all(line.startswith("found") for line in lines)
        hit += whole
        print(f"{'ok ' if whole else 'NOT'} {fault.kind} of {fault.what}")
        print("\n".join(f"      {line}" for line in lines))
    print(f"{hit} of {len(faulty)} faults found within {WITHIN_S} s; {len(report['outages'])} outages in all")
    print(f"verdict {report['verdict']}: {report['because']}; observed {report['observed_s']:.1f} of "
          f"{report['elapsed_s']:.1f} s; canaries {report['canaries']}; RSS {first_mb:.0f} MB "
          f"at first, {rss_mb:.0f} MB at last")  # fmt: skip
    strangers = [outage for outage in report["outages"] if not any(near(outage, fault) for fault in done)]
    print(f"{len(strangers)} outages without a planted fault: {strangers}")


def near(outage: Mapping[str, Any], fault: Planted) -> bool:
    """Can the outage be of the fault?"""
    begins_s, ends_s = seconds(outage["start"]), seconds(outage["end"]) if outage["end"] else float("inf")
    return begins_s < max(fault.ends.values()) + RETURN_S and ends_s > fault.start_s - 1


def idle(cluster: LocalCluster, args: argparse.Namespace, folder: Path) -> None:
    brokers = [psutil.Process(pid_of(cluster.home, f"broker-{number}")) for number in (1, 2, 3)]

    def used() -> float:
        return sum(sum(broker.cpu_times()[:2]) for broker in brokers)

    with observer(cluster.endpoints.bootstrap, folder):  # Java compiles what is used often
        time_out(args.idle_s)
    for _ in range(args.idle):
        time_out(QUIET_S)
        before = used()
        time_out(args.idle_s)
        alone = used() - before
        with observer(cluster.endpoints.bootstrap, folder) as process:
            time_out(5)
            own, before = psutil.Process(process.pid), used()
            own_before = sum(own.cpu_times()[:2])
            time_out(args.idle_s)
            beside, own_s = used() - before, sum(own.cpu_times()[:2]) - own_before
            rss_mb = own.memory_info().rss / 1e6
            process.terminate()
            process.communicate(timeout=60)
        extra = (beside - alone) / args.idle_s
        print(f"three brokers: {alone / args.idle_s:.2%} of a core alone, {beside / args.idle_s:.2%} observed, "
              f"{extra:+.2%}; the observer {own_s / args.idle_s:.2%}, {rss_mb:.0f} MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pauses", "kills", "moves", "idle"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--idle-s", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    settings = load_settings()
    with LocalCluster.up(settings) as cluster, closing(Admin(cluster.endpoints.bootstrap)) as admin:
        if args.idle:
            idle(cluster, args, settings.home)
        if args.pauses + args.kills + args.moves:
            faults(cluster, admin, args, settings.home)


if __name__ == "__main__":
    main()
