"""The pages say what is there: commands, variables, files, scenarios, checks, tables and columns."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path

import msgspec
import pytest
import typer
from pydantic import BaseModel

from factorylab.audit.judge import judge
from factorylab.audit.model.registry import CHECKS
from factorylab.audit.sets.quantities import QUANTITIES
from factorylab.cli.main import app
from factorylab.cluster.settings import Settings
from factorylab.core.sources import FILE_VARIABLE
from factorylab.factory.config import FactoryConfig, FleetConfig, ProcessorConfig
from factorylab.history.tables import TABLES, Row
from factorylab.scenarios.catalog import SCENARIOS, build
from factorylab.scenarios.fault_catalog import FAULT_KINDS
from factorylab.scenarios.model import scenario_from
from tests.support.places import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
README, COMMANDS, NOTEBOOKS = ROOT / "README.md", ROOT / "docs/commands.md", ROOT / "docs/notebooks.md"
CONFIGURATION, SCENARIO_PAGE, AUDIT = (ROOT / f"docs/{name}.md" for name in ("configuration", "scenarios", "audit"))
README_LINES = 200
FILES = [path.relative_to(ROOT).as_posix() for top in ("factorylab", "tests", "docs", "findings", "experiments")
         for path in (ROOT / top).rglob("*.py")]  # fmt: skip
TO_BE_NAMED = "NAME"  # stands in a path for what the reader chooses
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
        given = list(takewhile(lambda word: word != "--", rest))  # what follows is a program of the reader
        options = {name for parameter in known.params for name in parameter.opts}
        unknown = [word for word in given if word.startswith("-") and word not in options]
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


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked."""
    headings = re.findall(r"^#+ (.+)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_resolve(page: Path) -> None:
    """Every relative link leads to a file, and what stands after # is one of that page's headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page.name}: {target} leads nowhere"
        assert not anchor or anchor in anchors(file), f"{page.name}: {file.name} has no heading for #{anchor}"


@every_page
def test_python_files_exist(page: Path) -> None:
    """Every Python file that the page names, from the root on or by the end of its path, is there."""
    named = {word for span in code(page) for word in re.findall(r"[\w/.-]+\.py\b", span) if TO_BE_NAMED not in word}
    assert {name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in FILES)} == set()


def test_readme_is_short() -> None:
    """README has at most 200 lines: tables of options are pages of their own."""
    assert len(README.read_text().splitlines()) <= README_LINES


def test_every_page_is_in_the_index() -> None:
    """docs/index.md leads to each page of docs/."""
    linked = set(re.findall(r"\]\((\w+\.md)", (ROOT / "docs/index.md").read_text()))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - linked == {"index.md"}


def test_audit_page_has_every_check() -> None:
    """The table of docs/audit.md names exactly the checks that are registered."""
    text = AUDIT.read_text()
    table = text[text.index("| check |") : text.index("The worst wins")]
    first_cells = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    assert judge and {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)} == {c.name for c in CHECKS}


def test_comparing_page_has_every_quantity() -> None:
    """The table of docs/comparing.md names exactly the quantities that runs have, each with its unit."""
    text = (ROOT / "docs/comparing.md").read_text()
    rows = re.findall(
        r"^\| (`[^|]+) \| ([^|]+) \|", text[text.index("| quantity |") : text.index("## Compare")], re.MULTILINE
    )
    told = {name: units for names, units in rows for name in re.findall(r"`(\w+)`", names)}
    assert told.keys() == {quantity.name for quantity in QUANTITIES}
    assert [q.name for q in QUANTITIES if q.unit not in told[q.name]] == []


@every_page
def test_variables_exist(page: Path) -> None:
    """Every FACTORYLAB_ variable on the page is read by the lab, the factory or compose.yaml."""
    known = {f"FACTORYLAB_{field.upper()}" for config in CONFIGS for field in config.model_fields}
    assert variables(page) <= known | {FILE_VARIABLE} | variables(ROOT / ".env.example")


def test_every_variable_is_documented() -> None:
    """docs/configuration.md leaves out no variable that a user can set, but those that only the lab itself sets."""
    known = {f"FACTORYLAB_{field.upper()}" for config in CONFIGS for field in config.model_fields}
    assert known - variables(CONFIGURATION) == {"FACTORYLAB_JOURNAL_DIR", "FACTORYLAB_STEPS_DIR"}


def test_every_command_and_notebook_is_documented() -> None:
    """docs/commands.md leaves out no command, and docs/notebooks.md no notebook."""
    commands, notebooks = COMMANDS.read_text(), NOTEBOOKS.read_text()
    missing = [name for name in COMMAND.commands if f"factorylab {name}" not in commands]  # type: ignore[attr-defined]
    missing += [file.name for file in (ROOT / "notebooks").glob("*.ipynb") if f"notebooks/{file.name}" not in notebooks]
    assert not missing


def test_defaults_are_those_of_the_program() -> None:
    """Defaults in docs/configuration.md's table of the factory's variables are the real ones."""
    text = CONFIGURATION.read_text()
    rows = re.findall(r"^\| (`FACTORYLAB_[^|]+) \| ([^|]+) \| (?:both|fleet|processor)", text, re.MULTILINE)
    fields = {f"FACTORYLAB_{k.upper()}": f for c in (FleetConfig, ProcessorConfig) for k, f in c.model_fields.items()}
    compared = 0
    for names, defaults in rows:
        for name, default in zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=False):
            if default.startswith("`"):
                assert default.strip("` ") == str(fields[name].default), name
                compared += 1
    assert compared > 15


def test_the_example_scenario_is_one() -> None:
    """The YAML in docs/scenarios.md is a scenario that the lab accepts."""
    import yaml

    (example,) = re.findall(r"^```yaml\n(.*?)^```", SCENARIO_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert scenario_from(yaml.safe_load(example), SCENARIO_PAGE.name).faults


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


def test_every_scenario_has_its_notebook_listed() -> None:
    """docs/notebooks.md has the notebook of every scenario."""
    assert set(SCENARIOS) <= set(re.findall(r"^\| \[`(\w+)`\]\(../notebooks/", NOTEBOOKS.read_text(), re.MULTILINE))


def test_every_kind_of_fault_is_documented() -> None:
    """docs/scenarios.md has a row for each kind of fault, with what it can be done to."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| .+ \|$", SCENARIO_PAGE.read_text(), re.MULTILINE))
    assert {name: tuple(roles.split(", ")) for name, roles in rows.items()} == {
        k.name: k.roles for k in FAULT_KINDS.values()
    }
