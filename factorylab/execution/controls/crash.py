"""Every named step of a processor's work as a crash point: it is killed exactly there, and what it cost is counted.

No luck of timing is in it: the processor stops itself at the step, and is killed while it stands there. The exception
is the client that commits by itself: whether it had, at another step than `after_commit`, is its own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec
import pandas as pd

from factorylab.audit.model.findings import Outcome
from factorylab.core.errors import LabError, UsageError
from factorylab.core.vocabulary import WorkStep
from factorylab.execution.controls.series import Say, carry_out
from factorylab.scenarios.controls import AUTO_COMMIT, FENCED, NAIVE, SAFE, SCHEDULE, WORKLOAD
from factorylab.scenarios.model import STEPS, Clients, Fault, Scenario

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun

Kind = Literal["fenced", "naive", "auto_commit"]
PROCESSOR_KINDS: dict[Kind, Clients] = {"fenced": FENCED, "naive": NAIVE, "auto_commit": AUTO_COMMIT}
OF_A_REBALANCE = ("taken", "revoking")
RECORD = "crash_points.json"


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """What the death of a processor of some kind at a step cost, in readings; transactions for `refused`."""

    kind: Kind
    step: WorkStep
    verdict: Outcome | None = None
    lost: int = 0
    doubled: int = 0
    refused: int = 0
    error: str = ""


def scenario(kind: Kind, step: WorkStep) -> Scenario:
    """A processor is killed at a step. Those of a rebalance come when another member has fallen silent."""
    killed = Fault(kind="kill", target="processor:0", hold_s=4, step=step)
    faults: tuple[Fault, ...] = (killed,)
    if step in OF_A_REBALANCE:
        silent = Fault(kind="pause", target="processor:1", hold_s=10)
        faults = (silent, killed.model_copy(update={"at_s": 0.5}))
    return Scenario(
        name="crash_point",
        variant=f"{kind} {step}",
        topology=SAFE,
        workload=WORKLOAD,
        clients=PROCESSOR_KINDS[kind],
        faults=faults,
        schedule=SCHEDULE,
    )


def plan(kinds: Sequence[str], steps: Sequence[str]) -> list[tuple[Kind, WorkStep]]:
    """Every step that each kind has; `steps` empty: all of them.

    Raises:
        UsageError: there is no such kind or step.
    """
    for words, known in ((kinds, PROCESSOR_KINDS), (steps, get_args(WorkStep))):
        if unknown := sorted(set(words) - set(known)):
            raise UsageError(f"there is no {', '.join(unknown)}: choose of {', '.join(known)}")
    return [
        (kind, step)
        for kind, clients in PROCESSOR_KINDS.items()
        for step in STEPS[clients.processor]
        if kind in kinds and (not steps or step in steps)
    ]


def perform(kinds: Sequence[str] = tuple(PROCESSOR_KINDS), steps: Sequence[str] = (), say: Say = print) -> list[Crash]:
    """Kill a processor of each kind at each step, one run a step."""
    points = plan(kinds, steps)
    found = []
    for (kind, step), came in zip(points, carry_out([scenario(*point) for point in points], say), strict=True):
        crash = Crash(kind=kind, step=step, error=str(came)) if isinstance(came, LabError) else cost(kind, step, came)
        say(f"  {crash.verdict}: lost {crash.lost}, doubled {crash.doubled}, refused {crash.refused}")
        found.append(crash)
    return found


def perform_or_recall(kinds: Sequence[str], steps: Sequence[str], folder: str = "") -> list[Crash]:
    """Kill processors, or with a folder show what was recorded there.

    Raises:
        UsageError: the folder holds no record.
    """
    if not folder:
        return perform(kinds, steps)
    try:
        return msgspec.json.decode((Path(folder) / RECORD).read_bytes(), type=list[Crash])
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{folder} holds no record of crash points: {error}") from None


def record(crashes: Sequence[Crash], folder: Path) -> None:
    """Write what was counted into a folder that version control can hold."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(crashes)) + b"\n")


def cost(kind: Kind, step: WorkStep, run: JudgedRun) -> Crash:
    """What one run counted."""
    count = {check.name: check.count for check in run.verdict.checks}
    return Crash(
        kind=kind,
        step=step,
        verdict=run.verdict.verdict,
        lost=count["lost_in_log"] + count["lost_in_pipeline"] + count["expired"] + count["not_drained"],
        doubled=count["duplicate_in_store"],
        refused=int(run.commits["refused"].sum()),
    )


def table(crashes: Sequence[Crash]) -> pd.DataFrame:
    """Step × kind: lost, doubled, refused, verdict; the lowest, or the range, of several runs. "–" for no such step."""
    columns = ["lost", "doubled", "refused", "verdict"]
    frame = pd.DataFrame([msgspec.structs.asdict(crash) for crash in crashes])
    frame["verdict"] = frame["verdict"].fillna("not carried out")
    wide = pd.DataFrame(frame.groupby(["step", "kind"])[columns].agg(_range).unstack("kind"))
    order = [(column, kind) for kind in PROCESSOR_KINDS if kind in set(frame["kind"]) for column in columns]
    steps = [step for step in get_args(WorkStep) if step in wide.index]
    shown = wide.reindex(index=steps, columns=pd.MultiIndex.from_tuples(order)).fillna("–")
    shown.columns = pd.MultiIndex.from_tuples([(kind, column) for column, kind in order])
    return shown


def conclusion(crashes: Sequence[Crash]) -> str:
    """A sentence for each kind: at which steps readings were lost or stored twice, and how many runs tell nothing."""
    return "\n\n".join(
        _concluded(kind, [c for c in crashes if c.kind == kind])
        for kind in PROCESSOR_KINDS
        if any(c.kind == kind for c in crashes)
    )


def _concluded(kind: str, crashes: Sequence[Crash]) -> str:
    told = [crash for crash in crashes if crash.verdict not in {None, "INVALID"}]
    costs = []
    for word in ("lost", "doubled"):
        hit = [f"{getattr(crash, word):,} at {crash.step}" for crash in told if getattr(crash, word)]
        costs.append(f"{word} {', '.join(hit)}" if hit else f"nothing {word}")
    silent = f"; {len(crashes) - len(told)} runs tell nothing" if len(told) < len(crashes) else ""
    steps = len({crash.step for crash in told})
    return f"{kind}: killed at {steps} steps in {len(told)} runs: {'; '.join(costs)}{silent}."


def _range(values: pd.Series[Any]) -> str:
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}–{distinct[-1]}"
