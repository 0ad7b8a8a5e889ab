"""One notebook through papermill: a scenario is validated, gets its folder, and its notebook is run into it."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factorylab.cluster import folders
from factorylab.cluster.settings import Settings, left_out, project_folder
from factorylab.core import environment, errors, secret
from factorylab.core.errors import EnvironmentUnfit, LabError, UsageError
from factorylab.core.secret_text import REFERENCE
from factorylab.execution.once_sealed import T, once_sealed
from factorylab.execution.perform import check_clients, check_source
from factorylab.execution.saved_notebook import trust
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from factorylab.scenarios.loading import scenario
from factorylab.scenarios.model import Scenario

Say = Callable[[str], None]
Parameter = str | int | float | bool | list[float] | list[str] | dict[str, object]
START_KERNEL_S = 120


@dataclass(frozen=True)
class Job:
    """A scenario by name (or a YAML file of one) with the parameters that were given."""

    name: str
    parameters: Mapping[str, Parameter]

    @property
    def from_file(self) -> bool:
        return self.name.endswith((".yaml", ".yml"))

    def scenario(self) -> Scenario:
        """Validated, the source file included.

        Raises:
            UsageError, ScenarioError: before anything starts.
        """
        wanted = scenario(self.name, **_plain(self.parameters))
        check_source(wanted)
        check_clients(wanted)
        return wanted

    @property
    def notebook(self) -> Path:
        """The notebook of this scenario.

        Raises:
            UsageError: it is not there.
        """
        path = notebooks() / f"{'experiment' if self.from_file else self.name}.ipynb"
        if not path.exists():
            raise UsageError(f"there is no notebook {path}: run factorylab inside its checkout")
        return path


def notebooks() -> Path:
    return project_folder(Path.cwd()) / "notebooks"


class LineStream:
    """A text stream for papermill that hands whole lines to `say`."""

    def __init__(self, say: Say) -> None:
        self._say, self._rest = say, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._say(secret.clean(line))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back but an unfinished line."""


def execute(job: Job, settings: Settings, say: Say, then: Callable[[RunFolder], T]) -> T:
    """Run the job's notebook; the executed copy lies in the run's folder, also when it failed.

    `then` is called with the run, in a thread, as soon as it is sealed, beside what is left of the notebook. Its result
    is returned.

    Raises:
        LabError: the run could not be carried out (of the kind that the kernel reported).
    """
    wanted, notebook = job.scenario(), job.notebook
    import papermill  # after the job: to refuse one must not wait for it

    if unheeded := left_out():
        say(unheeded)
    with run_folders.made(settings.results, wanted) as folder, once_sealed(folder, then) as result:
        try:
            _run_notebook(job, folder, _variables(wanted, settings), say)
        except papermill.PapermillExecutionError as error:
            if not folder.sealed:
                raise _as_lab_error(error.ename, error.evalue) from None
            say(f"the notebook failed after the run ({error.ename}: {error.evalue}); the run itself is sealed")
        except (RuntimeError, ValueError) as error:  # the kernel did not start or died; the file is no notebook
            hint = "a dead kernel was killed or ran out of memory: free some, and see the system's log"
            raise EnvironmentUnfit(
                f"the notebook {notebook.name} could not be run to its end ({error}): {hint}"
            ) from None
        finally:
            _clean(folder.derived / "notebook.ipynb", wanted)
    trust(folder.derived / "notebook.ipynb")
    return result()


def _run_notebook(job: Job, folder: RunFolder, variables: Mapping[str, str], say: Say) -> None:
    import papermill
    from traitlets.config import Config

    from factorylab.execution.kernel import OwnKernel

    # An interrupt ends the kernel, and with it tasks whose errors nobody will ask for; that it died is no news.
    for name in ("asyncio", "papermill"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    given = {"scenario_file": str(Path(job.name).resolve())} if job.from_file else _plain(job.parameters)
    with tempfile.TemporaryDirectory(prefix="factorylab-", dir=folders.for_sockets()) as private:
        papermill.execute_notebook(
            str(job.notebook),
            str(folder.derived / "notebook.ipynb"),
            parameters={**given, "run_dir": str(folder.path)},
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
            progress_bar=False,
            stdout_file=LineStream(say),
            start_timeout=START_KERNEL_S,
            extra_arguments=["--log-level=CRITICAL"],  # when interrupted it complains of its closed sockets
            cwd=str(Path.cwd()),
            config=Config({"OwnKernel": {"folder": private, "env": variables}}),
        )


def _clean(notebook: Path, wanted: Scenario) -> None:
    """Take a scenario's secrets out of its executed notebook, where code may have shown one. Figures stay."""
    data = wanted.model_dump(mode="json")
    if not notebook.exists() or secret.masked(data) == data:
        return
    found = json.loads(notebook.read_text(encoding="utf-8"))
    shown = secret.cleaned(found)
    for was, output in zip(_outputs(found), _outputs(shown), strict=True):
        output.get("data", {}).update({k: v for k, v in was.get("data", {}).items() if k.startswith("image/")})
    notebook.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _outputs(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def _variables(wanted: Scenario, settings: Settings) -> dict[str, str]:
    """What the kernel gets: the lab's settings, the way to what it needs, and what the scenario refers to."""
    named = REFERENCE.findall(wanted.clients.model_dump_json())
    if settings.client and settings.client.is_file():
        named += REFERENCE.findall(settings.client.read_text(errors="replace"))
    return environment.given(*named) | environment.driver() | settings.environ()


def _plain(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Paths made absolute: the kernel may work in another folder."""
    sources = {k: v for k, v in parameters.items() if k == "source" and isinstance(v, str)}
    resolved = {k: os.path.abspath(v) for k, v in sources.items()}  # noqa: PTH100 (resolve() raises for a NUL)
    return {**parameters, **resolved}


def _as_lab_error(name: str, text: str) -> LabError:
    """The error of the kernel as the same kind here, so that the exit code is right."""
    kind = getattr(errors, name, LabError)
    clean = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return kind(clean) if issubclass(kind, LabError) else LabError(f"{name}: {clean}")
