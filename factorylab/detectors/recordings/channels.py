"""Which columns of a table are measurements. What is left out is told, with the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.account import Notes, counted, listed
from factorylab.detectors.recordings.header import plain
from factorylab.detectors.recordings.labels import tells
from factorylab.detectors.recordings.layout import Layout
from factorylab.detectors.recordings.numbers import Numbers, read_numbers, without
from factorylab.detectors.recordings.table import Table

COUNTERS = {"id", "index", "idx", "no", "nr", "row", "record", "unnamed0", "lfdnr", "seq", "counter"}
MACHINES = re.compile(
    r"(machine|unit|asset|device|dev|engine|turbine|station|equipment|pump|sensor|motor|maschinen?|anlagen?|ger(ä|ae)te?)"
    r"(id|name|number|no|nr)|machine|device|dev|asset|maschine|anlage|tag"
)
MACHINE_NOUNS = {"pump", "unit", "motor", "engine", "sensor", "station", "turbine", "id", "name", "equipment"}
SENTINELS = (-9, -99, -999, -9999, -99999, 9999, 99999, 999999)
FEW = 4  # values of a label at most: healthy, and kinds or grades of faults
ALIKE = 0.9  # of the rows that either calls faulty, both do
LEAST = 3  # rows that make a counter, or a sentinel


def read_channels(
    table: Table, layout: Layout, wanted: Sequence[str], others: Sequence[str], notes: Notes
) -> dict[str, Numbers]:
    """The numbers of the columns that were named, or of all that look like measurements; never of `others`.

    Raises:
        UsageError: a named column is not there, is not mostly numbers or tells what is wrong; or none is left.
    """
    names = [table.find(name, "--value-column") for name in wanted]
    names = names or [name for name in table.cells.columns if name not in others]
    numbers = read_numbers(table, [name for name in names if name not in others], layout.decimal, notes)
    numbers = {name: without(n, table.cells[name], layout.missing) for name, n in numbers.items()}
    chosen = _named(table, names, others, numbers) if wanted else _measurements(table, layout, numbers, notes)
    if not chosen:
        raise UsageError(
            f"{table.path}: it has no column of numbers besides times and labels: name it with --value-column. "
            f"Left out: {'; '.join(notes.left_out) or 'nothing'}"
        )
    for name, its in chosen.items():
        _tell_holes(name, its, notes)
        _tell_sentinels(name, its.values, layout, notes)
    return chosen


def _named(table: Table, names: list[str], others: Sequence[str], numbers: dict[str, Numbers]) -> dict[str, Numbers]:
    for name in names:
        if name in others:
            raise UsageError(f"{table.path}: the column {name!r} holds times, labels or machines: it is no value")
        its = numbers[name]
        if not its.count:
            raise UsageError(f"{table.path}: the column {name!r} holds no number, but {_words(its) or 'nothing'}")
        if not its.measured:
            word = next(iter(its.words))
            row = int(np.argmax((table.cells[name] == word).to_numpy()))
            raise UsageError(f"{table.where(row)}: {word!r} is no number, as most of the column {name!r}")
        if tells(name) and len(np.unique(its.values[np.isfinite(its.values)])) <= 2:
            raise UsageError(f"{table.path}: the column {name!r} tells what is wrong: it is no input of a detector")
    return {name: numbers[name] for name in names}


def _measurements(table: Table, layout: Layout, numbers: dict[str, Numbers], notes: Notes) -> dict[str, Numbers]:
    reasons = {name: _unfit(table, name, its) for name, its in numbers.items()}
    fit = [name for name, why in reasons.items() if why is None]
    weak = {name: why for name in fit if (why := _tells_nothing(name, numbers[name].values))}
    seen = dict[bytes, str]()
    for name in fit:
        first = seen.setdefault(sha256(numbers[name].values.tobytes()).digest(), name)
        if first != name:
            weak.setdefault(name, f"the same as {first}")
    if len(weak) < len(fit):  # a recording of one constant channel is one all the same
        reasons |= weak
    for why in dict.fromkeys(filter(None, reasons.values())):
        notes.left_out.append(f"{listed([name for name in reasons if reasons[name] == why])}: {why}")
    chosen = {name: its for name, its in numbers.items() if reasons[name] is None}
    machines = [name for name, its in numbers.items() if name in chosen or its.words if _tells_machines(table, name)]
    if machines and not layout.by:
        raise UsageError(
            f"{table.path}: {machines[0]!r} looks like what tells machines apart: say so with --by {machines[0]}, or "
            "name the columns of values with --value-column"
        )
    return chosen


def _tells_machines(table: Table, name: str) -> bool:
    """By its name; of the nouns that may also be a state (pump: on), by several values with letters and digits."""
    cells = table.cells[name]
    if MACHINES.fullmatch(plain(name)):
        return bool((cells != cells.iloc[0]).any())
    named = plain(name) in MACHINE_NOUNS and cells.str.fullmatch(r"(?i).*[a-z].*\d+.*").all()
    return bool(named and cells.nunique() > 1)


def _unfit(table: Table, name: str, its: Numbers) -> str | None:
    if its.count == 0 and not its.words:
        return "empty"
    if name in table.nameless:
        return "without a name"
    if tells(name):
        return "tells by its name what is wrong, which is never an input; --label-column scores against it"
    if not its.measured:
        return f"no numbers ({_words(its)})" if not its.count else f"mostly words ({_words(its)})"
    return None


def _words(its: Numbers) -> str:
    return listed([repr(word) for word in list(its.words)[:3]])


def _tells_nothing(name: str, values: NDArray[np.float64]) -> str | None:
    steps = np.diff(values)
    if len(values) >= LEAST and not np.isnan(values).any():
        if not steps.any():
            return "constant"
        counted = (steps == steps[0]).all() or (plain(name) in COUNTERS and (steps > 0).all())
        if counted and float(steps[0]).is_integer():
            return "counts the rows"
    return None


def _tell_holes(name: str, its: Numbers, notes: Notes) -> None:
    parts = [f"{word!r} {counted(count, 'time')}" for word, count in its.words.items()]
    if its.empty:
        parts.append(counted(its.empty, "empty cell"))
    if parts:
        notes.assumed.append(f"holes in {name!r}: {listed(parts)}")


def _tell_sentinels(name: str, values: NDArray[np.float64], layout: Layout, notes: Notes) -> None:
    """Values far beyond all others that come again and again: usual ones for "no reading", or the ends of a range."""
    finite = values[np.isfinite(values)]
    for sentinel in dict.fromkeys((*map(float, SENTINELS), float(finite.min()), float(finite.max()))):
        count = int((finite == sentinel).sum())
        if count < LEAST or count == len(finite):
            continue
        rest = finite[finite != sentinel]
        least = 1.0 if sentinel in SENTINELS else np.inf  # width of a channel that is constant besides
        if abs(sentinel - np.median(rest)) > 3 * (np.ptp(rest) or least):
            shown = int(sentinel) if sentinel.is_integer() and abs(sentinel) < 1e9 else sentinel
            notes.assumed.append(
                f"{name!r} is {shown} in {counted(count, 'row')}, far from all other values; if it means "
                f"'no reading', say --missing {shown}"
            )


def leaks(channels: dict[str, NDArray[np.float64]], truth: NDArray[np.bool_]) -> list[str]:
    """Channels that hold the truth itself: one value in all healthy rows, and in (nearly) all faulty ones another."""
    if truth.all() or not truth.any():
        return []
    return [name for name, values in channels.items() if _is_truth(values, truth)]


def _is_truth(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> bool:
    """Two values that part the rows as the truth does; the ends of faults may be off by a tenth of them in all."""
    if len(np.unique(values[:1_000])) > FEW or not 2 <= len(levels := np.unique(values)) <= FEW:  # the first is quick
        return False
    usual = max(levels, key=lambda level: int((values[~truth] == level).sum()))
    other = values != usual
    return bool((other & truth).sum() >= ALIKE * (other | truth).sum())
