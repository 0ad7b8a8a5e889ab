"""The commands `summary` and `compare`: what several runs say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError
from factorylab.core.exit_codes import FAILED, INVALID
from factorylab.history.run_folders import list_runs

if TYPE_CHECKING:
    from factorylab.analysis.statistics.difference import Margin
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.sets.gate import Gate, Result
    from factorylab.audit.sets.recorded import AnyRun
    from factorylab.audit.sets.run_set import RunSet

SET = (
    "runs: a run (its path, its id of 6 hex digits, or 'latest'), a scenario's name (all of its runs), a batch "
    "('batch-quick'), a recorded campaign ('campaign-failover', or its file), a folder of runs, or several of these "
    "with commas; @name=value keeps those with this condition"
)
Quantities = Annotated[
    list[str] | None,
    typer.Option("--quantity", "-q", help="only this quantity, such as recovery or ack_gap.1; may be repeated"),
]
Every = Annotated[bool, typer.Option("--all", help="all quantities, not the usual ones alone")]


class Asked(NamedTuple):
    """What of the runs is to be shown, and how."""

    quantities: list[str] | None
    every: bool
    as_json: bool

    def names(self, *sets: RunSet) -> list[str]:
        from factorylab.audit.sets.summary import default_names

        return list(dict.fromkeys(self.quantities)) if self.quantities else default_names(sets, self.every)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (summary, compare):
        app.command()(command)


def summary(
    runs: Annotated[list[str] | None, typer.Argument(help=f"{SET}; default: all runs under results/")] = None,
    quantity: Quantities = None,
    every: Every = False,
    as_json: AsJson = False,
) -> None:
    """Show median, interval, range and censoring of each quantity, by scenario and parameters."""
    from factorylab.audit.sets.summary import summary as summed
    from factorylab.audit.sets.summary import table

    asked, results = _asked(quantity, every, as_json), load_settings().results
    if not runs and not list_runs(results):
        raise UsageError("no runs yet: 'factorylab run baseline' makes one")
    sets = [one for word in runs or [str(results)] for one in _by_cell(*_named(word))]
    told = [summed(one, asked.names(one)) for one in sets]
    typer.echo(_json(told) if as_json else "\n\n".join(map(table, told)))


def compare(  # noqa: PLR0917 (typer's options)
    a: Annotated[str, typer.Argument(help=SET)],
    b: Annotated[str | None, typer.Argument(help="the same; held against A")] = None,
    quantity: Quantities = None,
    every: Every = False,
    margin: Annotated[
        list[str] | None, typer.Option("--margin", help="show what is the same within '10%', or 'recovery 1 s'")
    ] = None,
    fail_if: Annotated[
        list[str] | None, typer.Option("--fail-if", help="a gate: 'recovery > 1.2x', 'recovery > 12 s', 'lost > 0'")
    ] = None,
    aa: Annotated[bool, typer.Option("--aa", help="check that A, split in two, shows no difference")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold runs B against runs A: effect, interval and test of each quantity. Of one run each, the numbers.

    Exit code: 1 where a gate fails or the A/A check does, 4 where a gate is undecided or a side has no run of an
    experiment that counts, else 0.
    """
    from factorylab.audit.sets import gate, margins

    asked, allowed = _asked(quantity, every, as_json), margins.parsed(margin or [])
    gates = [gate.parsed(text) for text in fail_if or []]
    if aa == (b is not None):
        raise UsageError("name A and B, or A alone with --aa")
    if b is None:
        if gates or allowed:
            raise UsageError("--margin and --fail-if compare A with B: leave them out with --aa")
        _check_same(a, asked)
    else:
        _compare(_named(a), _named(b), asked, (allowed, gates))


def _compare(
    a: tuple[list[AnyRun], dict[str, str]],
    b: tuple[list[AnyRun], dict[str, str]],
    asked: Asked,
    rules: tuple[dict[str, Margin], list[Gate]],
) -> None:
    from factorylab.audit.sets.compare import compare as compared
    from factorylab.audit.sets.compare import pairs, unmatched
    from factorylab.audit.sets.gate import Result, decide

    of_a, of_b = _by_cell(*a), _by_cell(*b)
    results = [
        Result(compared(one, other, asked.names(one, other), rules[0]), decide(rules[1], one, other))
        for one, other in [*pairs(of_a, of_b), *unmatched(of_a, of_b)]
    ]
    one_each = _single(a[0]), _single(b[0])
    if asked.as_json:
        typer.echo(_json(results))
    elif one_each[0] and one_each[1] and not (rules[0] or asked.quantities):
        typer.echo(_side_by_side(one_each[0], one_each[1], results))
    else:
        typer.echo("\n\n".join(map(_told, results)))
    raise typer.Exit(_exit_code(results, may_be_empty=all(one_each)))


def _told(result: Result) -> str:
    from factorylab.audit.sets.compare_text import gate_line, told

    return "\n".join([told(result.comparison), *map(gate_line, result.gates)])


def _single(runs: list[AnyRun]) -> JudgedRun | None:
    """The only run, where it is one with its folder."""
    from factorylab.audit.judged import JudgedRun

    return runs[0] if len(runs) == 1 and isinstance(runs[0], JudgedRun) else None


def _side_by_side(a: JudgedRun, b: JudgedRun, results: list[Result]) -> str:
    """Two runs side by side; nothing is tested."""
    from factorylab.audit.kept_verdict import verdict_of
    from factorylab.audit.model.verdict_frames import compare as side_by_side
    from factorylab.audit.sets.compare_text import gate_line

    table = side_by_side(verdict_of(a), verdict_of(b)).to_string()
    return "\n".join([table, *(gate_line(gate) for result in results for gate in result.gates)])


def _exit_code(results: list[Result], *, may_be_empty: bool) -> int:
    decisions = {gate.decision for result in results for gate in result.gates}
    if "fails" in decisions:
        return FAILED
    empty = any(not side.runs for result in results for side in (result.comparison.a, result.comparison.b))
    return INVALID if (empty and not may_be_empty) or "undecided" in decisions else 0


def _check_same(word: str, asked: Asked) -> None:
    from factorylab.audit.sets.same import check, told

    found = [check(one, asked.names(one)) for one in _by_cell(*_named(word))]
    typer.echo(_json(found) if asked.as_json else "\n\n".join(map(told, found)))
    raise typer.Exit(0 if all(one.fit for one in found) else FAILED)


def _asked(quantity: list[str] | None, every: bool, as_json: bool) -> Asked:
    """Raises UsageError for a quantity that does not exist."""
    from factorylab.audit.sets.quantities import known

    for name in quantity or []:
        known(name)
    return Asked(quantity, every, as_json)


def _named(words: str) -> tuple[list[AnyRun], dict[str, str]]:
    """The runs that were typed, and the conditions. Raises UsageError where there is none."""
    from factorylab.api import runs_of

    return runs_of(words)


def _by_cell(runs: list[AnyRun], conditions: dict[str, str]) -> list[RunSet]:
    from factorylab.audit.sets.run_set import by_cell

    return by_cell(runs, conditions, say)


def _json(found: object) -> str:
    return msgspec.json.format(msgspec.json.encode(found)).decode()
