"""How much of what somebody alters in a recorded run the audit finds, by kind of alteration and table.

    python -m tests.measure.detection --seeds 3

Every column of every table is altered in each way that fits it, blindly: no alteration knows what the checks look at.
Found is what makes a check fire that did not, or fire more often. Columns that only inform are left out; they and the
reasons stand in `tests/support/alterations.py`. Prints Markdown.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from factorylab.audit.judge import checked
from factorylab.audit.judged import load
from factorylab.core.clock import NS
from factorylab.history.run_tables import dtypes
from factorylab.history.saved_run import Run
from factorylab.history.tables import TABLES
from tests.support.alterations import INFORMATIVE, Frames
from tests.support.recorded_runs import NAMES, unpack

Dice = np.random.Generator
Cells = Callable[["pd.Series[Any]", Dice], list[Any] | None]
Rows = Callable[[pd.DataFrame, Dice], pd.DataFrame]
TENTH = 10


def _numeric(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iuf"


def _step(column: pd.Series[Any]) -> int:
    return NS if str(column.name).endswith("_ns") else 1


def off_by_one(column: pd.Series[Any], dice: Dice) -> list[Any] | None:
    """One number by 1, one time by a second, one yes to no."""
    values, row = column.tolist(), int(dice.integers(len(column)))
    if column.dtype == "bool":
        values[row] = not values[row]
    elif _numeric(column):
        values[row] = (column + _step(column)).tolist()[row]
    else:
        return None
    return values


def value_of_another(column: pd.Series[Any], dice: Dice) -> list[Any] | None:
    """One cell has what another row has."""
    values, row = column.tolist(), int(dice.integers(len(column)))
    others = [value for value in values if str(value) != str(values[row])]
    if not others:
        return None
    values[row] = others[int(dice.integers(len(others)))]
    return values


def two_exchanged(column: pd.Series[Any], dice: Dice) -> list[Any] | None:
    """Two rows have each other's cell."""
    values, row = column.tolist(), int(dice.integers(len(column)))
    others = [i for i, value in enumerate(values) if str(value) != str(values[row])]
    if not others:
        return None
    other = others[int(dice.integers(len(others)))]
    values[row], values[other] = values[other], values[row]
    return values


def all_shifted(column: pd.Series[Any], dice: Dice) -> list[Any] | None:
    """Every number by 1, every time by a second."""
    return (column + _step(column)).tolist() if _numeric(column) else None


def a_row_removed(frame: pd.DataFrame, dice: Dice) -> pd.DataFrame:
    return frame.drop(index=int(dice.integers(len(frame)))).reset_index(drop=True)


def a_row_doubled(frame: pd.DataFrame, dice: Dice) -> pd.DataFrame:
    row = int(dice.integers(len(frame)))
    return frame.iloc[[*range(row + 1), *range(row, len(frame))]].reset_index(drop=True)


def the_last_tenth_removed(frame: pd.DataFrame, dice: Dice) -> pd.DataFrame:
    return frame.head(len(frame) - max(1, len(frame) // TENTH))


OF_CELLS: tuple[Cells, ...] = (off_by_one, value_of_another, two_exchanged, all_shifted)
OF_ROWS: tuple[Rows, ...] = (a_row_removed, a_row_doubled, the_last_tenth_removed)
KINDS = [kind.__name__ for kind in (*OF_CELLS, *OF_ROWS)]


def altered(frames: Frames, table: str, dice: Dice) -> Iterator[tuple[str, str, Frames]]:
    """(kind, column, tables) of every alteration that fits a table; the column is "" where rows are altered."""
    frame = frames[table].reset_index(drop=True)
    for name in frame:
        if (table, name) not in INFORMATIVE and (frame[name].astype(str) != "-1").any():  # -1: not recorded
            for of_cells in OF_CELLS:
                if (values := of_cells(frame[name], dice)) is not None:
                    kind = frame[name].dtype if frame[name].dtype.kind in "iufb" else object
                    told = frame.assign(**{str(name): pd.Series(values, dtype=kind)})
                    yield of_cells.__name__, str(name), frames | {table: told}
    for of_rows in OF_ROWS:
        yield of_rows.__name__, "", frames | {table: of_rows(frame, dice)}


def fired(run: Run) -> dict[str, int]:
    return {check.name: check.count for check in checked(run)[1] if check.fired}


def measure(run: Run, seed: int, tables: list[str]) -> Iterator[tuple[str, str, str, bool]]:
    """(table, kind, column, found) of each alteration of a run."""
    dice, before = np.random.default_rng(seed), fired(run)
    frames = {table: run.frame(table, *dtypes(table)) for table in TABLES if run.has(table)}
    for table in tables:
        if len(frames.get(table, ())) > 1:
            for kind, column, told in altered(frames, table, dice):
                now = fired(Run.from_frames(run.folder, told))
                yield table, kind, column, any(now[name] > before.get(name, 0) for name in now)


def table_of(found: Counter[tuple[str, str]], tried: Counter[tuple[str, str]]) -> str:
    """Markdown: a row a table, a column a kind, found of tried; the last row sums up."""
    lines = [
        "| table | " + " | ".join(kind.replace("_", " ") for kind in KINDS) + " |",
        "|---" * (len(KINDS) + 1) + "|",
    ]
    for table in [*sorted({table for table, _ in tried}), "all"]:
        cells = []
        for kind in KINDS:
            mine = [key for key in tried if key[1] == kind and table in (key[0], "all")]
            n = sum(tried[key] for key in mine)
            cells.append(f"{sum(found[key] for key in mine)} of {n}" if n else "–")
        lines.append(f"| {table} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--recordings", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    asked = parser.parse_args()
    found, tried, missed = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.recordings:
            run = load(unpack(name, Path(scratch) / name).path)
            for seed in range(asked.seeds):
                for table, kind, column, was_found in measure(run, seed, asked.tables):
                    tried[table, kind] += 1
                    found[table, kind] += was_found
                    if not was_found:
                        missed[f"{kind} in {table}.{column or 'rows'} of {name}"] += 1
                print(
                    f"{name}, seed {seed}: {sum(found.values()):,} of {sum(tried.values()):,} found so far", flush=True
                )
    print(f"\n{table_of(found, tried)}\n\nnot found:")
    print("\n".join(f"- {what} ({count})" for what, count in sorted(missed.items())))


if __name__ == "__main__":
    main()
