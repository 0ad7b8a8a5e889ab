"""Settings, ports and the configuration of the brokers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from factorylab.cluster.local import kafka_config, ports
from factorylab.cluster.settings import load_settings, project_folder
from factorylab.core.errors import PortTaken, UsageError
from factorylab.core.kafka_versions import DEFAULT_KAFKA, KAFKA_VERSIONS


def test_all_wrong_settings_are_named_at_once(monkeypatch):
    """Each wrong variable has a line with its value and the rule."""
    monkeypatch.setenv("FACTORYLAB_BACKEND", "mainframe")
    monkeypatch.setenv("FACTORYLAB_PORT_BASE", "80")
    monkeypatch.setenv("FACTORYLAB_POSTGRES_BIN", "/nowhere")
    with pytest.raises(UsageError) as caught:
        load_settings()
    said = str(caught.value)
    assert "FACTORYLAB_BACKEND: Input should be 'auto', 'local', 'compose' or 'external'" in said
    assert "FACTORYLAB_PORT_BASE: Input should be greater than or equal to 1024 (given: '80')" in said
    assert "FACTORYLAB_POSTGRES_BIN: no initdb and no postgres" in said and "(given: '/nowhere')" in said


def test_the_lab_belongs_to_the_project(tmp_path, monkeypatch):
    """From a folder inside the project the lab is the project's, elsewhere the current folder's."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "factorylab"\n')
    inside = tmp_path / "notebooks" / "deep"
    inside.mkdir(parents=True)
    assert project_folder(inside) == tmp_path
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert project_folder(inside) == inside
    monkeypatch.chdir(inside)
    monkeypatch.delenv("FACTORYLAB_HOME", raising=False)
    assert load_settings().home == inside / ".lab"


def test_the_cache_follows_xdg(tmp_path, monkeypatch):
    """XDG_CACHE_HOME moves the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FACTORYLAB_CACHE", raising=False)
    assert load_settings().cache == tmp_path / "factorylab"


def test_three_nodes_agree_and_stay_on_loopback(tmp_path):
    """Every node has ports of its own on loopback, all name the same quorum, and inner topics have 3 copies."""
    places = ports.choose(tmp_path, None, tmp_path / "claims").brokers
    nodes = [kafka_config.properties(place, places) for place in places]
    assert len({node["controller.quorum.voters"] for node in nodes}) == 1
    assert len({port for place in places for port in (place.port, place.quorum_port)}) == 6
    for node in nodes:
        listeners = [item.split("://")[1] for item in node["listeners"].split(",")]
        assert all(listener.startswith("127.") for listener in listeners)
        assert node["offsets.topic.replication.factor"] == node["transaction.state.log.replication.factor"] == "3"
        assert node["transaction.state.log.min.isr"] == "2"
        assert "broker.session.timeout.ms" not in node
        assert "min.insync.replicas" not in node


@pytest.mark.parametrize("kafka", KAFKA_VERSIONS)
def test_a_node_has_features_and_an_identity(tmp_path, kafka):
    """A written node holds Kafka's own checkpoint, where its version looks for it, and a directory id that no other
    node has."""
    places = ports.choose(tmp_path, None, tmp_path / "claims").brokers
    folders = [tmp_path / str(place.number) for place in places]
    for folder, place in zip(folders, places, strict=True):
        kafka_config.write_node(folder, place, places, kafka, b"checkpoint")
    metas = [(folder / "data" / "meta.properties").read_text() for folder in folders]
    ids = {line for meta in metas for line in meta.splitlines() if line.startswith("directory.id=")}
    assert len(ids) == 3
    found = [(folder / "data" / kafka_config.CHECKPOINTS[kafka]).read_bytes() for folder in folders]
    assert found == [b"checkpoint"] * 3


def test_a_taken_port_is_named_with_its_owner(tmp_path):
    """A pinned port that somebody listens on is refused with the port and the process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        base = min(port, 65_535 - ports.BLOCK)
        with pytest.raises(PortTaken, match=rf"port {port} is taken by .*process {os.getpid()}"):
            ports.choose(Path("/lab"), base, tmp_path / "claims")


def test_a_lab_goes_round_a_taken_port(tmp_path):
    """A free choice skips the block in which a port is taken, and two folders begin at different places."""
    first = ports.choose(tmp_path, None, tmp_path / "claims")
    with socket.create_server((first.brokers[0].address, first.brokers[0].port)):
        second = ports.choose(tmp_path, None, tmp_path / "claims")
    assert second.brokers[0].port > first.brokers[0].port or second.brokers[0].port < first.database_port
    assert first.brokers[0].port not in {place.port for place in second.brokers}
    assert ports.start_of(tmp_path / "a") != ports.start_of(tmp_path / "b")


def test_a_nodes_files_name_no_folder_of_this_machine(tmp_path):
    """Wherever a node lies, its files are the same ASCII: no name of a folder can be misread in them."""
    places = ports.choose(tmp_path, None, tmp_path / "claims").brokers
    written = []
    for folder in (tmp_path / "plain", tmp_path / "Prüfstand 7, x=1;"):
        kafka_config.write_node(folder, places[0], places, DEFAULT_KAFKA, b"checkpoint")
        written.append((folder / kafka_config.CONFIG).read_bytes())
    assert written[0] == written[1]
    assert written[0].isascii() and str(tmp_path).encode() not in written[0]


def test_java_reads_back_what_was_written(tmp_path):
    """Blanks at either end, backslashes and letters beyond ASCII are escaped as Java's .properties want them."""
    values = {"a": " C:\\temp ", "b=c": "Prüfstand\t7", "#d": "!"}
    kafka_config.write_properties(tmp_path / "file", values)
    assert (tmp_path / "file").read_text(encoding="ascii").splitlines() == [
        "\\#d=\\!", "a=\\ C\\:\\\\temp ", "b\\=c=Pr\\u00fcfstand\\t7"
    ]  # fmt: skip
