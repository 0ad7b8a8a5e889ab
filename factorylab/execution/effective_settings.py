"""The settings that a run will have, collected before anything starts: of brokers, fleets and processors."""

from __future__ import annotations

from pathlib import Path

import javaproperties
import yaml

from factorylab.cluster import control
from factorylab.cluster.backend_registry import BackendName
from factorylab.cluster.docker.creation import FILE
from factorylab.cluster.local import kafka_config
from factorylab.cluster.local.ports import BROKERS
from factorylab.core.errors import EnvironmentUnfit
from factorylab.execution.workers import own_settings
from factorylab.factory.profiles import consumer_defaults, fleet_defaults, share_defaults
from factorylab.scenarios.model import Clients
from factorylab.scenarios.prediction.settings import EffectiveSettings, Given, set_by
from factorylab.scenarios.share_group import ShareGroup
from factorylab.scenarios.transactions import Transactions

PROFILE, SCENARIO = "the lab's profile", "the scenario"
BROKER_ENVIRONMENT, PREFIX = "x-broker-environment", "KAFKA_"


def effective(
    clients: Clients,
    backend: BackendName,
    home: Path,
    share_group: ShareGroup | None = None,
    transactions: Transactions | None = None,
) -> EffectiveSettings:
    """What is set for a run with these clients on the lab of `home`. The lab that is up there counts, else the one that
    would be started."""
    own = own_settings(clients)
    defaults = fleet_defaults(clients.linger_ms, clients.compression)
    groups = consumer_defaults(clients.protocol, clients.session_timeout_s)
    if share_group is not None:
        groups = share_defaults(share_group.acknowledgement)
    session = {"session.timeout.ms", "heartbeat.interval.ms"} if clients.session_timeout_s else set()
    chosen = {name: value for name, value in groups.items() if name in {"group.protocol", *session}}
    chosen |= {"group.instance.id": "each processor's name"} if clients.static_members else {}
    limits = {} if transactions is None else {"transaction.timeout.ms": f"{transactions.timeout_s * 1000:.0f}"}
    return EffectiveSettings(
        broker=broker_settings(backend, home),
        producer=set_by(PROFILE, defaults) | set_by(SCENARIO, limits | own["producer"]),
        consumer=set_by(PROFILE, groups) | set_by(SCENARIO, chosen) | set_by(SCENARIO, own["consumer"]),
    )


def broker_settings(backend: BackendName, home: Path) -> dict[str, Given]:
    """What is set of the brokers, as the backend writes it.

    Raises:
        EnvironmentUnfit: compose.yaml is not there or says nothing of brokers.
    """
    if backend == "external":
        return {}  # not asked: predictions take Kafka's defaults
    if backend == "compose":
        return set_by(FILE.name, composed())
    written = home / "data" / "broker-1" / kafka_config.CONFIG
    if control.living_state(home) and written.is_file():
        return set_by("the lab that is up", javaproperties.loads(written.read_text(encoding="ascii")))
    return set_by("the lab's brokers", kafka_config.COMMON | kafka_config.replication(BROKERS))


def composed() -> dict[str, str]:
    """The properties of a broker in compose.yaml: KAFKA_X_Y is the property x.y."""
    try:
        environment = yaml.safe_load(FILE.read_text(encoding="utf-8"))[BROKER_ENVIRONMENT]
    except (OSError, KeyError) as error:
        raise EnvironmentUnfit(f"{FILE} says nothing of the brokers: {error}") from None
    return {
        name.removeprefix(PREFIX).lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
