"""What explainers share: the evidence, the leader epochs, the effective settings, and the form of a story.

An explainer is a function, registered by the name of the check whose readings it explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from factorylab.analysis.broker_log import LogEvent
from factorylab.analysis.epochs import Epochs
from factorylab.analysis.readings import Ints
from factorylab.audit.model.findings import Explanation
from factorylab.audit.model.registry import Evidence
from factorylab.core.clock import NS
from factorylab.history.saved_run import each

NOTHING_SEEN = "no event found that explains it"
COPIES = "min.insync.replicas=2 with three replicas"
MOST_FAULTS = 4  # on one line
UNKNOWN_CURE = "not known: look at the evidence in raw/"


class Case:
    """One run, as explainers look at it."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.run = evidence, evidence.run
        self.epochs = evidence.run.once(Epochs)
        made_of = evidence.run.manifest
        self.producer, self.consumer, self.topic = made_of.producer, made_of.consumer, made_of.topic_config

    def seconds(self, t_ns: int) -> float:
        return round((int(t_ns) - self.run.t0_ns) / NS, 3)

    def settings(self, of: dict[str, str], *names: str) -> list[str]:
        """The settings as they were in effect, on one line; none where nothing was recorded."""
        said = ", ".join(f"{name}={of[name]}" for name in names if name in of)
        return [f"in effect: {said}"] if said else []

    def quoted(self, lines: Sequence[LogEvent]) -> list[str]:
        """Lines of the brokers' logs, with the run's time beside their own."""
        return [f'{x.node}.log at {self.seconds(x.t_ns):.1f} s ({x.time} UTC): "{x.text}"' for x in lines]

    @property
    def repeats(self) -> bool:
        """The producer sent without idempotence, so that what it sends again is written again."""
        return self.producer.get("enable.idempotence", "").lower() in {"false", "0"}

    def faults_near(self, from_ns: int, until_ns: int) -> list[str]:
        """The faults that were held in some of this time, on one line; none where there were none."""
        windows = self.evidence.fault_windows
        end = np.iinfo(np.int64).max
        held = [
            f"{w.kind} {w.node} from {self.seconds(w.injected_ns):.1f} s"
            + (f" to {self.seconds(w.healed_ns):.1f} s" if w.healed_ns > 0 else " on")
            for w in each(windows)
            if w.injected_ns <= until_ns and (w.healed_ns if w.healed_ns > 0 else end) >= from_ns
        ]
        more = [f"and {len(held) - MOST_FAULTS} more"] if held[MOST_FAULTS:] else []
        return [f"faults: {'; '.join([*held[:MOST_FAULTS], *more])}"] if held else []

    def sent(self, keys: Ints) -> pd.DataFrame:
        """The sends of some readings: key, due_ns, t_ns (of the ack, else as due_ns), partition, offset."""
        row = self.evidence.send_row[keys]
        keys, row = keys[row >= 0], row[row >= 0]
        times, place = self.run.take("sends", row, "t_intended_ns", "t_ack_ns"), self.evidence.acked_at(row)
        acked = times["t_ack_ns"].to_numpy()
        return pd.DataFrame(
            {
                "key": keys,
                "due_ns": times["t_intended_ns"].to_numpy(),
                "t_ns": np.where(acked >= 0, acked, times["t_intended_ns"].to_numpy()),
                "partition": place["partition"].to_numpy(),
                "offset": place["offset"].to_numpy(),
            }
        )

    def tell(
        self, check: str, readings: pd.DataFrame, *, event: str, evidence: Sequence[str], cure: str, epoch: int = -1
    ) -> Explanation:
        """One group; `readings` has the columns of `sent`."""
        offset = readings["offset"].to_numpy()
        return Explanation(
            check=check,
            count=len(readings),
            partition=int(readings["partition"].iloc[0]),
            first_offset=int(offset.min()),
            last_offset=int(offset.max()),
            from_s=self.seconds(readings["t_ns"].min()),
            until_s=self.seconds(readings["t_ns"].max()),
            epoch=epoch,
            event=event,
            evidence=list(evidence),
            prevented_by=cure,
        )


Explainer = Callable[[Case], Iterator[Explanation]]
EXPLAINERS: dict[str, Explainer] = {}


def explains(check: str) -> Callable[[Explainer], Explainer]:
    """Register a function as the explainer of what `check` counts."""

    def register(explainer: Explainer) -> Explainer:
        EXPLAINERS[check] = explainer
        return explainer

    return register
