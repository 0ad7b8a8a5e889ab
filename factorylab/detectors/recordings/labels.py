"""Labels: which rows are known to be wrong, and columns that tell it and so must never be a detector's input."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, counted, listed
from factorylab.detectors.recordings.header import plain
from factorylab.detectors.recordings.layout import Columns
from factorylab.detectors.recordings.table import Table

Bools = NDArray[np.bool_]
LABEL_NAMES = ("label", "anomaly", "isanomaly")  # taken as the label where nothing else is named
TELLING = re.compile(
    r"anomal|outlier|attack|(?<!de)fault|failure|label|changepoint|groundtruth|defect|abnormal|intrusion|attflag|malfunction|breakdown|alarm|defekt|is(normal|broken|failed)"
    r"|^(class|classes|target|truth|gt|failed|broken|normal|state|status|event|störung|fehler|ausfall|stoerung)$"
)
WORDS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
HOLES = {"nan", "null", "n/a", "na", "#n/a"}
SEEN = 8  # values that an error names


def tells(name: str) -> bool:
    """Whether a column's name says that it tells what is wrong."""
    return bool(TELLING.search(plain(name)))


def label_of(table: Table, columns: Columns, windows: bool) -> str | None:
    """The column of labels: the one that was named, else the only one with a usual name, unless there are windows.

    Raises:
        UsageError: there is no such column, or several have usual names.
    """
    if columns.label is not None:
        return table.find(columns.label, "--label-column")
    found = [name for name in table.cells.columns if plain(name) in LABEL_NAMES]
    if windows or not found:
        return None
    if len(found) > 1:
        raise UsageError(f"{table.path}: {listed(found)} all look like labels: name one with --label-column")
    return table.find(found[0], "--label-column")


def read_truth(table: Table, label: str, faulty: tuple[str, ...], notes: Notes) -> tuple[Bools, Bools]:
    """Per row whether it is faulty, and whether that is known.

    Raises:
        UsageError: the values are no labels, naming them and the way out.
    """
    values = _canonical(table.cells[label])
    if faulty:
        return _by_values(table, label, faulty, notes)
    if not {*values.unique()} <= {*WORDS}:
        raise UsageError(
            f"{table.path}: the column {label!r} holds {_shown(table.cells[label])}; a label is 0 or 1, false or true, "
            "no or yes. Say which values mean a fault with --faulty VALUE (may be repeated)"
        )
    truth = values.isin([word for word, faulty in WORDS.items() if faulty]).to_numpy(bool)
    if truth.all():
        notes.assumed.append(f"every row is faulty by {label!r}")
    return truth, np.ones(len(truth), bool)


def _by_values(table: Table, label: str, faulty: tuple[str, ...], notes: Notes) -> tuple[Bools, Bools]:
    """The values that were named are faulty, an empty label tells nothing, every other is healthy."""
    values = _canonical(table.cells[label])
    wanted = {*map(_word, faulty)}
    known = (values != "").to_numpy(bool)
    if not known.all():
        notes.left_out.append(f"{counted(int((~known).sum()), 'row')} without a label: not scored")
    healthy = table.cells[label][known & ~values.isin(wanted)]
    notes.assumed.append(f"{label!r}: {listed([*faulty])} is faulty; healthy: {_shown(healthy) or 'none'}")
    return values.isin(wanted).to_numpy(bool), known


def without_missing(table: Table, label: str, missing: tuple[str, ...]) -> Table:
    """The same with empty labels where a cell is a usual word for a hole, or a value that means "no reading"."""
    gone = _canonical(table.cells[label]).isin({*HOLES, *map(_word, missing)})
    return replace(table, cells=table.cells.assign(**{label: table.cells[label].mask(gone, "")}))


def check_faulty(table: Table, label: str, faulty: tuple[str, ...]) -> None:
    """Raises UsageError where a value that means a fault is nowhere in the file."""
    there = {*map(_word, table.cells[label].unique())}
    strange = [value for value in faulty if _word(value) not in there]
    if strange:
        raise UsageError(
            f"{table.path}: --faulty {strange[0]}: the column {label!r} has no such value; "
            f"it holds {_shown(table.cells[label])}"
        )


def _canonical(cells: pd.Series) -> pd.Series:
    return cells.replace({value: _word(value) for value in cells.unique()})


def _word(value: str) -> str:
    """Small letters; 1.0, 1,0 and +1 are 1."""
    text = value.strip().lower()
    whole = re.fullmatch(r"\+?(-?\d+)(?:[.,]0*)?", text)
    return str(int(whole[1])) if whole else text


def _shown(cells: pd.Series) -> str:
    counts = cells.value_counts()
    shown = [f"{value!r} ({count:,})" if value else f"nothing ({count:,})" for value, count in counts.items()]
    return ", ".join(shown[:SEEN]) + (f" and {len(shown) - SEEN} other values" if len(shown) > SEEN else "")
