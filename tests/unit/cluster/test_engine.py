"""Where a lab on Docker finds its engine, what it takes of this machine, and what it refuses: no engine needed."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from factorylab.cluster import cgroups
from factorylab.cluster.backends import bring_up
from factorylab.cluster.docker import attempts, compose, engine, image_code, images
from factorylab.cluster.docker.creation import FILE, LOCKED_DOWN
from factorylab.cluster.local import kafka_config
from factorylab.cluster.settings import Settings, load_settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.core.programs import FLEET, OF_IMAGES
from factorylab.execution.workers import PROCESSORS
from factorylab.scenarios.model import Fault

COMPOSE: Mapping[str, Any] = MappingProxyType(yaml.safe_load(FILE.read_text()))


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's Docker is known."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


# -- finding the engine


def test_the_chosen_context_names_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DOCKER_HOST wins; without it the context that was chosen does; without that it is the usual socket."""
    assert engine.address() == engine.DEFAULT_SOCKET
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    host = {"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///run/mine.sock"}}}
    (meta / "meta.json").write_text(json.dumps(host))
    (tmp_path / "config.json").write_text('{"currentContext": "mine"}')
    assert engine.address() == "unix:///run/mine.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/named.sock")
    assert engine.address() == "unix:///run/named.sock"


@pytest.mark.parametrize("where", ["tcp://10.0.0.1:2375", "ssh://me@host"])
def test_another_machines_engine_is_refused(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """An engine elsewhere could give neither journals nor evidence: refused before it is asked."""
    monkeypatch.setenv("DOCKER_HOST", where)
    with pytest.raises(EnvironmentUnfit, match=r"not this machine's own.*--backend local"):
        engine.knock()


def test_a_socket_that_nobody_listens_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No socket, and a socket without an engine behind it, are told apart, each with the way out."""
    path = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with pytest.raises(EnvironmentUnfit, match=r"is not there.*--backend local"):
        engine.knock()
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(path))
    with pytest.raises(EnvironmentUnfit, match=r"no Docker engine answers at .*: start it"):
        engine.knock()


def test_a_socket_that_others_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that may not use the engine is told how it may."""

    class Forbidden(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(engine.socket, "socket", Forbidden)
    with pytest.raises(EnvironmentUnfit, match="usermod -aG docker"):
        engine.knock()


def test_without_an_engine_auto_is_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why a lab cannot run on Docker is said, and nothing is raised."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nothing'}")
    assert "no Docker engine runs here" in compose.ComposeCluster.why_not(load_settings())


# -- what a lab takes


def test_each_folder_has_a_project_of_its_own() -> None:
    """Two folders never share a project, and one always has the same; Docker accepts the name."""
    names = [compose.project_of(Path(f"/somewhere/{name}/.lab")) for name in ("a", "b", "a")]
    assert names[0] == names[2] != names[1]
    assert names[0].replace("-", "").isalnum() and names[0].islower()


def test_a_network_that_nobody_uses() -> None:
    """What the engine or a network card has is never taken; where all is taken, that is said."""
    home = Path("/somewhere/.lab")
    first = compose.free_network(home, [])
    assert first == compose.free_network(home, ["fd00::/64"])
    assert compose.free_network(home, [f"{first}.0/24"]) != first
    with pytest.raises(EnvironmentUnfit, match="docker network prune"):
        compose.free_network(home, ["10.0.0.0/8"])


def test_a_fault_that_the_backend_cannot_make_is_refused_at_once(tmp_path: Path) -> None:
    """A disconnect needs Docker: local refuses it before anything starts."""
    settings: Settings = load_settings().model_copy(update={"home": tmp_path / "lab", "backend": "local"})
    with pytest.raises(EnvironmentUnfit, match=r"the backend local cannot disconnect: .*--backend compose"):
        bring_up(settings, faults=[Fault(kind="disconnect", target="leader:0")])
    assert not (tmp_path / "lab").exists()


# -- evidence


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        ("6:freezer:/docker/x\n0::/docker/x\n", "freezer/docker/x/freezer.state", "FROZEN\n"),
        ("0::/system.slice/docker-x.scope\n", "system.slice/docker-x.scope/cgroup.events", "populated 1\nfrozen 1\n"),
    ],
    ids=["first generation", "second generation"],
)
def test_the_freezers_word_counts(tmp_path: Path, groups: str, file: str, text: str) -> None:
    """A process is frozen where its control group says so, and not where it says something else or nothing."""
    told = tmp_path / "sys/fs/cgroup" / file
    told.parent.mkdir(parents=True)
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cgroup").write_text(groups)
    assert not cgroups.frozen(7, tmp_path)
    told.write_text(text.replace("FROZEN", "THAWED").replace("frozen 1", "frozen 0"))
    assert not cgroups.frozen(7, tmp_path)
    told.write_text(text)
    assert cgroups.frozen(7, tmp_path)
    assert not cgroups.frozen(8, tmp_path)


def test_a_shells_answer_comes_in_frames() -> None:
    """What was reached is read from Docker's frames, however they are cut, and an end in the middle is an error."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for piece in (b"broker-1\nbro", b"ker-3\n", b"END\n"):
            theirs.sendall(b"\1\0\0\0" + len(piece).to_bytes(4) + piece)
        assert attempts._read(ours) == {"broker-1", "broker-3"}
        theirs.sendall(b"\1\0\0\0\0")
        theirs.close()
        with pytest.raises(OSError, match="the shell ended"):
            attempts._read(ours)


# -- compose.yaml and the lab are of one mind


def test_both_backends_run_brokers_alike() -> None:
    """Each broker setting of the local backend is in compose.yaml with the same value."""
    given = {key: str(value) for key, value in COMPOSE["x-broker-environment"].items()}
    own = {"inter.broker.listener.name", "listener.security.protocol.map"}  # compose has one listener more
    settings = kafka_config.COMMON | kafka_config.replication(3)
    wanted = {"KAFKA_" + key.upper().replace(".", "_"): value for key, value in settings.items() if key not in own}
    assert {key: given.get(key) for key in wanted} == wanted
    assert given["CLUSTER_ID"] == kafka_config.CLUSTER_ID
    assert f"-Xmx{kafka_config.HEAP_MB}m" in given["KAFKA_HEAP_OPTS"]


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_services_are_locked_down(name: str) -> None:
    """Every service is as little privileged as the containers that the lab makes itself, and the engine never restarts
    one: that would undo a fault."""
    service = COMPOSE["services"][name]
    assert service["restart"] == "no"
    assert {key: service[key] for key in ("read_only", "cap_drop", "security_opt")} == {
        key: LOCKED_DOWN[key] for key in ("read_only", "cap_drop", "security_opt")
    }
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_imports_are_followed_wherever_they_stand() -> None:
    """Inside a function, through a package, by another module; not for types alone, and not outside of the package."""
    files = {
        "__init__.py": "",
        "main.py": "if TYPE_CHECKING:\n import factorylab.types\ndef f():\n import os\n from factorylab.a import b",
        "types.py": "",
        "a/__init__.py": "from factorylab.c import thing",
        "a/b.py": "try:\n    import factorylab.d\nexcept ImportError: pass",
        "a/unused.py": "",
        "c.py": "from factorylab import whole",
        "d.py": "",
        "whole/__init__.py": "",
        "whole/one.py": "from factorylab import e",
        "e.py": "",
    }
    found = image_code.reached({path: text.encode() for path, text in files.items()}, ["factorylab.main"])
    assert files.keys() - found.keys() == {"types.py", "a/unused.py"}


def test_what_is_imported_later_or_found_in_a_folder_is_compared() -> None:
    """Steps of the schema, detectors and what a function imports count; what no worker runs does not."""
    found = images.code_here().keys()
    steps = {
        str(path.relative_to(images.PACKAGE)) for path in images.PACKAGE.glob("factory/store/migrations/versions/*.py")
    }
    assert (
        steps
        and steps | {"detectors/energy.py", "factory/store/schema.py", "execution/controls/naive_processor.py"} <= found
    )
    unused = {"execution/runner.py", "execution/probe.py", "cluster/supervisor/supervisor.py", "audit/judge.py"}
    assert not unused & found and all((images.PACKAGE / path).is_file() for path in unused)


def test_the_image_runs_the_programs_that_are_followed() -> None:
    """No processor of a run and no service of compose.yaml is a program whose code goes uncompared."""
    commands = [service["command"] for service in COMPOSE["services"].values() if "-m" in service.get("command", ())]
    assert {*PROCESSORS.values(), *(command[-1] for command in commands)} | {FLEET} == set(OF_IMAGES)


def test_the_image_has_every_package_that_its_programs_import() -> None:
    """Also what a fleet imports later, to replay a recording; psutil is for hosts that have no boot id."""
    wanted = re.search(r'PACKAGES="([^"]*)"', (FILE.parent / "Dockerfile").read_text())
    assert wanted
    there = {*wanted[1].replace("\\", " ").split(), "psutil"}
    sources = [ast.parse(code) for code in images.code_here().values()]
    nodes = [node for tree in sources for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in names} - {"factorylab"} - sys.stdlib_module_names
    distributions = packages_distributions()
    lacking = [name for name in packages if not there & {canonical(of) for of in distributions[name]}]
    assert packages and not lacking


def canonical(distribution: str) -> str:
    """A distribution's name as lock files have it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_the_labs_services_are_there() -> None:
    """What the lab starts by name is in the file, with fixed addresses."""
    for name in compose.SERVICES:
        assert COMPOSE["services"][name]["networks"]["lab"]["ipv4_address"]
