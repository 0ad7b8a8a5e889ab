"""What is left in a shell changes no run: what the lab's processes and connections get of their environment."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import nbformat
import papermill
import psutil
import psycopg2
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from factorylab.cluster import control, settings
from factorylab.cluster.base import Endpoints, WorkerSpec
from factorylab.cluster.driver import process_of
from factorylab.cluster.local import java
from factorylab.core import environment, libpq
from factorylab.core.errors import ScenarioError
from factorylab.core.names import Names
from factorylab.core.sources import Sourced, load, read_properties
from factorylab.execution import workers
from factorylab.execution.kernel import OwnKernel
from factorylab.execution.probe import ProbeConfig
from factorylab.execution.setup import FurnishConfig
from factorylab.factory.config import FleetConfig, ProcessorConfig, from_environment
from factorylab.factory.store.schema import create_schema
from factorylab.history.run_folders import RunFolder
from factorylab.scenarios.model import Fault, Scenario, Workload, scenario_from
from tests.support.labs import bare_lab

OF_WORKERS = {
    "FACTORYLAB_KINDS": "energy",
    "FACTORYLAB_BATCH_WAIT_S": "9",
    "FACTORYLAB_STEPS_DIR": "/nonexistent",
    "FACTORYLAB_LOG_LEVEL": "error",
    "FACTORYLAB_METRICS_PORT": "0",
    "FACTORYLAB_PROBE_NETWORK": "true",
}
FOREIGN = {
    "PGSERVICE": "nowhere", "PGSERVICEFILE": "/nonexistent", "PGSSLMODE": "verify-full", "PGHOSTADDR": "192.0.2.1",
    "PGOPTIONS": "-c search_path=elsewhere", "PGTZ": "Asia/Kathmandu", "PGPASSFILE": "/nonexistent", "PGPORT": "1",
    "JAVA_TOOL_OPTIONS": "-Dx=y", "JDK_JAVA_OPTIONS": "-Dx=y", "_JAVA_OPTIONS": "-Dx=y", "CLASSPATH": "/nonexistent",
    "KAFKA_OPTS": "-Dx=y", "KAFKA_HEAP_OPTS": "-Xmx1m", "LOG_DIR": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent", "PYTHONPATH": "/nonexistent", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
    "PYTHONHOME": "/nonexistent", "PYTHONINSPECT": "1", "PYTHONHASHSEED": "1", "LD_PRELOAD": "/nonexistent.so",
    "LD_LIBRARY_PATH": "/nonexistent", "JUPYTER_PATH": "/nonexistent", "JUPYTER_CONFIG_DIR": "/nonexistent",
    "IPYTHONDIR": "/nonexistent", "MPLBACKEND": "nothing", "GIT_DIR": "/nonexistent", "COMPOSE_FILE": "/nonexistent",
    "DOCKER_DEFAULT_PLATFORM": "linux/none", "DOCKER_CONTENT_TRUST": "1",
}  # fmt: skip

PACKAGE = Path(environment.__file__).parents[1]
COMMAND = """
import warnings
from factorylab.cli import main as cli
cli.app = lambda: [warnings.warn("old", DeprecationWarning), __import__("matplotlib")]
cli.main()
"""


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A shell with much left in it: settings of workers, a file of them, and variables of all that the lab uses."""
    file = tmp_path / "left.properties"
    file.write_text("report_every_s=77\nanomaly.rate=1\n")
    for name, value in (FOREIGN | OF_WORKERS | {"FACTORYLAB_CONFIG": str(file)}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


# -- workers


def crew(tmp_path: Path, wanted: Scenario) -> workers.Crew:
    """The workers of a run, none of which was started."""

    class Elsewhere:
        endpoints = worker_endpoints = Endpoints("a:1,b:2,c:3", "postgresql://u:hunter2@h/d")

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


def test_a_real_worker_has_only_what_it_is_given(shell: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    """Read back from the kernel, a worker and its supervisor have their own variables and those of places."""
    shell.delenv("PYTHONHOME")  # or this test's own Python programs would not begin
    shell.delenv("LD_PRELOAD")
    given = FleetConfig(bootstrap="127.0.0.1:1", worker="fleet-7", journal_dir=tmp_path)
    shell.chdir(tmp_path)
    (tmp_path / "factorylab.py").write_text("raise SystemExit('not this one')")
    supervisor = bare_lab(home)
    with control.Line(home, lease=True) as lease:
        lease.receive()
        worker = WorkerSpec("fleet-7", "fleet", "factorylab.factory.fleet", given.environ(), tmp_path / "log")
        control.ask(home, control.Start([process_of(worker)], watch_s=0.5))
        (pid,) = (node.pid for node in control.nodes(home))
        of_worker, of_supervisor = psutil.Process(pid).environ(), psutil.Process(supervisor.pid).environ()
    assert of_worker == environment.python() | given.environ()
    assert of_supervisor == environment.python() | environment.docker()
    assert not {*FOREIGN, *OF_WORKERS} - {"PYTHONPATH"} & (of_worker.keys() | of_supervisor.keys()) - {*given.environ()}


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
            if isinstance(node, ast.Call) and ast.unparse(node.func) in starts:
                bare += [] if any(word.arg == "env" for word in node.keywords) else [f"{file.name}:{node.lineno}"]
    assert bare == []


@pytest.mark.parametrize("left", [{"MPLBACKEND": "nothing"}, {"PYTHONWARNINGS": "error"}])
def test_a_command_is_free_of_what_others_want_of_figures_and_warnings(left: dict[str, str]) -> None:
    """A command of the lab draws and goes on after a warning, whatever the shell wants of other programs."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        env=environment.python() | left,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Error" in done.stderr) == (0, False)


def test_a_kernel_of_a_notebook_is_this_python(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever kernels the account has, the notebook runs in this Python, with the package and the variables that it is
    given, also where the current folder is the package's."""
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "x", "language": "python"}')
    shell.setenv("JUPYTER_PATH", str(tmp_path))
    shell.chdir(environment.PACKAGE_HOME)
    cell = new_code_cell("import json, os, factorylab; print(json.dumps(dict(os.environ)))")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    with tempfile.TemporaryDirectory() as private:
        done = papermill.execute_notebook(
            str(tmp_path / "one.ipynb"),
            None,
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
            progress_bar=False,
            config=Config({"OwnKernel": {"folder": private, "env": environment.driver() | {"FACTORYLAB_HOME": "/h"}}}),
        )
    found = json.loads(done.cells[-1].outputs[0].text)
    assert found["FACTORYLAB_HOME"] == "/h" and found["IPYTHONDIR"] == private
    assert {name for name in FOREIGN if found.get(name) == FOREIGN[name]} == set()


# -- empty variables


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What compose writes for `${X:-}` gives defaults in every kind of settings, and so does an empty key of a file."""
    kinds = (FleetConfig, ProcessorConfig, FurnishConfig, ProbeConfig, settings.Settings)
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
        load(FurnishConfig, {"bootstrap", "worker", "database_url", "batch_wait_s", "kinds", "source"}).profile
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


# -- connections


@pytest.mark.parametrize("driver", ["", "+psycopg2"])
def test_libpqs_variables_reach_no_connection(database_url: str, shell: pytest.MonkeyPatch, driver: str) -> None:
    """A connection is what its URL says, and the variables are there again for whoever uses them."""
    url = database_url.replace("postgresql", f"postgresql{driver}", 1)
    with closing(libpq.connect(url, application_name="of-a-test")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('search_path'), current_setting('timezone'), inet_server_port()")
        assert cursor.fetchone() == ('"$user", public', "UTC", int(database_url.rpartition(":")[2].split("/")[0]))
    create_schema(database_url, "of_foreign_variables")
    assert {name: os.environ[name] for name in FOREIGN if name.startswith("PG")} == {
        name: value for name, value in FOREIGN.items() if name.startswith("PG")
    }
    with pytest.raises(psycopg2.OperationalError):  # the variables do break a connection that heeds them
        psycopg2.connect(database_url)


def test_connections_at_once_leave_the_variables_alone(database_url: str, shell: pytest.MonkeyPatch) -> None:
    """Threads that connect at the same time all succeed, a refusal included, and the variables are back at the end."""
    start, failed = Barrier(8), []

    def connect(number: int) -> None:
        start.wait()
        for _ in range(5):
            try:
                libpq.connect(database_url, dbname="postgres" if number else "none").close()
            except psycopg2.OperationalError as error:
                failed.append((number, "does not exist" in str(error)))

    threads = [Thread(target=connect, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [(0, True)] * 5
    assert os.environ["PGHOSTADDR"] == FOREIGN["PGHOSTADDR"]


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
