"""The arrows between the parts, and the shape of the code."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import factorylab as lab

HOME = Path(__file__).parent.parent
CODE = sorted((HOME / "factorylab").rglob("*.py"))
FUNCTION_LINES = 60
LEFT = ("cluster", "faults", "factory", "probe", "runner", "workers", "final_read", "log_scan")
JUDGING = ("saved", "analysis", "audit", "plots", "report")
CLIENTS = ("confluent_kafka", "kafka", "docker", "psycopg2", "sqlalchemy")
FORBIDDEN: dict[str, tuple[str, ...]] = {
    **{part: (*CLIENTS, *(f"factorylab.{name}" for name in LEFT)) for part in JUDGING},
    "factory": tuple(f"factorylab.{name}" for name in ("cluster", "faults", "runner", "probe", "controls", *JUDGING)),
    "cluster": tuple(f"factorylab.{name}" for name in ("faults", "runner", *JUDGING)),
    "detectors": (*CLIENTS, "factorylab.factory", "factorylab.cluster"),
    "messages": (*CLIENTS, "factorylab.factory", "factorylab.cluster"),
}
ORDER = ("saved", "analysis", "audit", "plots", "report")
HEAVY = ("pandas", "pyarrow", "matplotlib", "confluent_kafka", "psycopg2", "sqlalchemy", "docker", "kafka")
LIGHT = (
    "__init__",
    "errors",
    "waiting",
    "clock",
    "scenario",
    "scenarios",
    "history",
    "messages",
    "runs",
    "manifest",
    "secret",
)


def part_of(file: Path) -> str:
    return file.relative_to(HOME / "factorylab").parts[0].removesuffix(".py")


def imports(tree: ast.AST, *, everywhere: bool = True) -> Iterator[str]:
    """Names of imported modules; with `everywhere` false only those of the module level, outside TYPE_CHECKING."""
    nodes = ast.walk(tree) if everywhere else iter(getattr(tree, "body", []))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("file", [f for f in CODE if part_of(f) in FORBIDDEN], ids=lambda f: str(f.relative_to(HOME)))
def test_arrows_point_one_way(file: Path) -> None:
    """What judges a run imports no client and nothing that runs it; the factory knows nothing of the lab around it."""
    names = list(imports(ast.parse(file.read_text())))
    assert [n for n in names for wrong in FORBIDDEN[part_of(file)] if within(n, wrong)] == []


@pytest.mark.parametrize("part", ORDER[1:])
def test_judging_is_layered(part: str) -> None:
    """saved ← analysis ← audit ← plots ← report: no part imports one to its right."""
    later = ORDER[ORDER.index(part) + 1 :]
    for file in (HOME / "factorylab" / part).glob("*.py"):
        names = list(imports(ast.parse(file.read_text())))
        assert [n for n in names for wrong in later if within(n, f"factorylab.{wrong}")] == [], file.name


@pytest.mark.parametrize("name", LIGHT)
def test_the_core_imports_nothing_heavy(name: str) -> None:
    """`import factorylab` and `factorylab --help` stay quick: the core's modules import no heavy package."""
    names = list(imports(ast.parse((HOME / "factorylab" / f"{name}.py").read_text()), everywhere=False))
    assert [n for n in names for heavy in HEAVY if within(n, heavy)] == []


def test_a_supervisor_starts_light() -> None:
    """What owns a lab's processes, and what asks it, import neither pydantic nor anything heavy."""
    program = "import sys, factorylab.cluster.supervisor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"pydantic", "yaml", *HEAVY} == set()


def test_the_package_gives_functions_not_submodules() -> None:
    """`lab.scenario` is the function even when the submodule was imported, and each name of the API is there."""
    assert import_module("factorylab.scenario").Scenario and lab.scenario is import_module("factorylab.api").scenario
    assert set(dir(lab)) == set(lab.__all__) and all(getattr(lab, name) for name in lab.__all__)


def test_functions_are_short() -> None:
    """No function is longer than 60 lines, nine of ten are below 30."""
    lengths = {}
    for file in CODE:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[f"{file.name}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    in_order = sorted(lengths.values())
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES} == {}
    assert in_order[len(in_order) * 9 // 10] < 30


def test_nothing_waits_by_sleeping() -> None:
    """A sleep stands only inside a loop that looks at a condition or a clock, never as a wait of its own."""
    stray = []
    for file in CODE:
        tree = ast.parse(file.read_text())
        looped = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.While) for inner in ast.walk(node)}
        sleeps = [
            n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == "sleep"
        ]
        stray += [f"{file.relative_to(HOME)}:{call.lineno}" for call in sleeps if id(call) not in looped]
    assert stray == []


@pytest.mark.parametrize("notebook", sorted((HOME / "notebooks").glob("*.ipynb")), ids=lambda f: f.name)
def test_notebooks_are_stripped(notebook: Path) -> None:
    """Committed notebooks carry no output and no execution count."""
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells and all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
