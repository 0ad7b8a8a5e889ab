"""What is left in a shell changes no run: what the lab's processes and connections get of their environment."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import ClassVar

import pytest

from factorylab.cluster import settings
from factorylab.cluster.base import Endpoints
from factorylab.cluster.local import java
from factorylab.core import environment
from factorylab.core.errors import ScenarioError
from factorylab.core.names import Names
from factorylab.core.sources import Sourced, load, read_properties
from factorylab.execution import workers
from factorylab.execution.probe import ProbeConfig
from factorylab.execution.setup import SetupConfig
from factorylab.factory.config import FleetConfig, ProcessorConfig, from_environment
from factorylab.history.run_folders import RunFolder
from factorylab.scenarios.model import Fault, Scenario, Workload, scenario_from
from tests.support.foreign_variables import FOREIGN, OF_WORKERS, shell

__all__ = ["shell"]  # fixtures


PACKAGE = Path(environment.__file__).parents[1]


# -- workers


def crew(tmp_path: Path, wanted: Scenario) -> workers.Crew:
    """The workers of a run, none of which was started."""

    class Elsewhere:
        endpoints = worker_endpoints = Endpoints("a:1,b:2,c:3", "postgresql://u:hunter2@h/d")
        client_settings: ClassVar[dict[str, str]] = {}

    run = RunFolder(tmp_path / "one-0a1b2c")
    run.raw.mkdir(parents=True)
    private = tmp_path / "private"
    private.mkdir()
    return workers.Crew(wanted, run, Elsewhere(), Names.of("0a1b2c"), tmp_path / "home", private)  # type: ignore[arg-type]


def configs(found: workers.Crew) -> dict[str, Sourced]:
    return {**found.fleets, **found.processors, "probe": found.probe}


def test_what_is_left_in_a_shell_changes_no_worker(tmp_path: Path, shell: pytest.MonkeyPatch) -> None:
    """The same scenario gives the same variables to all workers, whatever variables and file the shell has."""
    wanted = Scenario(name="one", workload=Workload(fleets=2), faults=(Fault(kind="pause", target="database"),))
    left = {name: config.environ() for name, config in configs(crew(tmp_path / "a", wanted)).items()}
    for name in (*OF_WORKERS, "FACTORYLAB_CONFIG"):
        shell.delenv(name)
    plain = {name: config.environ() for name, config in configs(crew(tmp_path / "a/../b", wanted)).items()}
    assert str(plain).replace(str(tmp_path / "a/../b"), str(tmp_path / "a")) == str(left)
    assert plain.keys() == {"fleet-0", "fleet-1", "processor-0", "processor-1", "probe"}


def test_the_manifest_has_the_settings_of_every_worker(tmp_path: Path) -> None:
    """Each setting that a worker has stands in the manifest; no password, and no folder of this machine."""
    source = tmp_path / "plant.csv"
    source.write_text("timestamp,value\n2026-01-01 00:00:00,1\n")
    wanted = Scenario(name="one", workload=Workload(source=source), faults=(Fault(kind="pause", target="database"),))
    found = crew(tmp_path, wanted)
    shown = found.settings()
    assert {name: set(own) for name, own in shown.items()} == {
        name: set(type(config).model_fields) for name, config in configs(found).items()
    }
    assert (shown["fleet-0"]["source"], shown["fleet-0"]["kinds"]) == (
        "plant.csv",
        ["temperature", "vibration", "energy"],
    )
    assert shown["processor-0"]["consumer_config"] == "raw/consumer.properties"
    assert shown["processor-1"]["batch_wait_s"] == 0.05 and shown["probe"]["partitions"] == 3
    assert "hunter2" not in str(shown) and str(tmp_path) not in str(shown)


def test_what_a_run_does_not_heed_is_told_in_one_line(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line names every variable and key of the file that a run leaves out, and an empty variable is none."""
    shell.setenv("FACTORYLAB_SOURCE", "")
    told = settings.left_out()
    assert "\n" not in told and "FACTORYLAB_SOURCE" not in told and "FACTORYLAB_CONFIG" not in told
    documented = OF_WORKERS.keys() - {"FACTORYLAB_PROBE_NETWORK"}
    for name in (*documented, f"report_every_s in {tmp_path / 'left.properties'}", "anomaly.rate"):
        assert name in told
    for name in (*OF_WORKERS, "FACTORYLAB_CONFIG"):
        shell.delenv(name)
    assert settings.left_out() == ""


def test_children_get_nothing_foreign(shell: pytest.MonkeyPatch) -> None:
    """Brokers, tools, Docker's command line and the kernel of a notebook have no variable of somebody else."""
    shell.setenv("HTTPS_PROXY", "http://proxy:1")
    shell.setenv("DOCKER_HOST", "unix:///run/d.sock")
    shell.setenv("LC_ALL", "")
    shell.setenv("DOCKER_CONTEXT", "")
    kinds = {
        "java": java.ENVIRONMENT,
        "tool": environment.tool(),
        "python": environment.python(),
        "docker": environment.docker(),
        "driver": environment.driver(),
    }
    for given in kinds.values():
        assert (
            not {*FOREIGN, *OF_WORKERS, "LC_ALL", "DOCKER_CONTEXT"} - {"PYTHONPATH", *java.ENVIRONMENT} & given.keys()
        )
        assert given["PATH"] == os.environ["PATH"] and given.get("PYTHONPATH", "") != "/nonexistent"
    assert {kind for kind, given in kinds.items() if "HTTPS_PROXY" in given} == {"driver"}
    assert {kind for kind, given in kinds.items() if "DOCKER_HOST" in given} == {"docker", "driver"}


def test_every_child_process_is_given_its_environment() -> None:
    """No call that starts a program leaves its environment to chance."""
    starts = {"subprocess.run", "subprocess.Popen", "asyncio.create_subprocess_exec"}
    bare = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in starts:
                bare += [] if any(word.arg == "env" for word in node.keywords) else [f"{file.name}:{node.lineno}"]
    assert bare == []


# -- empty variables


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What compose writes for `${X:-}` gives defaults in every kind of settings, and so does an empty key of a file."""
    kinds = (FleetConfig, ProcessorConfig, SetupConfig, ProbeConfig, settings.Settings)
    for name in {environment_name for kind in kinds for environment_name in names_of(kind)}:
        monkeypatch.setenv(name, "")
    given = {"bootstrap": "a:1", "worker": "w", "database_url": "postgresql://u@h/d"}
    file = tmp_path / "x.properties"
    file.write_text("".join(f"{k}={v}\n" for k, v in given.items()) + "batch.wait.s=\nkinds= \nsource\\\n =\n")
    monkeypatch.setenv("FACTORYLAB_CONFIG", str(file))
    monkeypatch.setenv("FACTORYLAB_BATCH_WAIT", "")  # almost one of ours, but none at all
    assert from_environment(FleetConfig) == FleetConfig(bootstrap="a:1", worker="w")
    assert from_environment(ProcessorConfig).batch_wait_s == 0.05
    assert (
        load(SetupConfig, {"bootstrap", "worker", "database_url", "batch_wait_s", "kinds", "source"}).profile
        == "factory"
    )
    assert settings.load_settings().backend == "auto"
    monkeypatch.setenv("FACTORYLAB_CONFIG", "")
    assert settings.load_settings().home.name == ".lab"


def names_of(kind: type[Sourced]) -> list[str]:
    return [kind.model_config["env_prefix"] + field.upper() for field in kind.model_fields]


def test_an_empty_setting_is_refused_where_it_would_be_lost() -> None:
    """A name of a column cannot be empty: as a variable it would be an unset one."""
    for column in ("time_column", "value_column"):
        with pytest.raises(ScenarioError, match=column):
            scenario_from({"name": "one", "workload": {column: ""}}, "one.yaml")


def test_all_connections_are_made_in_one_place() -> None:
    """Nothing else in the package opens a connection to PostgreSQL."""
    assert [f.name for f in PACKAGE.rglob("*.py") if "psycopg2.connect" in f.read_text()] == ["libpq.py"]


# -- .properties


VALUES = {
    "plain": "5", "backslashes": r"C:\temp\new", "blanks": "  both  ", "tab": "\tx\t", "signs": "=:#! a=b:c",
    "comment": "#no", "bang": "!no", "umlaut": "Münze", "astral": "😀", "lines": "-----BEGIN\nabc\r\n-----END\n",
    "empty": "", "ends": "x\\", "key with = : # blanks": "v", "ümlaut": "v", "u": r"A",
}  # fmt: skip


def test_client_settings_come_through_as_they_are(tmp_path: Path) -> None:
    """Every override of a scenario is what the client is given: blanks, backslashes, line breaks, any letter."""
    wanted = scenario_from({"name": "one", "clients": {"consumer": VALUES}}, "one.yaml")
    file = crew(tmp_path, wanted).processors["processor-0"].consumer_config
    assert file and read_properties(file) == VALUES and file.read_bytes().isascii()


def test_a_secret_comes_through_as_it_is(tmp_path: Path) -> None:
    """A password with signs that .properties gives a meaning reaches the client, from a file outside of the run."""
    password = "  \\t=ü\n"
    wanted = scenario_from({"name": "one", "clients": {"consumer": {"sasl.password": password}}}, "one.yaml")
    file = crew(tmp_path, wanted).processors["processor-0"].consumer_config
    assert file and file.is_relative_to(tmp_path / "private") and read_properties(file) == {"sasl.password": password}


def test_a_sign_that_no_client_takes_is_refused() -> None:
    """A NUL would end the value for the client: refused before anything starts, naming key and value."""
    with pytest.raises(ScenarioError, match=r"client\.id='a\\x00b' holds the sign NUL"):
        scenario_from({"name": "one", "clients": {"producer": {"client.id": "a\0b"}}}, "one.yaml")
