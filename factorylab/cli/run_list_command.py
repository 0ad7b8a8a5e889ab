"""The command `runs`: what is saved, how large it is, and what of it may go."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import ScenarioError, UsageError
from factorylab.history import prune, run_folders, sparkline
from factorylab.history.prune import Fate

KEPT = 3


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(runs)


def runs(
    as_json: AsJson = False,
    pruned: Annotated[bool, typer.Option("--prune", help="say which runs may go and why others stay")] = False,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help=f"with --prune: finished runs a scenario keeps (default {KEPT})")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="with --prune: remove them")] = False,
) -> None:
    """List the runs under results/, oldest first, with size and course; with --prune what of them may go."""
    if (yes or keep) and not pruned:
        raise UsageError("--yes and --keep are for --prune")
    if pruned:
        _prune(keep or KEPT, yes=yes, as_json=as_json)
        return
    found = run_folders.list_runs(load_settings().results)
    if as_json:
        typer.echo(json.dumps([_listed(run) for run in found], indent=2))
        return
    signs = sparkline.BLOCKS if _draws() else sparkline.DIGITS
    for folder in found:
        typer.echo(
            f"{folder.path.name}  {_size(prune.size_bytes(folder.path))}  {_course(folder, signs)}  {_told(folder)}"
        )
    if not found:
        say("no runs yet: 'factorylab run baseline' makes one")


def _draws() -> bool:
    """Does whoever reads this see blocks? A file or another program gets digits."""
    return sys.stdout.isatty() and "utf" in (sys.stdout.encoding or "").lower()


def _course(run: run_folders.RunFolder, signs: str) -> str:
    course = sparkline.read(run)
    return (sparkline.drawn(course.per_s, signs) if course else "–").ljust(sparkline.PARTS)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:8,.1f} MB"


def _told(run: run_folders.RunFolder) -> str:
    try:
        return _verdict_line(run) if run.sealed else _unjudged_line(run)
    except ScenarioError as error:
        return f"{run.path.parent.name:<18} {error}"


def _verdict_line(run: run_folders.RunFolder) -> str:
    from factorylab.audit.kept_verdict import verdict_in
    from factorylab.audit.model.verdict import one_line

    return one_line(verdict_in(run))


def _unjudged_line(run: run_folders.RunFolder) -> str:
    from factorylab.history.unfinished import not_judged

    return f"{run.path.parent.name:<18} {not_judged(run).splitlines()[0]}"


def _listed(run: run_folders.RunFolder) -> dict[str, object]:
    course = sparkline.read(run)
    return {
        "run": run.run_id,
        "scenario": run.path.parent.name,
        "path": str(run.path),
        "sealed": run.sealed,
        "size_bytes": prune.size_bytes(run.path),
        "course": msgspec.to_builtins(course) if course else None,
    }


def _prune(keep: int, *, yes: bool, as_json: bool) -> None:
    results = load_settings().results
    found = prune.fates(results, keep)
    doomed = [fate for fate in found if fate.goes]
    if yes:
        prune.remove(results, doomed)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"removed": yes, "runs": found})).decode())
    else:
        for fate in found:
            typer.echo(_fate_line(fate, done=yes))
    say(_sum(doomed, len(found), done=yes))


def _fate_line(fate: Fate, *, done: bool) -> str:
    word = ("gone" if done else "goes") if fate.goes else "stays"
    return f"{word:<5}  {_size(fate.size_bytes)}  {fate.scenario}/{fate.path.rpartition('/')[2]}: {fate.why}"


def _sum(doomed: list[Fate], all_runs: int, *, done: bool) -> str:
    total = sum(fate.size_bytes for fate in doomed) / 1e6
    what = f"{len(doomed)} of {all_runs} runs, {total:,.1f} MB"
    return (
        f"removed: {what}"
        if done
        else f"would go: {what}; nothing was removed. 'factorylab runs --prune --yes' does it"
    )
