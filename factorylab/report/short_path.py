"""A path of an SVG in short: relative moves in tenths of a point, straight lines on one axis in one number.

Rounding does not add up: each move leads from where the path was drawn to where the next point is.
"""

from __future__ import annotations

import re

TENTHS = 10  # of a point, less than a screen shows
_COMMAND = re.compile(r"([MLQCZz])([^MLQCZz]*)")


def short_path(d: str) -> str:
    """The same drawing as `d`, which has absolute M, L, Q, C and z alone, as matplotlib writes them.

    Raises:
        ValueError: it has other commands.
    """
    if set(re.sub(r"[-+\d.eE\s,]", "", d)) - set("MLQCZz"):
        raise ValueError(f"a path has other commands than M, L, Q, C and z: {d[:60]!r}")
    x = y = 0
    begun = (0, 0)
    moves: list[tuple[str, list[int]]] = []
    for command, numbers in _COMMAND.findall(d):
        points = [round(float(number) * TENTHS) for number in numbers.replace(",", " ").split()]
        if command in "Zz":
            moves.append(("z", []))
            x, y = begun
            continue
        relative = [value - (x, y)[axis % 2] for axis, value in enumerate(points)]
        x, y = points[-2:]
        if command == "M":
            begun = (x, y)
            moves.append(("M", points))
        else:
            _add(moves, command.lower(), relative)
    return "".join(_written(*move) for move in moves)


def _add(moves: list[tuple[str, list[int]]], command: str, relative: list[int]) -> None:
    """A line on one axis is h or v, which goes on where the one before has its direction."""
    if command == "l" and 0 in relative:
        command, relative = ("v", relative[1:]) if relative[0] == 0 else ("h", relative[:1])
        last, length = moves[-1][0], moves[-1][1]
        if relative == [0] and last != "M":
            return
        if last == command and length[0] * relative[0] >= 0:
            moves[-1] = (command, [length[0] + relative[0]])
            return
    moves.append((command, relative))


def _written(command: str, numbers: list[int]) -> str:
    """A minus parts two numbers as well as a space does."""
    return command + " ".join(map(_tenths, numbers)).replace(" -", "-")


def _tenths(number: int) -> str:
    """As ".5" and "-12.3"."""
    text = f"{abs(number) / TENTHS:g}".removeprefix("0") or "0"
    return f"-{text}" if number < 0 else text
