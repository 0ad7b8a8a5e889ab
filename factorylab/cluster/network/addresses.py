"""Where everything is in an isolated lab (see `network`), as its driver plans it and its supervisor makes it."""

from __future__ import annotations

from dataclasses import replace

from factorylab.cluster.control import ForwardedPort
from factorylab.cluster.places import FORWARDED_PORT, INNER_PORT, Places

SUBNET = "10.77.0"  # no route leads in or out, so it may be in use elsewhere
CIDR = f"{SUBNET}.0/24"
HUB = f"{SUBNET}.254"


def inner_address(number: int) -> str:
    """Of broker `number`, counted from 1; workers come after them."""
    return f"{SUBNET}.{number}"


def isolated(places: Places) -> Places:
    """The same places on this host, with an address inside for each broker."""
    return replace(places, brokers=tuple(replace(p, inner=inner_address(p.number)) for p in places.brokers))


def forwarded_ports(places: Places) -> list[ForwardedPort]:
    """The ways in for programs of this host: to each broker, and to the database, which lives in the hub."""
    brokers = [ForwardedPort(p.address, p.port, f"{p.inner}:{FORWARDED_PORT}") for p in places.brokers]
    return [*brokers, ForwardedPort("127.0.0.1", places.database_port, f"127.0.0.1:{places.database_port}")]


def inner_bootstrap(places: Places) -> str:
    """Where workers find the brokers."""
    return ",".join(f"{p.inner}:{INNER_PORT}" for p in places.brokers)
