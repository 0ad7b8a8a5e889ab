"""A lab notebook for the failures of a distributed system.

    import factorylab as lab

    run = lab.run(lab.scenario("broker_loss", target="leader:0"))
    run.verdict
    lab.plot.timeline(run)

Everything is imported on first use: each process of a lab imports this package, and most need little of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from factorylab import analysis
    from factorylab.api import (
        capacity,
        compare,
        conditions,
        example_recording,
        load,
        load_all,
        planned,
        predict,
        quantities,
        recorded,
        run,
        saved_runs,
        scenario,
        summarize,
        write_report,
    )
    from factorylab.detectors import evaluation as scoring
    from factorylab.execution.controls import campaign, crash, detection
    from factorylab.operations import sensor_preview as signals
    from factorylab.operations.live.in_notebook import live_view
    from factorylab.report import answer, answers
    from factorylab.report import plots as plot
    from factorylab.report import summary_tables as tables

__version__ = "0.1.0"
__all__ = [
    "analysis", "answer", "answers", "campaign", "capacity", "compare", "conditions", "crash", "detection",
    "example_recording", "live_view", "load", "load_all", "planned", "plot", "predict", "quantities", "recorded", "run",
    "saved_runs", "scenario", "scoring", "signals", "summarize", "tables", "write_report",
]  # fmt: skip

_MODULES = {
    "analysis": "factorylab.analysis",
    "campaign": "factorylab.execution.controls.campaign",
    "crash": "factorylab.execution.controls.crash",
    "detection": "factorylab.execution.controls.detection",
    "plot": "factorylab.report.plots",
    "scoring": "factorylab.detectors.evaluation",
    "signals": "factorylab.operations.sensor_preview",
    "tables": "factorylab.report.summary_tables",
}
_FUNCTIONS = dict.fromkeys(
    (
        "capacity", "compare", "conditions", "example_recording", "load", "load_all", "planned", "predict",
        "quantities", "recorded", "run", "saved_runs", "scenario", "summarize", "write_report",
    ),
    "factorylab.api",
) | dict.fromkeys(("answer", "answers"), "factorylab.report") | {
    "live_view": "factorylab.operations.live.in_notebook"
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'factorylab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
