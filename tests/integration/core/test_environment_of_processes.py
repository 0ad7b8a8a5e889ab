"""What is left in a shell reaches no worker, kernel, command or connection."""

from __future__ import annotations

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

from factorylab.cluster import control
from factorylab.cluster.base import WorkerSpec
from factorylab.cluster.driver import process_of
from factorylab.core import environment, libpq
from factorylab.execution.kernel import OwnKernel
from factorylab.factory.config import FleetConfig
from factorylab.factory.store.schema import create_schema
from tests.support.foreign_variables import FOREIGN, OF_WORKERS, shell
from tests.support.labs import bare_lab

__all__ = ["shell"]  # fixtures


COMMAND = """
import warnings
from factorylab.cli import main as cli
cli.app = lambda: [warnings.warn("old", DeprecationWarning), __import__("matplotlib")]
cli.main()
"""


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
