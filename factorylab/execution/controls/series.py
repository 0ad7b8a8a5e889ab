"""Several scenarios one after the other on one lab; what a run left there is dropped before the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from factorylab.cluster.settings import Settings, load_settings
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.execution import perform
from factorylab.history import run_folders
from factorylab.scenarios.model import Fault, Scenario

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.execution.shared_lab import SharedLab

Say = Callable[[str], None]


def carry_out(scenarios: Sequence[Scenario], say: Say) -> Iterator[JudgedRun | LabError]:
    """The run of each, or why it could not be carried out, as soon as it is known.

    They share the lab that is up, or one that is made for all of them and ended with the last.
    """
    settings = load_settings()
    with _lab(settings, [fault for scenario in scenarios for fault in scenario.faults], say):
        for number, scenario in enumerate(scenarios, 1):
            say(f"[{number}/{len(scenarios)}] {scenario.title}")
            yield _one(scenario, settings, say)


def _lab(settings: Settings, faults: Collection[Fault], say: Say) -> AbstractContextManager[SharedLab | None]:
    """A lab that can do all of `faults`, or all but those of the network where this machine cannot cut nodes off."""
    from factorylab.cluster import control
    from factorylab.execution.shared_lab import SharedLab

    if control.living_state(settings.home):
        return nullcontext()
    try:
        return SharedLab(settings, perform.milestones(say), faults)
    except EnvironmentUnfit as error:
        if not any(fault.on_network for fault in faults):
            raise
        say(f"without network faults: {error}")
        return SharedLab(settings, perform.milestones(say))


def _one(scenario: Scenario, settings: Settings, say: Say) -> JudgedRun | LabError:
    from factorylab.cluster import boot
    from factorylab.execution.shared_lab import forget

    folder = run_folders.create(settings.results, scenario)
    try:
        run = perform.run(scenario, folder.path, say=lambda _: None)
    except LabError as error:
        say(f"  could not be carried out: {error}")
        return error
    forget(boot.known_endpoints(settings.home), folder.run_id)
    return run
