"""Whose a file of settings is: which client reads it, and for a producer, a consumer or brokers.

What decides, in this order: the caller's word; the keys. Java's and librdkafka's clients share many names, and of some
the defaults differ, so a file of both is refused, and one of neither is taken for Java's, with a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from factorylab.core.errors import UsageError
from factorylab.scenarios.configuration.key_names import nearest, shown
from factorylab.scenarios.configuration.keys import Client, Definitions, Role
from factorylab.scenarios.configuration.not_needed import OF_OLDER, SCALA_CLIENT, framework, of_another_library

OF_A_BROKER = frozenset({"node.id", "broker.id", "process.roles", "log.dirs", "log.dir", "controller.quorum.voters"})
"""Settings that only brokers have."""


def refuse_framework(path: Path, names: list[str]) -> None:
    """A framework's file has its clients' settings, and not those that it makes itself.

    Raises:
        UsageError: it is one; the message says where all settings are.
    """
    one, key = framework(names)
    if one:
        raise UsageError(
            f"{path}: {shown(key)} is a setting of {one}, which makes clients of its own from this file and its own "
            "defaults, and those are not known here. Its log has their settings ('ProducerConfig values', "
            "'ConsumerConfig values'): put those that it shows into a file for each client"
        )


def client_of(
    path: Path, names: list[str], client: Client | None, known: Mapping[Client, Definitions]
) -> tuple[Definitions, str]:
    """Which client reads it, and what told so.

    Raises:
        UsageError: the file has names of both.
    """
    if client:
        return known[client], f"{client} by the command line"
    java, other = known["java"], known["librdkafka"]
    of_java = sorted(set(names) & (java.names - other.names))
    of_other = sorted(set(names) & (other.names - java.names))
    if SCALA_CLIENT & set(names):
        return java, f"java, of an older version, by {min(SCALA_CLIENT & set(names))}"
    if of_java and of_other:
        raise UsageError(
            f"{path} has settings of Java's client alone ({', '.join(of_java)}) and of librdkafka alone "
            f"({', '.join(of_other)}): librdkafka would not start with it, and Java's client would ignore the latter. "
            "Split it, or say whose it is: --client java or --client librdkafka"
        )
    if of_other:
        return other, f"librdkafka by {of_other[0]}"
    return java, f"java by {of_java[0]}" if of_java else "java by its form: no key tells, and --client says another"


def role_of(path: Path, names: list[str], role: Role | None, definitions: Definitions) -> tuple[Role, str]:
    """What it is for, and what told so.

    Raises:
        UsageError: it has settings of both roles or of neither; the message has the options that say it.
    """
    if role:
        return role, f"{role} by the command line"
    producer, consumer = (definitions.keys(one).keys() for one in ("producer", "consumer"))
    meant = {name: OF_OLDER.get(name, name) if definitions.client == "java" else name for name in names}
    writes, reads = (
        sorted(name for name, one in meant.items() if one in its and one not in others)
        for its, others in ((producer, consumer), (consumer, producer))
    )
    if bool(writes) != bool(reads):
        return ("producer", f"producer by {writes[0]}") if writes else ("consumer", f"consumer by {reads[0]}")
    says = (
        f"settings of a producer ({', '.join(writes)}) and of a consumer ({', '.join(reads)})"
        if writes
        else "no setting that only a producer or only a consumer has" + _slips(names, definitions)
    )
    raise UsageError(
        f"{path} has {says}: say what it is for with --producer {path}, --consumer {path}, or both. "
        "Of an admin client there is nothing to check"
    )


def spring_roles(path: Path, role: Role | None, found: Iterable[Role]) -> list[Role]:
    """The roles of a file of Spring Boot that are asked for: the one that is said, else all that it has.

    Raises:
        UsageError: there is none.
    """
    roles = [one for one in found if role in {None, one}]
    if not roles:
        wanted = f"spring.kafka.{role}" if role else "spring.kafka.producer or spring.kafka.consumer"
        raise UsageError(f"{path} has no setting of {wanted}, so that there is no client to check")
    return roles


def _slips(names: Iterable[str], definitions: Definitions) -> str:
    """Names that nobody knows, which may be why a file tells nothing."""
    unknown = [n for n in names if n not in definitions.names and not of_another_library(n)]
    told = "; ".join(f"{shown(n)} {nearest(n, definitions.names)}" for n in unknown)
    return f" ({told})" if unknown else ""
