"""What a check says of Java's clients is what their constructors do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import javaproperties
import pytest

from factorylab.cluster.local import jars
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import DownloadError, UsageError
from factorylab.core.kafka_versions import DEFAULT_KAFKA
from factorylab.scenarios.configuration.effective import Side
from factorylab.scenarios.configuration.entries import REFERENCE
from factorylab.scenarios.configuration.keys import Role, kafka
from factorylab.scenarios.configuration.refusals import refused
from factorylab.scenarios.configuration.settings_file import SettingsFile, read
from tests.support.places import ROOT
from tests.support.property_files import SETS, known

ASK = ROOT / "tests/support/AskClients.java"
IN_FLIGHT = "max.in.flight.requests.per.connection"
ALMOST: tuple[tuple[Role, dict[str, str]], ...] = (
    ("producer", {}),
    ("producer", {"acks": "1"}),
    ("producer", {"acks": "1", "enable.idempotence": "true"}),
    ("producer", {"acks": "1", IN_FLIGHT: "6"}),
    ("producer", {"retries": "0"}),
    ("producer", {"retries": "0", "enable.idempotence": "true"}),
    ("producer", {IN_FLIGHT: "5"}),
    ("producer", {IN_FLIGHT: "6"}),
    ("producer", {IN_FLIGHT: "6", "enable.idempotence": "false"}),
    ("producer", {"delivery.timeout.ms": "30004"}),
    ("producer", {"delivery.timeout.ms": "30005"}),
    ("producer", {"request.timeout.ms": "200000"}),
    ("producer", {"request.timeout.ms": "200000", "delivery.timeout.ms": "120000"}),
    ("producer", {"transactional.id": "t"}),
    ("producer", {"transactional.id": "t", "acks": "1"}),
    ("producer", {"transactional.id": "t", "enable.idempotence": "false"}),
    ("producer", {"transactional.id": ""}),
    ("producer", {"transactional.id": "t", "transaction.two.phase.commit.enable": "true"}),
    (
        "producer",
        {"transactional.id": "t", "transaction.two.phase.commit.enable": "true", "transaction.timeout.ms": "9"},
    ),
    ("producer", {"acks": "ALL"}),
    ("producer", {"linger.ms": " +5 "}),
    ("producer", {"linger.ms": "5.0"}),
    ("producer", {"compression.gzip.level": "0"}),
    ("consumer", {}),
    ("consumer", {"enable.auto.commit": "true"}),
    ("consumer", {"group.id": ""}),
    ("consumer", {"group.id": "g", "session.timeout.ms": "3000"}),
    ("consumer", {"group.id": "g", "session.timeout.ms": "3001"}),
    ("consumer", {"group.id": "g", "group.protocol": "CONSUMER"}),
    ("consumer", {"group.id": "g", "group.protocol": "consumer", "heartbeat.interval.ms": "3000"}),
    ("consumer", {"group.id": "g", "group.protocol": "consumer", "group.remote.assignor": "uniform"}),
    ("consumer", {"group.id": "g", "group.remote.assignor": "uniform"}),
    ("consumer", {"auto.offset.reset": "by_duration:PT1H"}),
    ("consumer", {"auto.offset.reset": "smallest"}),
    ("consumer", {"isolation.level": "READ_COMMITTED"}),
)
"""Settings on both sides of the edge at which a constructor refuses."""


def edges(folder: Path) -> Iterator[SettingsFile]:
    """ALMOST as files."""
    for number, (role, settings) in enumerate(ALMOST):
        path = folder / f"{number}.properties"
        path.write_text(javaproperties.dumps(settings, timestamp=None), encoding="utf-8")
        yield from read(path, role, "java", known())


def sets() -> Iterator[SettingsFile]:
    """All sets that are of a Java client, but one whose values stand elsewhere: nobody fills them in here."""
    for path in sorted(SETS.glob("*.properties")):
        with suppress(UsageError):
            for file in read(path, None, None, known()):
                elsewhere = any(REFERENCE.search(entry.value) for entry in file.entries)
                if file.definitions is kafka() and file.role != "broker" and not elsewhere:
                    yield file


def test_a_file_starts_where_the_constructor_takes_it(tmp_path: Path) -> None:
    """Of every set and every edge the constructor of kafka-clients accepts what the check lets start, and refuses the
    rest. It takes some seconds of Java."""
    if shutil.which("javac") is None:
        pytest.skip("Java's compiler is not on the PATH")
    try:
        path = jars.ensure(
            jars.folder_of(load_settings().cache, DEFAULT_KAFKA), lambda *_: None, jars.read_lock(DEFAULT_KAFKA)
        )
    except DownloadError as error:
        pytest.skip(str(error))
    (tmp_path / "edges").mkdir()
    (tmp_path / "asked").mkdir()
    asked = [*edges(tmp_path / "edges"), *sets()]
    lines = []
    for number, file in enumerate(asked):
        file.problems.extend(refused(Side(file)))
        used = tmp_path / "asked" / str(number)
        used.write_text(javaproperties.dumps({e.key: e.value for e in file.given.values()}, timestamp=None))
        lines.append(f"{file.role}\t{used}")
    done = subprocess.run(
        ["java", "-cp", os.pathsep.join(map(str, path)), str(ASK)],
        input="\n".join(lines), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answers = [line for line in done.stdout.splitlines() if line]
    wrong = [
        (file.path.name, answer, [problem.text for problem in file.problems if problem.stops])
        for file, answer in zip(asked, answers, strict=True)
        if (answer == "starts") != file.starts
    ]
    assert len(asked) > 50 and wrong == []
