"""What the names of a rig's files and folders say: healthy or faulty, and the load."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from factorylab.core.errors import UsageError

HEALTHY = "healthy"
HEALTHY_WORDS = frozenset({
    "healthy", "good", "normal", "ok", "okay", "baseline", "intact", "undamaged", "reference", "nominal", "faultless",
    "faultfree", "gesund", "gut",
})  # fmt: skip
FAULTY_WORDS = frozenset({
    "faulty", "fault", "faults", "failure", "failed", "fail", "broken", "break", "bad", "damage", "damaged", "defect",
    "defective", "anomaly", "anomalous", "abnormal", "unhealthy", "nok", "crack", "cracked", "worn", "wear", "chipped",
    "pitting", "spall", "spalled", "imbalance", "unbalance", "unbalanced", "misalignment", "misaligned", "looseness",
    "defekt", "kaputt", "schaden", "beschädigt",
})  # fmt: skip
NOT = frozenset({"no", "not", "non", "un", "without", "kein", "nicht", "ohne"})
LOAD_WORDS = frozenset({"load", "pct", "percent", "prozent", "%"})
WAY_OUT = (
    "put them into folders called healthy and faulty, or say --healthy PATTERN and --faulty PATTERN ('b*' or a path)"
)


def words(text: str) -> list[str]:
    """Small letters, numbers apart: "brokenTooth_h30hz" → broken, tooth, h, 30, hz."""
    apart = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", text)
    return re.findall(r"[a-zäöüß]+|\d+(?:\.\d+)?|%", apart.lower())


def said(name: str) -> set[bool]:
    """Whether a name says faulty (True), healthy (False), both or nothing; "no fault" and "fault-free" are healthy."""
    found, heard = set[bool](), words(name)
    for before, word, after in zip(["", *heard], heard, [*heard[1:], ""], strict=False):
        if word in HEALTHY_WORDS:
            found.add(before in NOT)
        elif word in FAULTY_WORDS:
            found.add(before not in NOT and after != "free")
    return found


def role_of(path: Path, root: Path, healthy: Sequence[str], faulty: Sequence[str]) -> str | None:
    """`HEALTHY`, or what a faulty file is called: its folder, else "faulty"; None: no name says which.

    Patterns count before names, and the name of `root`, the folder that was given, only where nothing below it says.

    Raises:
        UsageError: one thing says healthy and another faulty.
    """
    folders = [folder for folder in path.parents if root in folder.parents]
    ways = [{False}] * _fits(path, healthy) + [{True}] * _fits(path, faulty)
    ways = ways or [*filter(None, (said(name) for name in (path.stem, *(folder.name for folder in folders))))]
    ways = ways or [*filter(None, [said(root.name)])]
    if not ways:
        return None
    if set().union(*ways) == {True, False}:
        raise UsageError(f"{path}: something says that it is healthy, something that it is faulty: {WAY_OUT}")
    if ways[0] == {False}:
        return HEALTHY
    return next((folder.name for folder in (*folders, root) if said(folder.name) or _fits(folder, faulty)), "faulty")


def _fits(path: Path, patterns: Sequence[str]) -> bool:
    """Is it, or a folder above it, named by a pattern: a path, or a name with * and ?"""
    places = (path, *path.parents)
    return any(
        fnmatch(place.name, pattern) or place.resolve() == Path(pattern).resolve()
        for pattern in patterns
        for place in places
        if place.name
    )


def loads_of(names: Sequence[str]) -> list[float] | None:
    """The load that each file's name tells; None: they tell none.

    That is the number beside the word load, percent or %; else the one number that differs between names and is a
    multiple of 10 from 0 to 100 in each of them (a mere count of files is not).
    """
    marked = [_marked(words(name)) for name in names]
    if all(load is not None for load in marked):
        return [load for load in marked if load is not None]
    numbers = [[float(word) for word in words(name) if word[0].isdigit()] for name in names]
    if len({len(row) for row in numbers}) != 1:
        return None
    columns = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    if len(columns) != 1 or any(load % 10 or load > 100 for load in columns[0]):
        return None
    return list(columns[0])


def _marked(heard: Sequence[str]) -> float | None:
    for at, word in enumerate(heard):
        beside = [*heard[at + 1 : at + 2], *heard[at - 1 : at][:1]] if word in LOAD_WORDS else []
        number = next((near for near in beside if near[0].isdigit()), None)
        if number is not None:
            return float(number)
    return None
