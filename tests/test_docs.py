"""README and docs/ say what is there: commands, variables, files, scenarios, tables and columns."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import typer
from pydantic import BaseModel

from factorylab.cli.main import app
from factorylab.cluster.settings import Settings, project_folder
from factorylab.core.sources import FILE_VARIABLE
from factorylab.factory.config import FactoryConfig, FleetConfig, ProcessorConfig
from factorylab.history.tables import TABLES, Row
from factorylab.scenarios.catalog import SCENARIOS, build
from factorylab.scenarios.model import scenario_from

ROOT = project_folder(Path(__file__).parent)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURE = ROOT / "docs/images/broker_loss.svg"
COMMAND = typer.main.get_command(app)
CONFIGS: tuple[type[BaseModel], ...] = (Settings, FactoryConfig, FleetConfig, ProcessorConfig)
IN_IMAGES = ("/opt/kafka/",)
OWN_NAMES = {"…", "my.yaml", "latest", "--debug"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code(page: Path) -> Iterator[str]:
    """Everything on a page that is set as code, one line or span at a time; languages and comments left out."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from (line.split(" #")[0].strip() for block in blocks for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def typed(page: Path, program: str) -> list[list[str]]:
    """What the page says to type after `program`."""
    found = (re.fullmatch(rf"(?:\.venv/bin/)?{program} (.+)", words) for words in code(page))
    return [shlex.split(fits[1]) for fits in found if fits]


def variables(page: Path) -> set[str]:
    return set(re.findall(r"FACTORYLAB_[A-Z_]+[A-Z]", page.read_text()))


@every_page
def test_commands_exist(page: Path) -> None:
    """Every `factorylab` command on the page exists and takes the options that stand after it."""
    for command, *rest in typed(page, "factorylab"):
        if command in OWN_NAMES:
            continue
        known = COMMAND.commands.get(command)  # type: ignore[attr-defined]
        assert known, f"{page.name}: there is no command {command!r}"
        while rest and hasattr(known, "commands"):
            known = known.commands[rest.pop(0)]
        options = {name for parameter in known.params for name in parameter.opts}
        unknown = [word for word in rest if word.startswith("-") and word not in options]
        assert not unknown, f"{page.name}: factorylab {command} has no {', '.join(unknown)}"


@every_page
def test_scenarios_exist(page: Path) -> None:
    """Every scenario that the page runs exists, with the parameters given there, and every YAML file is there."""
    for command, name, *rest in (words for words in typed(page, "factorylab") if len(words) > 1):
        if command == "batch":
            assert (ROOT / name).is_file(), f"{page.name}: no file {name}"
        if command == "run" and name not in OWN_NAMES:
            build(name, dict(word.split("=") for flag, word in pairwise(rest) if flag == "-p"))


@every_page
def test_make_targets_exist(page: Path) -> None:
    """Every `make` target on the page is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in typed(page, "make")} <= targets


@every_page
def test_links_resolve(page: Path) -> None:
    """Every relative link leads to a file, and every link within the page to one of its headings."""
    text = page.read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)", text, re.M)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, f"{page.name}: no heading for {target}"
        elif "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target} leads nowhere"


@every_page
def test_variables_exist(page: Path) -> None:
    """Every FACTORYLAB_ variable on the page is read by the lab, the factory or compose.yaml."""
    known = {f"FACTORYLAB_{field.upper()}" for config in CONFIGS for field in config.model_fields}
    assert variables(page) <= known | {FILE_VARIABLE} | variables(ROOT / ".env.example")


def test_readme_names_every_variable() -> None:
    """README leaves out no variable that a user can set, but those that only the lab itself sets."""
    known = {f"FACTORYLAB_{field.upper()}" for config in CONFIGS for field in config.model_fields}
    assert known - variables(ROOT / "README.md") == {"FACTORYLAB_JOURNAL_DIR", "FACTORYLAB_STEPS_DIR"}


def test_readme_names_every_command_and_notebook() -> None:
    """README leaves out no command and no notebook."""
    text = (ROOT / "README.md").read_text()
    missing = [name for name in COMMAND.commands if f"factorylab {name}" not in text]  # type: ignore[attr-defined]
    missing += [file.name for file in (ROOT / "notebooks").glob("*.ipynb") if f"notebooks/{file.name}" not in text]
    assert not missing


def test_defaults_are_those_of_the_program() -> None:
    """Defaults in README's table of the factory's variables are the real ones."""
    rows = re.findall(r"^\| (`FACTORYLAB_[^|]+) \| ([^|]+) \| (?:both|fleet|processor)", _readme(), re.MULTILINE)
    fields = {f"FACTORYLAB_{k.upper()}": f for c in (FleetConfig, ProcessorConfig) for k, f in c.model_fields.items()}
    compared = 0
    for names, defaults in rows:
        for name, default in zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=False):
            if default.startswith("`"):
                assert default.strip("` ") == str(fields[name].default), name
                compared += 1
    assert compared > 15


def _readme() -> str:
    return (ROOT / "README.md").read_text()


def test_the_example_scenario_is_one() -> None:
    """The YAML in README is a scenario that the lab accepts."""
    import yaml

    (example,) = re.findall(r"^```yaml\n(.*?)^```", _readme(), re.MULTILINE | re.DOTALL)
    assert scenario_from(yaml.safe_load(example), "README.md").faults


def test_history_page_has_every_column() -> None:
    """docs/history.md describes exactly the tables of the history, each with exactly its columns."""
    shared = {field.name for field in msgspec.structs.fields(Row)}
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", (ROOT / "docs/history.md").read_text(), re.MULTILINE)
    written = {table: set(re.findall(r"`(\w+)`", columns)) for table, columns in rows}
    real = {name: {f.name for f in msgspec.structs.fields(kind)} - shared for name, kind in TABLES.items()}
    assert written == real


@pytest.mark.parametrize("file", [*PAGES, PICTURE], ids=lambda file: file.name)
def test_no_path_of_a_machine(file: Path) -> None:
    """Neither a page nor the picture holds an absolute path of the machine that it was made on."""
    found = re.findall(r"(?:^|[\s`\"'(=>])(/[A-Za-z_]+/[^\s]*)", file.read_text(), re.MULTILINE)
    assert [path for path in found if not path.startswith(IN_IMAGES)] == []


def test_picture_is_small() -> None:
    """The picture of a run weighs less than 300 kB and has no script in it."""
    assert PICTURE.stat().st_size < 300_000
    assert "<script" not in PICTURE.read_text()


def test_readme_lists_every_scenario_as_a_notebook() -> None:
    """README's table of notebooks has the notebook of every scenario."""
    assert set(SCENARIOS) <= set(re.findall(r"^\| \[`(\w+)`\]\(notebooks/", _readme(), re.MULTILINE))
