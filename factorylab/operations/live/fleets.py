"""What the fleets offer, and what Kafka acknowledges of it, while they do: from a run's journals, or, where a fleet
keeps none, from its exporter."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import WaitTimeout
from factorylab.history.journal import ACK, REFUSED, SEND
from factorylab.operations.live.exporters import Exporters, samples

MATCHED = 20_000  # sends that are kept to find those that are answered; and answers of one look that are matched
LATENCIES_S = 10.0  # a quantile over so long
QUANTILE = 0.99
PREFIX = "factorylab_fleet_"


class FleetCounts(msgspec.Struct, frozen=True):
    """By fleet, since it began. `ack_p99_s` is of the last ten seconds and of all fleets, None where nothing was
    acknowledged; with `bound` it is the upper bound of a histogram's bucket."""

    offered: dict[str, int]
    acked: dict[str, int]
    ack_p99_s: float | None
    bound: bool


class Fleets(Protocol):
    def look(self) -> FleetCounts:
        """Raises WaitTimeout where a fleet does not answer."""

    def close(self) -> None: ...


class Tail:
    """A binary journal that somebody else appends to."""

    def __init__(self, path: Path, dtype: np.dtype[np.void]) -> None:
        self._file, self._dtype, self.count = path.open("rb", buffering=0), dtype, 0

    def news(self, at_most: int) -> NDArray[np.void]:
        """The rows since the last call, the last `at_most` of them; `count` is that of all rows so far."""
        before, self.count = self.count, self._filled()
        first = max(before, self.count - at_most)
        width = self._dtype.itemsize
        return np.frombuffer(os.pread(self._file.fileno(), (self.count - first) * width, first * width), self._dtype)

    def _filled(self) -> int:
        """The file grows by chunks of empty rows, without a time, which are filled from the front."""
        low, high = self.count, os.fstat(self._file.fileno()).st_size // self._dtype.itemsize
        while low < high:
            middle = (low + high) // 2
            row = os.pread(self._file.fileno(), self._dtype.itemsize, middle * self._dtype.itemsize)
            filled = len(row) == self._dtype.itemsize and np.frombuffer(row, self._dtype)["t_ns"][0] != 0
            low, high = (middle + 1, high) if filled else (low, middle)
        return low

    def close(self) -> None:
        self._file.close()


class JournalFleets:
    """The fleets of a run that goes on."""

    def __init__(self, journals: Path) -> None:
        self._journals = journals
        self._tails: dict[str, tuple[Tail, Tail]] = {}
        self._acked: dict[str, int] = {}
        self._sends = np.empty(0, SEND)
        self._took: deque[tuple[int, NDArray[np.float64]]] = deque()

    def look(self) -> FleetCounts:
        self._open_new()
        for fleet, (sends, acks) in self._tails.items():
            answered = acks.news(MATCHED * 10)  # first, so that the send of each of them is there
            self._sends = np.concatenate([self._sends, sends.news(MATCHED)])[-MATCHED:]
            good = answered[(answered["error"] == 0) & (answered["partition"] != REFUSED)]
            self._acked[fleet] = self._acked.get(fleet, 0) + len(good)
            self._match(good[-MATCHED:])
        while self._took and self._took[0][0] < now_ns() - LATENCIES_S * NS:
            self._took.popleft()
        offered = {fleet: sends.count for fleet, (sends, _) in self._tails.items()}
        took = np.concatenate([took for _, took in self._took]) if self._took else np.empty(0)
        return FleetCounts(offered, dict(self._acked), float(np.quantile(took, QUANTILE)) if len(took) else None, False)

    def _open_new(self) -> None:
        for path in self._journals.glob("*.sends.bin"):
            fleet = path.name.removesuffix(".sends.bin")
            acks = path.with_name(f"{fleet}.acks.bin")
            if fleet not in self._tails and acks.exists():
                self._tails[fleet] = Tail(path, SEND), Tail(acks, ACK)

    def _match(self, acks: NDArray[np.void]) -> None:
        """Keep how long those took whose send is among the latest."""
        _, at_send, at_ack = np.intersect1d(self._sends["hash"], acks["hash"], return_indices=True)
        if len(at_ack):
            took_s = (acks["t_ns"][at_ack] - self._sends["t_ns"][at_send]) / NS
            self._took.append((int(acks["t_ns"].max()), took_s))

    def close(self) -> None:
        for tails in self._tails.values():
            for tail in tails:
                tail.close()


class ScrapedFleets:
    """The fleets of a lab that serve metrics."""

    def __init__(self, exporters: Exporters) -> None:
        self._exporters = exporters
        self._buckets: deque[dict[float, float]] = deque(maxlen=round(LATENCIES_S))  # asked once a second

    def look(self) -> FleetCounts:
        said = self._exporters.texts("fleet")
        silent = [fleet for fleet, text in said.items() if text is None]
        if silent or not said:
            raise WaitTimeout(f"no answer of {', '.join(silent) or 'any fleet'}")
        found = {fleet: samples(text or "", PREFIX) for fleet, text in said.items()}
        self._buckets.append(_buckets(found))
        p99_s = quantile_of_buckets(self._buckets[0], self._buckets[-1], QUANTILE)
        return FleetCounts(_counts(found, "offered"), _counts(found, "acked"), p99_s, True)

    def close(self) -> None:
        pass


def _counts(found: Mapping[str, Mapping[tuple[str, str], float]], what: str) -> dict[str, int]:
    name = f"{PREFIX}readings_{what}_total", ""
    return {fleet: int(values[name]) for fleet, values in found.items() if name in values}


def _buckets(found: Mapping[str, Mapping[tuple[str, str], float]]) -> dict[float, float]:
    """The histograms of all fleets together: how many took at most so long."""
    summed: dict[float, float] = {}
    for values in found.values():
        for (name, le), count in values.items():
            if name == f"{PREFIX}ack_latency_seconds_bucket":
                summed[float(le)] = summed.get(float(le), 0) + count
    return summed


def quantile_of_buckets(then: Mapping[float, float], now: Mapping[float, float], quantile: float) -> float | None:
    """The least upper bound (seconds) that this share of what came between two looks did not exceed; None where nothing
    came, or where only the last, boundless bucket has them."""
    came = {bound: now[bound] - then.get(bound, 0) for bound in sorted(now)}
    total = came.get(float("inf"), 0)
    if total <= 0:
        return None
    bound = next(bound for bound, count in came.items() if count >= quantile * total)
    return bound if bound != float("inf") else None
