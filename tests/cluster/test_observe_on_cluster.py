"""`factorylab observe` beside a real cluster that others break, and stopped itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.waiting import wait_until
from tests.support.labs import kill, shell

PAUSED_S, STOPPED_S = 2.5, 1.5
PREFIX = "observed-"


@contextmanager
def observing(cluster: LocalCluster, results: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, from the moment at which it observes, and the address of its page."""
    properties = results / "client.properties"
    properties.write_text(f"bootstrap.servers={cluster.endpoints.bootstrap}\n")
    command = [
        sys.executable,
        "-m",
        "factorylab",
        "observe",
        str(properties),
        "--prefix",
        PREFIX,
        "--json",
        "--live",
        *words,
    ]
    env = shell() | {"FACTORYLAB_RESULTS": str(results)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        assert process.stderr is not None
        said = ""
        while "observing" not in said:
            line = process.stderr.readline()
            assert line, f"it ended: {said}"
            said += line
        yield process, said.partition("live page: ")[2].split()[0]
    finally:
        if process.poll() is None:
            kill(process)


def seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def folder_of(results: Path) -> Path:
    (folder,) = (results / "observe").iterdir()
    return folder


def offered(results: Path) -> int:
    """Canaries that are in the evidence so far."""
    return (folder_of(results) / "canaries.jsonl").read_text().count('"offered"')


def wait_offered(results: Path, more: int) -> None:
    before = offered(results)
    wait_until(lambda: offered(results) >= before + more, what="more canaries", timeout_s=30, every_s=0.1)


def test_a_frozen_broker_and_a_stopped_observer_are_told_apart(
    cluster: LocalCluster, admin: Admin, tmp_path: Path
) -> None:
    """A broker that is frozen for some seconds: each service of each partition is out once, from a canary that was
    served before the injection until after the healing began, with the cause. The observer stopped: not observed, and
    no outage. Over 10 s: both in one observation."""
    (tmp_path / "results").mkdir()
    results = tmp_path / "results"
    with observing(cluster, results, "--rate-hz", "5") as (process, url):
        wait_until((folder_of(results) / "canaries.jsonl").exists, what="evidence", timeout_s=20)
        wait_offered(results, 30)
        cluster.inject(1, "broker-2", "pause")
        injected_s = time.time()
        wait_until(lambda: time.time() > injected_s + PAUSED_S, what="the pause", timeout_s=20)
        healing_s = time.time()
        cluster.heal(1)
        admin.wait_full_isr(f"{PREFIX}canary", 60)
        wait_offered(results, 45)  # what explains an outage may be known a little later
        check_page(kept_moments(url))
        process.send_signal(signal.SIGSTOP)
        stopped_s = time.time()
        wait_until(lambda: time.time() > stopped_s + STOPPED_S, what="the stop", timeout_s=20)
        going_on_s = time.time()
        process.send_signal(signal.SIGCONT)
        wait_offered(results, 30)
        process.send_signal(signal.SIGUSR1)
        wait_until((folder_of(results) / "report.md").exists, what="the report", timeout_s=20)
        process.terminate()
        out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    check_outages(report, injected_s, healing_s)
    assert any(
        seconds(one["start"]) <= stopped_s + 0.1 and seconds(one["end"]) >= going_on_s and "did not run" in one["why"]
        for one in report["not_observed"]
    )
    assert process.returncode == 1 and report["verdict"] == "FAIL"
    canaries = report["canaries"]
    assert canaries["lost"] == canaries["doubled"] == canaries["reordered"] == 0 < canaries["not_offered"]
    assert canaries["read"] == canaries["offered"]


def kept_moments(url: str) -> list[dict[str, Any]]:
    """What the page is told at first: the moments so far."""
    with httpx.stream("GET", f"{url}moments") as answer:
        data = next(line for line in answer.iter_lines() if line.startswith("data: "))
    return list(json.loads(data.removeprefix("data: ")))


def check_page(moments: list[dict[str, Any]]) -> None:
    """Each outage of the fault is on the page, with a mark of what explains it, and who leads is known at first."""
    told = {(one["service"], one["partition"]): one for moment in moments for one in moment["outages"]}
    assert len(told) == 6 and {one["cause"] for one in told.values()} <= {"no leader", "ISR waits"}
    assert any("broker 2" in mark["text"] for moment in moments for mark in moment["marks"])
    assert any(one["leader"] for moment in moments for one in moment["partitions"])


def check_outages(report: dict[str, Any], injected_s: float, healing_s: float) -> None:
    """Those of the fault are there, and no others."""
    found = report["outages"]
    assert sorted((one["service"], one["partition"]) for one in found) == [
        (service, partition) for service in ("consume", "produce") for partition in range(3)
    ]
    for one in found:
        assert seconds(one["start"]) - one["start_error_s"] <= injected_s < seconds(one["start"]) + one["lasted_s"]
        assert one["end"] is not None and (seconds(one["end"]) >= healing_s or not one["ends_seen"])
        assert one["cause"] in {"no leader", "ISR waits"} and any("broker 2" in event for event in one["events"])
