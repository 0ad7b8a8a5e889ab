"""The JVM of a broker: its command line, and what is made once for each JDK and version of Kafka.

Two things are prepared once and kept in the cache, under a key of the JDK and the jars:

- the formatted metadata of a new node (a checkpoint of 411 bytes), made by Kafka's StorageTool;
- an ahead-of-time cache of classes (JEP 483, 514; 70 MB), recorded from one broker that starts and stops. It
  halves the start of a broker. The JVM itself refuses a cache that does not fit and starts without.

It is made before the first start and not beside it: nothing may compete with an experiment.
"""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factorylab.cluster import folders
from factorylab.cluster.base import Progress
from factorylab.cluster.local import jars, ports
from factorylab.cluster.local.kafka_config import (
    CHECKPOINTS,
    CLUSTER_ID,
    CONFIG,
    DATA,
    HEAP_MB,
    LOGGING,
    SCRATCH,
    write_config,
    write_node,
)
from factorylab.cluster.places import BrokerPlace
from factorylab.core.errors import StartFailed, WaitTimeout
from factorylab.core.files import exclusive, last_lines
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS, KafkaVersion
from factorylab.core.waiting import wait_until

STARTED = "Kafka Server started"
KEEP_CACHES = 3 * len(KAFKA_VERSIONS)
FORMAT_S = 120
# With Java's own defaults for all but this: in another locale it cannot open a path with letters beyond ASCII.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# Brokers live for minutes and share two cores with what they serve: the optimizing compiler costs more than it returns.
FIRST_COMPILER = "-XX:TieredStopAtLevel=1"
# What is called some twenty times is compiled, not two hundred times: in its first half minute a broker would be slow.
SOON = (
    "-XX:Tier0InvokeNotifyFreqLog=3", "-XX:Tier0BackedgeNotifyFreqLog=6", "-XX:Tier3InvocationThreshold=20",
    "-XX:Tier3MinInvocationThreshold=10", "-XX:Tier3CompileThreshold=40", "-XX:Tier3BackEdgeThreshold=2000",
)  # fmt: skip
# JDK 25 names its adapters in the cache otherwise than it looks for them: it warns, and the start takes longer.
AOT_OPTIONS = ("-XX:+IgnoreUnrecognizedVMOptions", "-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching")


@dataclass(frozen=True)
class Kit:
    """All that it takes to start a broker; `aot` is None where there is no cache, and `note` says why. Its commands are
    run in the folder of a node."""

    java: Path
    kafka: KafkaVersion
    class_path: tuple[Path, ...]
    checkpoint: bytes
    aot: Path | None
    note: str = ""

    def command(self, *extra: str) -> list[str]:
        """The command line of a broker; its temporary files stay beside its configuration."""
        aot = [f"-XX:AOTCache={self.aot}", *AOT_OPTIONS] if self.aot else []
        return [*self._jvm(), *aot, *extra, f"-Djava.io.tmpdir={SCRATCH}", "kafka.Kafka", CONFIG]

    def format_command(self) -> list[str]:
        return [*self._jvm(), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", CONFIG]

    def _jvm(self) -> list[str]:
        return [
            str(self.java), f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", FIRST_COMPILER, *SOON, "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData", "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={LOGGING}",
            "-cp", os.pathsep.join(map(str, self.class_path)),
        ]  # fmt: skip


def cache_key(java: Path, kafka: KafkaVersion) -> str:
    """Names what a cache of classes belongs to: this JDK as it was unpacked, these jars, this machine's kind."""
    home = java.resolve().parent.parent
    modules = (home / "lib" / "modules").stat() if (home / "lib" / "modules").exists() else java.stat()
    parts = [platform.machine(), str(modules.st_size), str(modules.st_mtime_ns), jars.lock_of(kafka).read_text()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def cache_base(java: Path, cache: Path, kafka: KafkaVersion) -> Path:
    """Path without suffix of what is kept for `java` and `kafka`: .checkpoint, and .aot or .no-aot."""
    return cache / "java" / cache_key(java, kafka)


def ensure(java: Path, cache: Path, progress: Progress, kafka: KafkaVersion = DEFAULT_KAFKA) -> Kit:
    """Everything to start brokers of this version with, made or downloaded where it is missing.

    Raises:
        DownloadError: the jars cannot be had.
        StartFailed: this Java cannot run Kafka.
    """
    folders.of_cache(cache).check_name()
    bare = Kit(
        java, kafka, tuple(jars.ensure(jars.folder_of(cache, kafka), progress, jars.read_lock(kafka))), b"", None
    )
    base = cache_base(java, cache, kafka)
    checkpoint, aot, refused = (base.with_suffix(end) for end in (".checkpoint", ".aot", ".no-aot"))
    if not (checkpoint.exists() and (aot.exists() or refused.exists())):
        folders.of_cache(cache).check()
        base.parent.mkdir(exist_ok=True)
        with exclusive(base.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=cache, prefix="train-") as scratch:
            if not checkpoint.exists():
                progress("a first format", 0, 1)
                _format(bare, Path(scratch)).replace(checkpoint)
            if not (aot.exists() or refused.exists()):
                progress("the class cache (once, 10 s)", 0, 1)
                _train(Kit(java, kafka, bare.class_path, checkpoint.read_bytes(), None), Path(scratch), aot, refused)
                progress("the class cache (once, 10 s)", 1, 1)
    note = "" if aot.exists() else f"brokers start slower without a class cache: {refused.read_text().strip()}"
    return Kit(java, kafka, bare.class_path, checkpoint.read_bytes(), aot if aot.exists() else None, note)


def _single() -> BrokerPlace:
    port, quorum = ports.free_block(ports.FIRST, "127.0.0.1", 2)
    return BrokerPlace(1, "127.0.0.1", port, quorum)


def _format(kit: Kit, scratch: Path) -> Path:
    place = _single()
    write_config(scratch, place, [place])
    done = subprocess.run(
        kit.format_command(), cwd=scratch, env=ENVIRONMENT, capture_output=True, text=True, timeout=FORMAT_S,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise StartFailed(f"{kit.java} cannot format a Kafka node; it needs Java 17 or newer:\n{done.stderr[-2000:]}")
    return scratch / DATA / CHECKPOINTS[kit.kafka]


def _train(kit: Kit, scratch: Path, aot: Path, refused: Path) -> None:
    """Record a class cache from a broker that starts and stops; where that fails, write down why."""
    place, node, fresh, log = _single(), scratch / "node", scratch / "fresh.aot", scratch / "log"
    write_node(node, place, [place], kit.kafka, kit.checkpoint)
    with log.open("wb") as output:
        broker = subprocess.Popen(
            kit.command(f"-XX:AOTCacheOutput={fresh}"), cwd=node, env=ENVIRONMENT,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(
            lambda: broker.poll() is not None or STARTED in log.read_text(errors="replace"),
            what="a broker to start",
            timeout_s=90,
        )
        broker.send_signal(signal.SIGTERM)
        broker.wait(90)
    except (WaitTimeout, subprocess.TimeoutExpired) as error:
        refused.write_text(f"{error}\n")
    finally:
        broker.kill()
        broker.wait()
    if fresh.exists():
        fresh.replace(aot)
        _drop_old(aot.parent)
    elif not refused.exists():
        refused.write_text(f"{kit.java} made none: {last_lines(log, 3)}\n")


def _drop_old(folder: Path) -> None:
    """Each new JDK or set of jars leaves one behind: keep the newest few."""
    caches: Sequence[Path] = sorted(folder.glob("*.aot"), key=lambda path: path.stat().st_mtime)
    for path in caches[:-KEEP_CACHES]:
        path.unlink()
