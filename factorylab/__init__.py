"""A lab notebook for the failures of a distributed system.

    import factorylab as lab

    run = lab.run(lab.scenario("broker_loss", target="leader:0"))
    run.verdict
    lab.plot.timeline(run)

What is heavy (frames, figures) is imported on first use, so that `import factorylab` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# Eager, although only users need it: the function `scenario` must win over the submodule of the same name.
from factorylab.api import example_recording, run, saved_runs, scenario, write_report

if TYPE_CHECKING:
    from factorylab import analysis, tables
    from factorylab import plots as plot
    from factorylab.saved import load

__version__ = "0.1.0"
__all__ = [
    "analysis", "example_recording", "load", "plot", "run", "saved_runs", "scenario", "tables", "write_report",
]  # fmt: skip

_MODULES = {"analysis": "factorylab.analysis", "plot": "factorylab.plots", "tables": "factorylab.tables"}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "load":
        return import_module("factorylab.saved").load
    raise AttributeError(f"module 'factorylab' has no attribute {name!r}")
