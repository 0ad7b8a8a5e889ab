"""How much may be asked for: no duration of a run is longer than a day, nor is a run, and no rate is above a million.

What is larger is a slip of the pen (milliseconds for seconds), and would be noticed hours later. A lab on one machine
is measured in minutes, and stores some 100,000 readings a second at best.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from factorylab.core.sessions import CLASSIC_SESSION_S

DAY_S = 86_400
YEAR_S = 365 * DAY_S
RATE_MAX_PER_S = 1_000_000
STEPS_MAX = 1_000
FAULTS_MAX = 1_000
ROUNDS_MAX = 1_000
RUNS_MAX = 1_000
LINGER_MAX_MS = 900_000  # librdkafka's own


def _no_truth_value(value: object) -> object:
    """Python, and pydantic with it, takes true for 1."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Seconds = Annotated[Number, Field(gt=0, le=DAY_S)]
SomeSeconds = Annotated[Number, Field(ge=0, le=DAY_S)]
Rate = Annotated[Number, Field(gt=0, le=RATE_MAX_PER_S)]
Milliseconds = Annotated[Number, Field(ge=0, le=LINGER_MAX_MS)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[Whole, Field(ge=0, lt=2**63)]
SessionTimeout = Annotated[
    Number | None, Field(ge=6, le=300, description=f"None: {CLASSIC_SESSION_S:g}, or the broker's own")
]
