"""Settings of the lab's own clients that are librdkafka's."""

from __future__ import annotations

from factorylab.cluster.secured import way_to


def client_config(bootstrap: str, client_id: str) -> dict[str, str | int | float | bool]:
    """Connection settings of the lab's own librdkafka clients: they must find a cluster again soon after a fault."""
    way = way_to(bootstrap)
    return {
        **(way.client_settings() if way else {}),
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "log_level": 0,
    }
