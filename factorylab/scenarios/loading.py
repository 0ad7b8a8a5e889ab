"""Scenarios by name, or from a file of the user's."""

from __future__ import annotations

from pathlib import Path

from factorylab.core.errors import UsageError
from factorylab.core.yaml_file import read_mapping
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Scenario, scenario_from


def scenario(name: str | Path, /, **parameters: object) -> Scenario:
    """The named scenario, or the one in the YAML file `name`, with these parameters.

    Raises:
        UsageError, ScenarioError: there is no such scenario, or a parameter is unknown or wrong.
    """
    if not str(name).endswith((".yaml", ".yml")):
        return build(str(name), parameters)
    if parameters:
        raise UsageError(f"{name} is a scenario file and takes no parameters: change the file")
    return scenario_file(Path(name))


def scenario_file(path: str | Path) -> Scenario:
    """A scenario written out in YAML. A relative `source` in it starts at the file's folder.

    Raises:
        UsageError: the file cannot be read.
        ScenarioError: it is no scenario.
    """
    path = Path(path)
    found = scenario_from(read_mapping(path), str(path))
    source = found.workload.source
    if source is None or source.is_absolute():
        return found
    workload = found.workload.model_copy(update={"source": (path.parent / source).resolve()})
    return found.model_copy(update={"workload": workload})
