"""Controls with repetitions: what was declared, what was reported, and the record that is kept.

perform(["P5", "P6"], repetitions=5)      run them
record(campaign, folder)                  add what came of them to a folder that version control can hold
recall(folder)                            what was recorded there
table(campaign), picture(campaign)        for people
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import pandas as pd
from matplotlib.ticker import MaxNLocator

from factorylab.audit.verdict import Outcome
from factorylab.controls.declared import CONTROLS, FAST, NAMES, ControlName, seeded
from factorylab.controls.series import Say, carry_out
from factorylab.errors import LabError, UsageError
from factorylab.manifest import Manifest
from factorylab.plots.style import FILLS, HATCHES, Picture, settled, styled, svg
from factorylab.scenario import Scenario

if TYPE_CHECKING:
    from factorylab.saved import Run

Sort = Literal["as declared", "proves nothing", "otherwise"]
SORTS: tuple[Sort, ...] = ("as declared", "proves nothing", "otherwise")
Z_95 = 1.959964  # quantile of the normal distribution that leaves 2.5 % above it
RESULTS, MANIFEST, PICTURE = "verdicts.json", "manifest.json", "detection.svg"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a control. `error` says why it could not be carried out: then there is no verdict."""

    control: ControlName
    repaired: bool
    expected: list[str]
    finished_utc: str
    run_id: str = ""
    commit: str = ""
    verdict: Outcome | None = None
    fired: list[str] = []
    invalid: list[str] = []  # those of `fired` that say that the evidence is bad
    met: bool = False
    evidence_count: int = 0
    evidence: str = ""
    offered: int = 0
    seed: int = 1
    error: str = ""

    @property
    def sort(self) -> Sort:
        """As declared: the verdict is the expected one, and the run shows what the control is about. Proves nothing: it
        was not carried out, shows nothing, or its evidence is bad and no check fired that was not declared."""
        if self.met and self.evidence_count:
            return "as declared"
        undeclared = set(self.fired) - set(self.invalid) - set(self.expected)
        void = self.verdict is None or bool(self.invalid)
        return "proves nothing" if self.met or (void and not undeclared) else "otherwise"

    @property
    def reported(self) -> str:
        """The verdict with the checks that fired."""
        return f"{self.verdict or 'not carried out'} {', '.join(self.fired)}".strip()


class Campaign(msgspec.Struct, frozen=True):
    """Results, and the manifest of one run for what all share: versions, host, effective configuration."""

    results: list[Result]
    manifest: Manifest | None = None


def chosen(which: Sequence[str]) -> tuple[ControlName, ...]:
    """Controls by name, or `fast`, or `all`.

    Raises:
        UsageError: there is no such control.
    """
    words = {"fast": FAST, "all": NAMES}
    names = [name for word in which for name in words.get(word, (word,))]
    if unknown := sorted(set(names) - set(NAMES)):
        raise UsageError(f"there is no control {', '.join(unknown)}: choose of {', '.join(NAMES)}, or fast, or all")
    return tuple(name for name in NAMES if name in names)


def plan(names: Sequence[ControlName], repetitions: int, seed: int) -> list[Scenario]:
    """Each with its twin, `repetitions` times, shuffled within a round: a slow hour of the machine hits all alike. A
    round has a workload of its own, which a control shares with its twin; the first round's is that of `seed`."""
    dice = random.Random(seed)
    planned: list[Scenario] = []
    for number in range(repetitions):
        scenarios = [seeded(scenario, seed + number) for name in names for scenario in CONTROLS[name].scenarios]
        dice.shuffle(scenarios)
        planned += scenarios
    return planned


def perform(
    which: Sequence[str] = ("fast",), repetitions: int = 1, seed: int = 1, keep_in: Path | None = None, say: Say = print
) -> Campaign:
    """Run controls; with `keep_in` each result is recorded in that folder as soon as it is there."""
    planned = plan(chosen(which), repetitions, seed)
    results: list[Result] = []
    manifest = None
    for scenario, came in zip(planned, carry_out(planned, say), strict=True):
        result = _result(scenario, error=str(came)) if isinstance(came, LabError) else result_of(came)
        manifest = manifest or (None if isinstance(came, LabError) else came.manifest)
        say(f"  {result.sort}: {result.reported}; {result.evidence}")
        results.append(result)
        if keep_in:
            record(Campaign([result], manifest), keep_in)
        if not isinstance(came, LabError):
            came.release()
    return Campaign(results, manifest)


def perform_or_recall(which: Sequence[str], repetitions: int, seed: int, folder: str = "") -> Campaign:
    """Run controls, or with a folder show what was recorded there."""
    return recall(Path(folder)) if folder else perform(which, repetitions, seed)


def result_of(run: Run) -> Result:
    """What came of a run of a control."""
    from factorylab.controls.evidence import evidence

    shown, verdict = evidence(run), run.verdict
    return msgspec.structs.replace(
        _result(run.scenario),
        run_id=run.folder.run_id,
        verdict=verdict.verdict,
        commit=run.manifest.commit,
        fired=[check.name for check in verdict.fired],
        invalid=[check.name for check in verdict.fired if check.verdict == "INVALID"],
        met=verdict.met,
        evidence_count=shown.count,
        evidence=str(shown),
        offered=verdict.counts.offered if verdict.counts else 0,
    )


def _result(scenario: Scenario, error: str = "") -> Result:
    name, _, rest = scenario.variant.partition(" ")
    return Result(
        control=chosen([name])[0],
        repaired=bool(rest),
        expected=[scenario.expect.upper()] if isinstance(scenario.expect, str) else ["FAIL", *scenario.expect],
        finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=scenario.workload.seed,
        error=error,
    )


def record(campaign: Campaign, folder: Path) -> Campaign:
    """Add results to those in a folder, draw the figure anew; all that is there now."""
    folder.mkdir(parents=True, exist_ok=True)
    before = recall(folder) if (folder / RESULTS).exists() else Campaign([])
    whole = Campaign([*before.results, *campaign.results], before.manifest or campaign.manifest)
    (folder / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(whole.results)) + b"\n")
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(whole.manifest)) + b"\n")
    (folder / PICTURE).write_text(svg(picture(whole)))
    return whole


def recall(folder: Path) -> Campaign:
    """What was recorded in a folder.

    Raises:
        UsageError: nothing was.
    """
    try:
        results = msgspec.json.decode((folder / RESULTS).read_bytes(), type=list[Result])
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest | None)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{folder} holds no record of controls: {error}") from None
    return Campaign(results, manifest)


def _grouped(campaign: Campaign) -> dict[tuple[ControlName, bool], list[Result]]:
    """Results of each control and its twin, in the order of the table."""
    found: dict[tuple[ControlName, bool], list[Result]] = {}
    for result in sorted(campaign.results, key=lambda r: (NAMES.index(r.control), r.repaired)):
        found.setdefault((result.control, result.repaired), []).append(result)
    return found


def table(campaign: Campaign) -> pd.DataFrame:
    """One row for each control and each twin: what is done, expected, reported, on how many runs, and the evidence of
    the last run that was as declared."""
    rows = []
    for (name, repaired), results in _grouped(campaign).items():
        sorts = Counter(r.sort for r in results)
        reported = Counter(r.reported for r in results)
        counted: dict[str, int] = {sort: sorts[sort] for sort in SORTS}
        shown = [r for r in results if r.sort == "as declared"] or results
        rows.append(
            {
                "control": name,
                "what": CONTROLS[name].prevented_by if repaired else CONTROLS[name].injection,
                "expected": " ".join([results[0].expected[0], ", ".join(results[0].expected[1:])]).strip(),
                "reported": "; ".join(f"{word} ({n})" if len(reported) > 1 else word for word, n in reported.items()),
                "n": len(results),
                **counted,
                "evidence": shown[-1].evidence or shown[-1].error,
            }
        )
    variant = ["with" if repaired else "without" for _, repaired in _grouped(campaign)]
    return pd.DataFrame(rows, index=pd.Index(variant, name="repair")).set_index("control", append=True).swaplevel()


def made_with(campaign: Campaign) -> pd.DataFrame:
    """One row: when, on what, with which versions."""
    times = sorted(r.finished_utc for r in campaign.results)
    row: dict[str, object] = {"runs": len(times), "first_utc": times[0], "last_utc": times[-1]}
    if made := campaign.manifest:
        row |= {"backend": made.backend, "commit": made.commit, "cores": made.host.cores, **made.versions}
    return pd.DataFrame([row])


def conclusion(campaign: Campaign) -> str:
    """How many runs came out as declared, and the lower end of Wilson's 95 % score interval (1927)."""
    sorts = Counter(result.sort for result in campaign.results)
    good, judged = sorts["as declared"], sorts["as declared"] + sorts["otherwise"]
    words = f"{good} of {judged} runs came out as declared; {sorts['proves nothing']} more prove nothing."
    if not judged:
        return words
    share, z2 = good / judged, Z_95**2 / judged
    low = (share + z2 / 2 - (z2 * (share * (1 - share) + z2 / 4)) ** 0.5) / (1 + z2)
    return f"{words} The 95 % interval of that share begins at {low:.0%}."


def picture(campaign: Campaign) -> Picture:
    """How many runs of each control and twin came out as declared, proved nothing, or came out otherwise."""
    groups = _grouped(campaign)
    labels = [f"{name}, repaired" if repaired else name for name, repaired in groups]
    with styled():
        figure = Picture(figsize=(7, 1.2 + 0.2 * len(labels)))
        ax = figure.add_subplot()
        left = [0] * len(labels)
        for sort, fill, hatch in zip(SORTS, FILLS, HATCHES, strict=False):
            widths = [sum(r.sort == sort for r in results) for results in groups.values()]
            ax.barh(range(len(labels)), widths, left=left, color=fill, hatch=hatch, edgecolor="black", label=sort)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        ax.set_yticks(range(len(labels)), labels)
        ax.invert_yaxis()
        ax.set_xlabel("runs")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(SORTS))
        return settled(figure)
