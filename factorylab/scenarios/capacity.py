"""A search for the highest rate that is kept: what it may be asked for, and the scenario of each of its trials."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationError

from factorylab.core.errors import ScenarioError
from factorylab.core.limits import Count, Milliseconds, Number, Rate, Seconds, Whole
from factorylab.core.vocabulary import Compression
from factorylab.scenarios.model import (
    Acks,
    Clients,
    Model,
    Objectives,
    Profile,
    Scenario,
    Schedule,
    Topology,
    Workload,
    explain,
)

MEASURED_STEPS = 3
"""Steps of a trial that are measured, one after the other; the one before them is for settling in at that rate."""
WARM_UP_PER_S = 5_000.0


class CapacityPlan(Model):
    """What is searched, and how; fixed before the first trial."""

    latency_s: Seconds = Field(default=0.5, description="p99 from the intended send to the store that counts as kept")
    trial_s: Seconds = Field(default=21, ge=3, description="measured at each rate, after a third of that to settle in")
    start_per_s: Rate = Field(default=20_000, ge=100, description="the first rate that is tried")
    resolution: Number = Field(default=0.1, ge=0.02, le=1, description="how far apart the ends of the answer may be")
    repeats: Whole = Field(default=3, ge=1, le=50, description="trials at each end of the answer")
    trials_max: Whole = Field(default=24, ge=1, le=500, description="the search ends after so many, decided or not")
    fleets_max: Whole = Field(default=4, ge=1, le=16, description="processes the sensors may be split over")
    sensors: Whole = Field(default=300, ge=3, le=100_000)
    processors: Whole = Field(default=3, ge=1, le=16)
    partitions: Whole = Field(default=3, ge=1, le=64)
    profile: Profile = "safe"
    acks: Acks = "all"
    linger_ms: Milliseconds = 50
    compression: Compression = "lz4"
    seed: Count = 1

    def trial(self, rate_per_s: float, fleets: int) -> Scenario:
        """One trial: steps of one rate, after a calm start."""
        return Scenario(
            name="capacity",
            variant=f"{rate_per_s:,g}/s",
            topology=Topology(profile=self.profile, partitions=self.partitions),
            workload=Workload(
                rate_per_s=min(WARM_UP_PER_S, rate_per_s),
                steps_per_s=(rate_per_s,) * (1 + MEASURED_STEPS),
                step_s=self.trial_s / MEASURED_STEPS,
                sensors=self.sensors,
                fleets=fleets,
                seed=self.seed,
            ),
            clients=Clients(
                acks=self.acks, linger_ms=self.linger_ms, compression=self.compression, processors=self.processors
            ),
            schedule=Schedule(warm_up_s=3, steady_s=5, after_s=1),
            objectives=Objectives(kept_per_s=rate_per_s),
        )


def capacity_plan(parameters: Mapping[str, object]) -> CapacityPlan:
    """The plan with these parameters.

    Raises:
        ScenarioError: a parameter is unknown or wrong; the message lists all of them with the rule.
    """
    try:
        plan = CapacityPlan.model_validate(dict(parameters))
        plan.trial(plan.start_per_s, 1)
    except ValidationError as error:
        raise ScenarioError(f"capacity:\n{explain(error)}") from None
    return plan
