"""A lab of another version: its image, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.cluster.base import LogFile
from factorylab.cluster.docker import images
from factorylab.cluster.docker.creation import FILE
from factorylab.cluster.driver import Driver, quiet
from factorylab.cluster.external.backend import ExternalCluster
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.kafka_versions import DEFAULT_KAFKA


class Lab(Driver):
    """A driver of a lab whose first broker wrote `told` when it started."""

    def __init__(self, home: Path, told: str, *, was_up: bool) -> None:
        self.home, self.was_up = home, was_up
        (home / "log").write_text(f"INFO org.apache.kafka.common.utils.AppInfoParser - Kafka version: {told}\n")

    def log_files(self) -> list[LogFile]:
        return [LogFile("broker-1", self.home / "log", 0)]


@pytest.mark.parametrize(
    ("chosen", "image"),
    [
        ("", "apache/kafka:4.4.0"),
        ("mirror.test:5000/kafka", "mirror.test:5000/kafka:4.4.0"),
        ("factorylab-local/kafka:4.3.1", "factorylab-local/kafka:4.4.0"),
        ("apache/kafka@sha256:0123", "apache/kafka@sha256:0123"),
    ],
)
def test_a_version_is_the_tag_of_its_image(monkeypatch: pytest.MonkeyPatch, chosen: str, image: str) -> None:
    """The image of a version is the chosen one, or the official one, with another tag; a digest stays what it is."""
    monkeypatch.setattr(images, "chosen", lambda: {"KAFKA_IMAGE": chosen} if chosen else {})
    assert images.of_version("4.4.0") == {"KAFKA_IMAGE": image}
    assert images.of_version(None) == images.chosen()


def test_containers_and_processes_have_one_default() -> None:
    """Without a choice the image of compose.yaml is of the version that the backend local runs."""
    assert f"{images.OFFICIAL_KAFKA}:{DEFAULT_KAFKA}}}" in FILE.read_text()


@pytest.mark.parametrize(("was_up", "way_out"), [(True, "factorylab down"), (False, "KAFKA_IMAGE")])
def test_brokers_of_another_version_are_refused(tmp_path: Path, was_up: bool, way_out: str) -> None:
    """By their own word, with both versions and the way out; who asks for none takes what is there."""
    lab = Lab(tmp_path, "4.3.1", was_up=was_up)
    with pytest.raises(EnvironmentUnfit, match=rf"Kafka 4\.3\.1, not 4\.4\.0.*{way_out}"):
        lab.check_version("4.4.0")
    lab.check_version("4.3.1")
    lab.check_version(None)


def test_brokers_of_somebody_else_have_the_version_that_they_have() -> None:
    """Where the brokers are not the lab's own a version is refused before anything is asked of them."""
    with pytest.raises(UsageError, match=r"Kafka 4\.4\.0 cannot be chosen.*leave the version out"):
        ExternalCluster.prepare(load_settings(), (), "4.4.0", quiet)
