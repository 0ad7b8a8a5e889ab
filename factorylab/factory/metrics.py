"""What a process tells Prometheus while it runs, at http://<metrics_host>:<metrics_port>/metrics.

Counts are the ones that the process keeps anyway; only durations are gathered as they come. So metrics that nobody
asks for cost next to nothing. Nothing here talks to a Kafka client, which may let no second thread in while it polls.
Names follow Prometheus' conventions: the unit in the name, `_total` for what only grows. A process that starts again
begins at 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from factorylab.core.errors import EnvironmentUnfit
from factorylab.factory import json_logs
from factorylab.factory.config import FactoryConfig

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Upper bounds of the buckets: from an acknowledgement on loopback to the producer's delivery timeout."""


class Endpoint:
    """Serves a process's metrics from a thread of its own, if it is configured to; `close` gives the port back."""

    def __init__(self, config: FactoryConfig, logger: json_logs.Logger, *collectors: Collector) -> None:
        """
        Raises:
            EnvironmentUnfit: the port cannot be had.
        """
        self._server = None
        if config.metrics_port is None:
            return
        disable_created_metrics()  # when a histogram was made is no news: it is as old as the process
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for collector in collectors:
            registry.register(collector)
        host, port = config.metrics_host, config.metrics_port
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise EnvironmentUnfit(
                f"metrics cannot be served at {host}:{port}: {error.strerror}; set FACTORYLAB_METRICS_PORT to a free"
                " port, to 0 for any, or leave it out"
            ) from None
        logger.info("metrics", url=f"http://{host}:{self._server.server_port}/metrics")

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None


@dataclass(frozen=True)
class FleetCounts:
    """What a fleet knows of itself; `errors` by reason."""

    offered: int
    acked: int
    queued: int
    errors: Mapping[str, int]


class FleetMetrics(Collector):
    """A fleet's metrics."""

    def __init__(self, look: Callable[[], FleetCounts]) -> None:
        self._look = look
        self._fresh: deque[float] = deque()
        self._lock = Lock()
        self._buckets, self._sum_s = np.zeros(len(BOUNDS_S) + 1, np.int64), 0.0

    def acked(self, took_s: float | None) -> None:
        """One reading was acknowledged, so long after it was sent."""
        if took_s is not None:
            self._fresh.append(took_s)

    def settle(self) -> None:
        """Sort what was gathered into the buckets: now and then, so that little is kept."""
        with self._lock:
            took_s = np.array([self._fresh.popleft() for _ in range(len(self._fresh))], float)
            self._sum_s += float(took_s.sum())
            self._buckets += np.bincount(np.searchsorted(BOUNDS_S, took_s), minlength=len(BOUNDS_S) + 1)

    def collect(self) -> Iterator[Metric]:
        counts = self._look()
        yield _counter("fleet_readings_offered", "Readings that were due.", counts.offered)
        yield _counter("fleet_readings_acked", "Readings that Kafka acknowledged.", counts.acked)
        yield _gauge("fleet_queue_records", "Records in the producer, not acknowledged yet.", counts.queued)
        errors = CounterMetricFamily(
            "factorylab_fleet_errors", "Readings without acknowledgement, by reason.", labels=["reason"]
        )
        for reason, count in counts.errors.items():
            errors.add_metric([reason], count)
        yield errors
        self.settle()
        summed = np.cumsum(self._buckets).tolist()
        buckets = list(zip([*map(str, BOUNDS_S), "+Inf"], summed, strict=True))
        took = HistogramMetricFamily("factorylab_fleet_ack_latency_seconds", "From the send to the acknowledgement.")
        took.add_metric([], buckets, self._sum_s)
        yield took


@dataclass(frozen=True)
class ProcessorCounts:
    """What a processor knows of itself. `gone` counts assignments that ended, by reason: revoked, lost, too_slow.

    `lag` is in records, by partition, where the log's end is known.
    """

    counts: Mapping[str, int]
    rebalances: int
    gone: Mapping[str, int]
    assigned: int
    lag: Mapping[int, int]


COUNTED = {
    "read": ("readings_read", "Records polled and taken up; one that is taken up again counts again."),
    "stored": ("readings_stored", "Readings that were new to the store."),
    "duplicates": ("readings_duplicate", "Readings that the store had already."),
    "alerts": ("alerts", "Alerts stored and sent."),
    "dead_letters": ("dead_letters", "Bad records sent to the dead letters."),
    "errors": ("errors", "Failed batches and errors of the Kafka client."),
}


class ProcessorMetrics(Collector):
    """A processor's metrics: what it has `seen` last, and `batch_s` observes how long preparing, delivering and storing
    what one poll brought took."""

    def __init__(self) -> None:
        self.seen = ProcessorCounts({}, rebalances=0, gone={}, assigned=0, lag={})
        self.batch_s = Histogram(
            "factorylab_processor_batch_duration_seconds", "Preparing, delivering and storing what one poll brought.",
            buckets=BOUNDS_S, registry=None,
        )  # fmt: skip

    def collect(self) -> Iterator[Metric]:
        seen = self.seen
        for key, (name, text) in COUNTED.items():
            yield _counter(f"processor_{name}", text, seen.counts.get(key, 0))
        yield _counter("processor_rebalances", "Assignments that the group gave.", seen.rebalances)
        gone = CounterMetricFamily(
            "factorylab_processor_revocations", "Assignments that ended, by reason.", labels=["reason"]
        )
        for reason, count in seen.gone.items():
            gone.add_metric([reason], count)
        yield gone
        yield _gauge("processor_assigned_partitions", "Partitions owned or waiting to be taken.", seen.assigned)
        lag = GaugeMetricFamily("factorylab_processor_lag_records", "Records not taken up yet.", labels=["partition"])
        for partition, records in seen.lag.items():
            lag.add_metric([str(partition)], records)
        yield lag
        yield from self.batch_s.collect()


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"factorylab_{name}", text, value)


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"factorylab_{name}", text, value)
