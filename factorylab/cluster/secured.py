"""Brokers that are not the lab's own, as this process reaches them: by their addresses.

The lab's own brokers ask nobody who he is, and count from 1. Of others their number and the way in are told here once,
when a process takes up a lab, and whoever makes a client or a line asks here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Way(Protocol):
    """How a broker is reached, by a line and by each kind of client. The settings hold secrets."""

    def wrap(self, plain: socket.socket, host: str) -> socket.socket:
        """A line's socket with TLS, or as it is."""

    def log_in(self, ask: Callable[[Any], Any], host: str) -> None:
        """Say over a line who one is, where that is asked."""

    def python_settings(self) -> dict[str, object]:
        """For kafka-python's clients."""

    def client_settings(self) -> dict[str, str]:
        """For librdkafka's clients."""


@dataclass(frozen=True)
class _Brokers:
    numbers: tuple[int, ...]
    way: Way


_known: dict[str, _Brokers] = {}


def introduce(brokers: Mapping[int, str], way: Way) -> str:
    """Have clients of these brokers (number → host:port) take this way; their bootstrap, by their numbers."""
    numbers = tuple(sorted(brokers))
    found = _Brokers(numbers, way)
    _known.update(dict.fromkeys(brokers.values(), found))
    return ",".join(brokers[number] for number in numbers)


def way_to(bootstrap: str) -> Way | None:
    """How the brokers of `host:port,…` are reached; None for the lab's own."""
    found = _known.get(bootstrap.partition(",")[0])
    return found.way if found else None


def numbers_of(bootstrap: str) -> tuple[int, ...]:
    """The numbers of the brokers of a bootstrap, in its order; the lab's own count from 1."""
    addresses = bootstrap.split(",")
    found = _known.get(addresses[0])
    return found.numbers if found else tuple(range(1, len(addresses) + 1))


def address_of(bootstrap: str, number: int) -> str:
    """host:port of a broker of a bootstrap."""
    return bootstrap.split(",")[numbers_of(bootstrap).index(number)]
