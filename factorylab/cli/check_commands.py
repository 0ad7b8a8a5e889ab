"""The command `check`: what the settings of clients and brokers allow to happen. Nothing is connected to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, say
from factorylab.core.errors import UsageError
from factorylab.core.exit_codes import FAILED, USAGE

if TYPE_CHECKING:
    from factorylab.execution.controls.proving import Proof
    from factorylab.scenarios.configuration.report import FileRead, Finding, Report
    from factorylab.scenarios.configuration.settings_file import SettingsFile

Files = Annotated[list[Path] | None, typer.Argument(help=".properties files of clients, or of brokers")]
Producers = Annotated[list[Path] | None, typer.Option("--producer", help="a producer's file; may be repeated")]
Consumers = Annotated[list[Path] | None, typer.Option("--consumer", help="a consumer's file; may be repeated")]
Brokers = Annotated[Path | None, typer.Option("--broker", help="the brokers' file, as server.properties")]
OfClient = Annotated[
    Literal["java", "librdkafka"] | None, typer.Option("--client", help="whose names the files have, where none tells")
]
Prove = Annotated[
    bool, typer.Option("--prove", help="run the controls of the findings with your settings, about a minute each")
]
TITLES = {
    "loss": "records may be lost",
    "double": "records may be doubled",
    "reorder": "records may be reordered",
    "stall": "records may have to wait",
}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(check)


def check(  # noqa: PLR0917 (typer's options)
    files: Files = None,
    producer: Producers = None,
    consumer: Consumers = None,
    broker: Brokers = None,
    client: OfClient = None,
    prove: Prove = False,
    as_json: AsJson = False,
) -> None:
    """Say what the settings in your .properties files allow: losses, doubles, reorderings, stalls. No cluster needed.

    Exit codes: 0 no record may be lost, doubled or reordered; 1 one may; 2 something is wrong with a file.
    """
    from factorylab.factory.client_definitions import librdkafka
    from factorylab.scenarios.configuration.checking import Named, asked, read_all
    from factorylab.scenarios.configuration.keys import kafka

    named = [Named(path) for path in files or ()]
    named += [Named(path, "producer") for path in producer or ()]
    named += [Named(path, "consumer") for path in consumer or ()]
    named += [Named(broker, "broker")] if broker else []
    if not named:
        raise UsageError("name a file, as in 'factorylab check my-producer.properties --broker server.properties'")
    read = read_all(named, client, {"java": kafka(), "librdkafka": librdkafka()})
    report = asked(read)
    if not as_json:
        show(report)
    proofs = _proved(report, read, as_json=as_json) if prove else []
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(_document(report, proofs, prove=prove))).decode())
    raise typer.Exit(USAGE if report.wrong else FAILED if report.harms_records else 0)


def _proved(report: Report, read: list[SettingsFile], *, as_json: bool) -> list[Proof]:
    """What the controls show of the findings about records, told as it comes."""
    from factorylab.execution.controls.proving import prove
    from factorylab.scenarios.configuration.effective import Side
    from factorylab.scenarios.configuration.proof import plan

    sides = {(str(one.path), one.role): Side(one) for one in read}
    if not as_json:
        typer.secho("\non a real cluster, with your settings", bold=True)
    proofs = []
    for proof in prove([plan(one, sides[one.file, one.role]) for one in report.allowed if one.kind != "stall"], say):
        proofs.append(proof)
        if not as_json:
            _show_proof(proof)
    return proofs


def _show_proof(proof: Proof) -> None:
    run = f" ({proof.control}, run {proof.run_id})" if proof.run_id else ""
    typer.echo(f"  {proof.file}: {proof.rule}: {proof.outcome}{run}: {proof.because}")
    if proof.left_out:
        typer.echo(f"    not carried over: {', '.join(proof.left_out)}")


def _document(report: Report, proofs: list[Proof], *, prove: bool) -> dict[str, object]:
    """The report as JSON; with `proofs` where they were asked for."""
    return msgspec.structs.asdict(report) | ({"proofs": proofs} if prove else {})


def show(report: Report) -> None:
    """The report as text: the files, what they allow by kind, what depends on more, and what was assumed."""
    for file in report.files:
        _show_file(file)
    for kind, title in TITLES.items():
        _show(title, [one for one in report.allowed if one.kind == kind])
    _show("that depends on more than these files", report.depends)
    if not report.allowed and any(file.starts for file in report.files):
        typer.echo("\nby the rules there are, these settings alone allow no loss, double, reordering or stall")
    for line in report.assumed:
        typer.echo(f"\nassumed: {line}")


def _show_file(file: FileRead) -> None:
    typer.secho(f"{file.file}: ", bold=True, nl=False)
    whose = f"Kafka {file.version}" if file.role == "broker" else f"{file.client} {file.version}"
    typer.echo(f"{file.role}, {whose} ({file.told_by})")
    for standing in dict.fromkeys(key.standing for key in file.keys):
        names = [key.key if key.key == key.name else f"{key.key} ({key.name})" for key in file.keys
                 if key.standing == standing]  # fmt: skip
        typer.echo(f"  {standing}: {', '.join(names)}")
    for problem in file.problems:
        typer.secho(f"  wrong: {problem}", fg=typer.colors.RED)
    if not file.starts:
        typer.echo("  its program does not start with it: what it would allow was not asked")


def _show(title: str, found: list[Finding]) -> None:
    if found:
        typer.secho(f"\n{title}", bold=True)
    for one in found:
        _show_finding(one)


def _show_finding(one: Finding) -> None:
    typer.echo(f"  {one.file}: {one.rule}" + (f" ({one.kind})" if one.depends_on else ""))
    if one.depends_on:
        typer.echo(f"    depends on  {one.depends_on}")
    for setting in one.settings:
        typer.echo(f"    by          {setting.name}={setting.value} ({setting.source})")
    typer.echo(f"    when        {one.failure}")
    typer.echo(f"    why         {one.why}")
    if one.stall:
        typer.echo(f"    how long    {_how_long(one)}")
    typer.echo(f"    prevented   {one.prevention}")
    for shown in one.shown_by:
        typer.echo(f"    shown by    {shown.control} in {shown.page}: {shown.injection}")
    typer.echo(f"    known from  {one.source}")


def _how_long(one: Finding) -> str:
    from factorylab.scenarios.configuration.stall_times import Stall

    stall = one.stall or Stall()
    if stall.low_s is None:
        return stall.words
    low = f"{stall.low_s:.1f} s"
    interval = f"at least {low}" if stall.high_s is None else f"{stall.low_s:.1f}–{stall.high_s:.1f} s"
    return f"{interval}, predicted (model {stall.model})" + (f": {stall.words}" if stall.words else "")
