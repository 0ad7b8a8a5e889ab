"""The lock of jars and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests

from factorylab.cluster.driver import quiet
from factorylab.cluster.local import jars
from factorylab.cluster.local.jars import Jar
from factorylab.core.errors import DownloadError
from factorylab.core.kafka_versions import KAFKA_VERSIONS

GOOD = b"what was locked"
LOCKED = [Jar(f"org.example:part-{n}:1.0", hashlib.sha256(GOOD).hexdigest()) for n in range(5)]


def fetcher(content: bytes, broken: str = ""):
    """A download that brings `content`, or fails for the jar named `broken`."""

    def fetch(jar: Jar, repository: Path) -> Path:
        if broken and broken in jar.coordinates:
            raise requests.ConnectionError("no route")
        path = repository / jar.file_name
        path.write_bytes(content)
        return path

    return fetch


def test_each_version_has_a_lock():
    """The versions that a scenario may name are those whose jars are locked."""
    assert {jars.lock_of(kafka) for kafka in KAFKA_VERSIONS} == set(Path(jars.__file__).parent.glob("jars-*.lock"))


def test_no_two_versions_share_a_folder():
    """All jars of a folder can be a class path: no other version lies there."""
    assert len({jars.folder_of(Path("cache"), kafka) for kafka in KAFKA_VERSIONS}) == len(KAFKA_VERSIONS)


@pytest.mark.parametrize("kafka", KAFKA_VERSIONS)
def test_a_committed_lock_is_exact(kafka):
    """Each line of a lock is group:artifact:version and a SHA-256, no file name twice, Kafka of its version and the log
    binding included."""
    locked = jars.read_lock(kafka)
    assert all(len(jar.coordinates.split(":")) == 3 and len(bytes.fromhex(jar.sha256)) == 32 for jar in locked)
    assert len({jar.file_name for jar in locked}) == len(locked)
    names = {jar.coordinates for jar in locked}
    log4j = {name.rpartition(":")[2] for name in names if name.startswith("org.apache.logging.log4j:")}
    assert {f"{jars.KAFKA}:{kafka}", f"{jars.KAFKA_TOOLS}:{kafka}"} <= names
    assert {name.rpartition(":")[2] for name in names if name.startswith("org.apache.kafka:")} == {kafka}
    assert len(log4j) == 1
    assert any(name.startswith(jars.LOG_BINDING) for name in names)


def test_a_wrong_checksum_is_refused(tmp_path, monkeypatch):
    """A download with another content never gets its final name, and the error names the coordinates."""
    monkeypatch.setattr(jars, "fetch", fetcher(b"something else"))
    with pytest.raises(DownloadError, match=r"org\.example:part-.*refused"):
        jars.ensure(tmp_path / "jars", quiet, LOCKED)
    assert not list((tmp_path / "jars").iterdir())


def test_a_failed_download_says_why_and_resumes(tmp_path, monkeypatch):
    """Without a network the error says what to do; what had come is kept and only the rest is fetched again."""
    monkeypatch.setattr(jars, "fetch", fetcher(GOOD, broken="part-4"))
    with pytest.raises(DownloadError, match=r"part-4.*HTTPS_PROXY.*try again"):
        jars.ensure(tmp_path / "jars", quiet, LOCKED)
    kept = {jar.coordinates for jar in LOCKED} - {jar.coordinates for jar in jars.missing(tmp_path / "jars", LOCKED)}
    asked = []

    def fetch(jar: Jar, repository: Path) -> Path:
        asked.append(jar.coordinates)
        return fetcher(GOOD)(jar, repository)

    monkeypatch.setattr(jars, "fetch", fetch)
    assert len(jars.ensure(tmp_path / "jars", quiet, LOCKED)) == len(LOCKED)
    assert set(asked) == {jar.coordinates for jar in LOCKED} - kept
    assert not list(tmp_path.glob("download-*"))


def test_a_changed_jar_is_fetched_again(tmp_path, monkeypatch):
    """A jar in the cache whose content changed counts as missing."""
    monkeypatch.setattr(jars, "fetch", fetcher(GOOD))
    paths = jars.ensure(tmp_path / "jars", quiet, LOCKED)
    paths[2].write_bytes(b"tampered with")
    assert jars.missing(tmp_path / "jars", LOCKED) == [LOCKED[2]]
    jars.ensure(tmp_path / "jars", quiet, LOCKED)
    assert paths[2].read_bytes() == GOOD
