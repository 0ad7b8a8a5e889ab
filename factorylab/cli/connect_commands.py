"""The command `connect`: what a cluster of yours answers, and what a run on it would lack. It only asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, say
from factorylab.core.exit_codes import FAILED, UNFIT

if TYPE_CHECKING:
    from factorylab.cluster.asking.answers import Answers, Privilege, Topic

File = Annotated[Path, typer.Argument(help="a client's .properties file, with Java's names or librdkafka's")]
Prefix = Annotated[str, typer.Option("--prefix", help="how the names of a run's topics and groups begin")]
HELD = {True: "yes", False: "NO", None: "not told"}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(connect)


def connect(file: File, prefix: Prefix = "factorylab-", as_json: AsJson = False) -> None:
    """Say whether a run could work on your own cluster: reached, let in, allowed. Nothing there is changed.

    Exit codes: 0 it could; 1 something is missing; 2 the file is wrong; 5 no broker is reached or lets you in.
    """
    from factorylab.cluster.asking.ask import ask
    from factorylab.cluster.connection.connection import read_connection
    from factorylab.core import secret

    connection = read_connection(file)
    found = ask(connection, prefix, say)
    if as_json:
        document = secret.cleaned(msgspec.to_builtins(found))
        typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        typer.echo(secret.clean("\n".join(lines(found, connection.left_out))))
    raise typer.Exit((FAILED if found.problems else 0) if found.reached else UNFIT)


def lines(found: Answers, left_out: tuple[str, ...]) -> list[str]:
    """The answers as text."""
    told = [found.connection]
    for one in found.addresses:
        who = f"broker {one.broker}" if one.broker is not None else "bootstrap"
        told.append(f"  {who:<12} {one.address:<28} " + ("reached" if one.reached else f"NOT REACHED: {one.why}"))
    if found.reached:
        told.append(f"  cluster      {found.cluster_id}, Kafka {found.kafka_version} or later by its requests, "
                    f"metadata.version {found.metadata_version or 'not told'}")  # fmt: skip
    if found.certificate_ends:
        told.append(f"  your certificate ends on {found.certificate_ends}")
    told += [f"  {one.kind:<8} {one.operation:<16} {HELD[one.held]:<9} {_purpose(one)}" for one in found.privileges]
    told += [_topic(one) for one in found.topics]
    told += [f"left out, since it says nothing of connecting: {', '.join(left_out)}"] if left_out else []
    told += [f"problem: {problem}" for problem in found.problems]
    if found.acls:
        told += ["an administrator of the cluster may grant what is missing with:", *(f"  {one}" for one in found.acls)]
    return told if found.problems else [*told, f"a run could work here, under {found.prefix}"]


def _topic(one: Topic) -> str:
    form = f"{one.partitions} partitions, {one.replicas} replicas, min ISR {one.min_isr or 'not told'}"
    below = f"; its partitions {one.below} are below that and take no record with acks=all" if one.below else ""
    return f"  topic {one.name}: {form}{below}; it is there already, and no run touches it"


def _purpose(one: Privilege) -> str:
    return f"to {one.purpose}" + (f" ({one.why})" if one.why else "")
