"""What asking a cluster found out, as data for a text, JSON or a program that goes on by it."""

from __future__ import annotations

import msgspec


class Address(msgspec.Struct, frozen=True):
    """An address of `bootstrap.servers`, or one that brokers tell (`broker` is its number then, else None).

    `why`: why it is not reached; empty where it is.
    """

    address: str
    broker: int | None
    reached: bool
    why: str
    took_s: float


class Privilege(msgspec.Struct, frozen=True):
    """A privilege and what a run needs it for; `held` is None where the cluster did not tell."""

    kind: str
    operation: str
    purpose: str
    held: bool | None
    why: str


class Topic(msgspec.Struct, frozen=True):
    """A topic under the prefix. `min_isr` is None where it was not told; `below` are its partitions with fewer replicas
    in sync, which take no record with acks=all."""

    name: str
    partitions: int
    replicas: int
    min_isr: int | None
    below: list[int]


class Answers(msgspec.Struct, frozen=True):
    """What was found. What was not asked, since nobody let one in, is None or empty.

    `problems`: what keeps a run from working, in sentences; `acls`:
    commands for the cluster's administrator.
    """

    connection: str
    prefix: str
    addresses: list[Address]
    cluster_id: str | None = None
    kafka_version: str | None = None
    metadata_version: int | None = None
    certificate_ends: str | None = None
    privileges: list[Privilege] = []
    topics: list[Topic] = []
    acls: list[str] = []
    problems: list[str] = []

    @property
    def reached(self) -> bool:
        """Did a broker answer that lets one in?"""
        return any(one.reached for one in self.addresses)
