"""What a run's history shows: frames in, frames out, no state, no drawing."""

from factorylab.analysis.alerting import alert_latency, blind_over_time, blind_time, waits, waits_over_time
from factorylab.analysis.anatomy import anatomy
from factorylab.analysis.contradictions import contradictions
from factorylab.analysis.exposure import by_leader as exposure_by_leader
from factorylab.analysis.exposure import exposure
from factorylab.analysis.intervals import assignments, isr, leadership, rebalances, under_replicated
from factorylab.analysis.latency import latencies, over_time, parts_over_time
from factorylab.analysis.limit import limit
from factorylab.analysis.offered_load import offered_load
from factorylab.analysis.outages import outages
from factorylab.analysis.partitioned import acks_kept_and_lost, clients_saw, views, watched_partition
from factorylab.analysis.periods import allowed_s
from factorylab.analysis.predicted import predicted
from factorylab.analysis.rates import lag, stages, throughput, total_lag
from factorylab.analysis.recovery import recovery
from factorylab.analysis.service import ack_gaps, fault_windows
from factorylab.analysis.stalls import stalled, stalls
from factorylab.analysis.steps import steps

__all__ = [
    "ack_gaps", "acks_kept_and_lost", "alert_latency", "allowed_s", "anatomy", "assignments", "blind_over_time",
    "blind_time", "clients_saw", "contradictions", "exposure", "exposure_by_leader", "fault_windows", "isr", "lag",
    "latencies", "leadership", "limit", "offered_load", "outages", "over_time", "parts_over_time", "predicted",
    "rebalances", "recovery", "stages", "stalled", "stalls", "steps", "throughput", "total_lag", "under_replicated",
    "views", "waits", "waits_over_time", "watched_partition",
]  # fmt: skip
