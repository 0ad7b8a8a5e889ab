"""Margins within which two sets count as the same: '10%' of every quantity, 'recovery 1 s', 'latency_p99 1.5x'."""

from __future__ import annotations

import re
from collections.abc import Sequence

from factorylab.analysis.statistics.difference import Margin
from factorylab.audit.sets.quantities import in_unit, known
from factorylab.core.errors import UsageError

FORM = re.compile(r"\s*(?:(?P<name>[a-z][a-z0-9_.]*)\s+)?(?P<size>\d+(?:\.\d+)?)\s*(?P<unit>\S*)\s*")
HOW = "write it as '10%', 'recovery 1 s' or 'recovery 1.1x'"


def parsed(texts: Sequence[str]) -> dict[str, Margin]:
    """By quantity, "" for all that are not named: how much larger or smaller B may be. 10 % is a factor of 1.1 either
    way.

    Raises:
        UsageError: a margin has another form, or its quantity or unit does not exist.
    """
    found: dict[str, Margin] = {}
    for text in texts:
        fits = FORM.fullmatch(text)
        if fits is None:
            raise UsageError(f"{text!r} is no margin: {HOW}")
        name = fits["name"] or ""
        if name in found:
            raise UsageError(f"{text!r}: there are two margins of {name or 'all quantities'}")
        found[name] = _margin(name, float(fits["size"]), fits["unit"], text)
    return found


def _margin(name: str, size: float, unit: str, text: str) -> Margin:
    quantity = known(name) if name else None
    if unit in {"%", "x"}:
        factor = 1 + size / 100 if unit == "%" else size
        if factor <= 1:
            raise UsageError(f"{text!r}: a margin is above 0 %, or 1x; {HOW}")
        return Margin(factor, relative=True)
    if quantity is None:
        raise UsageError(f"{text!r}: a margin of all quantities has no unit but %; {HOW}")
    if size <= 0:
        raise UsageError(f"{text!r}: a margin is above 0; {HOW}")
    return Margin(size * in_unit(quantity, unit, text), relative=False)
