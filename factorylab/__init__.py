"""A lab notebook for the failures of a distributed system.

    import factorylab as lab

    run = lab.run(lab.scenario("broker_loss", target="leader:0"))
    run.verdict
    lab.plot.timeline(run)

Everything is imported on first use: each process of a lab imports this package, and most need little of it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factorylab import analysis, scoring, signals, tables
    from factorylab import plots as plot
    from factorylab.api import example_recording, load, run, saved_runs, scenario, write_report
    from factorylab.controls import campaign, crash, detection

__version__ = "0.1.0"
__all__ = [
    "analysis", "campaign", "crash", "detection", "example_recording", "load", "plot", "run", "saved_runs", "scenario",
    "scoring", "signals", "tables", "write_report",
]  # fmt: skip

_MODULES = {
    "analysis": "factorylab.analysis",
    "campaign": "factorylab.controls.campaign",
    "crash": "factorylab.controls.crash",
    "detection": "factorylab.controls.detection",
    "plot": "factorylab.plots",
    "scoring": "factorylab.scoring",
    "signals": "factorylab.signals",
    "tables": "factorylab.tables",
}
_FUNCTIONS = dict.fromkeys(("example_recording", "load", "run", "saved_runs", "write_report"), "factorylab.api")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'factorylab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """`factorylab.scenario` is the function, although importing the submodule of that name sets the attribute."""

    @property
    def scenario(self) -> object:
        return import_module("factorylab.api").scenario

    @scenario.setter
    def scenario(self, submodule: ModuleType) -> None:
        """Nothing: the submodule is found in `sys.modules`."""


sys.modules[__name__].__class__ = _Package
