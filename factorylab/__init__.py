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
    from factorylab import analysis, tables
    from factorylab import plots as plot
    from factorylab.api import example_recording, run, saved_runs, scenario, write_report
    from factorylab.saved import load

__version__ = "0.1.0"
__all__ = [
    "analysis", "example_recording", "load", "plot", "run", "saved_runs", "scenario", "tables", "write_report",
]  # fmt: skip

_MODULES = {"analysis": "factorylab.analysis", "plot": "factorylab.plots", "tables": "factorylab.tables"}
_API = ("example_recording", "run", "saved_runs", "scenario", "write_report")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _API:
        return getattr(import_module("factorylab.api"), name)
    if name == "load":
        return import_module("factorylab.saved").load
    raise AttributeError(f"module 'factorylab' has no attribute {name!r}")
