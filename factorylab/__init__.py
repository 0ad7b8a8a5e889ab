"""A lab notebook for the failures of a distributed system.

    import factorylab as lab

    run = lab.run(lab.scenario("broker_loss", target="leader:0"))
    run.verdict
    lab.plot.timeline(run)

Names are imported on first use, so that `import factorylab` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factorylab import plots as plot
    from factorylab.api import run, scenario
    from factorylab.saved import load

__version__ = "0.1.0"
__all__ = ["load", "plot", "run", "scenario"]

_HOMES = {"run": "factorylab.api", "scenario": "factorylab.api", "load": "factorylab.saved"}


def __getattr__(name: str) -> object:
    if name == "plot":
        return import_module("factorylab.plots")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'factorylab' has no attribute {name!r}")
