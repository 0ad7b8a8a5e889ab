"""How often each control was reported as declared: the table, the sentence and the figure."""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd
from matplotlib.ticker import MaxNLocator

from factorylab.execution.controls.control_results import SORTS, Campaign, Result
from factorylab.report.plots.style import FILLS, HATCHES, Picture, settled, styled
from factorylab.scenarios.controls import CONTROLS, NAMES, ControlName

Z_95 = 1.959964  # quantile of the normal distribution that leaves 2.5 % above it


def _grouped(campaign: Campaign) -> dict[tuple[ControlName, bool], list[Result]]:
    """Results of each control and its twin, in the order of the table."""
    found: dict[tuple[ControlName, bool], list[Result]] = {}
    for result in sorted(campaign.results, key=lambda r: (NAMES.index(r.control), r.repaired)):
        found.setdefault((result.control, result.repaired), []).append(result)
    return found


def table(campaign: Campaign) -> pd.DataFrame:
    """One row for each control and each twin: what is done, expected, reported, on how many runs, and the evidence: the
    least and the most that a run as declared showed, in the words of the last."""
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
                "evidence": _evidence(shown),
            }
        )
    variant = ["with" if repaired else "without" for _, repaired in _grouped(campaign)]
    return pd.DataFrame(rows, index=pd.Index(variant, name="repair")).set_index("control", append=True).swaplevel()


def _evidence(shown: list[Result]) -> str:
    last = shown[-1]
    least, most = (f(r.evidence_count for r in shown) for f in (min, max))
    words = last.evidence or last.error
    return words if least == most else f"{least:,} to {most:,}; the last {words}"


def made_with(campaign: Campaign) -> pd.DataFrame:
    """One row: when, on what, with which versions."""
    times = sorted(r.finished_utc for r in campaign.results)
    commits = ", ".join(dict.fromkeys(r.commit for r in campaign.results if r.commit))
    row: dict[str, object] = {"runs": len(times), "first_utc": times[0], "last_utc": times[-1], "commit": commits}
    for made in list(campaign.manifests.values())[:1]:
        row |= {"backend": made.backend, "cores": made.host.cores, **made.versions}
    return pd.DataFrame([row])


def conclusion(campaign: Campaign) -> str:
    """How often a broken promise was reported as declared, how often a kept one passed, how many are inconclusive."""
    judged = [result for result in campaign.results if result.sort != "inconclusive"]
    broken = [result for result in judged if result.expected != ["PASS"]]
    kept = [result for result in judged if result.expected == ["PASS"]]
    return (
        f"Of the runs that must be reported, as declared: {_share(broken)}. Of those that must pass: {_share(kept)}. "
        f"{len(campaign.results) - len(judged)} more are inconclusive."
    )


def _share(judged: list[Result]) -> str:
    """So many as declared of so many, with the lower end of Wilson's 95 % score interval (1927), rounded down."""
    n, good = len(judged), sum(result.sort == "as declared" for result in judged)
    if not n:
        return "none"
    share, z2 = good / n, Z_95**2 / n
    low = (share + z2 / 2 - (z2 * (share * (1 - share) + z2 / 4)) ** 0.5) / (1 + z2)
    return f"{good} of {n} (95 % interval from {math.floor(low * 1000) / 10} %)"


def picture(campaign: Campaign) -> Picture:
    """How many runs of each control and twin came out as declared, inconclusive, or came out otherwise."""
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
