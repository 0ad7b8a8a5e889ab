"""The command `judge`: a program of the user's in the place of the processors, and what it did while things broke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson, ByClient, OnBackend, UnderPrefix, say
from factorylab.cli.runs_commands import judge as judged_now
from factorylab.cluster import folders, manage
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.history.manifest import OutputRead

Query = Annotated[
    str | None,
    typer.Option(
        "--query", help="SQL that gives sensor and seq of each row; default: SELECT sensor_id, seq FROM readings"
    ),
]
Topic = Annotated[bool, typer.Option("--topic", help="its output is the topic KAFKA_OUTPUT_TOPIC, not a table")]
File = Annotated[
    str | None,
    typer.Option("--file", help="its output is lines of this file (OUTPUT_FILE); {instance} is 0, 1, …, {run} the run"),
]
Identity = Annotated[
    str | None,
    typer.Option(
        "--identity", help="what a record of the topic, or a line, looks like, as '{sensor},{seq}'; default: JSON"
    ),
]
Record = Annotated[
    str | None,
    typer.Option(
        "--record", help='what it is fed, as \'{"id": "{sensor}/{seq}"}\', or @FILE; default: readings in JSON'
    ),
]
Broken = Annotated[
    list[str] | None,
    typer.Option("--fault", help="kind and target, as 'pause leader:0'; may be repeated: one comes after the other"),
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(judge)


def judge(  # noqa: PLR0917 (typer's options)
    command: Annotated[list[str], typer.Argument(help="after --: the program and its arguments", show_default=False)],
    query: Query = None,
    times: Annotated[
        bool, typer.Option("--times", help="the output says when: a third column, a record's timestamp, {at} of a line")
    ] = False,
    topic: Topic = False,
    file: File = None,
    identity: Identity = None,
    record: Record = None,
    instances: Annotated[int, typer.Option("--instances", min=1, max=16, help="so many processes of it")] = 1,
    fault: Broken = None,
    session_timeout_s: Annotated[
        float | None, typer.Option("--session-timeout-s", help="in KAFKA_PROPERTIES; default: the program's own")
    ] = None,
    rate_per_s: Annotated[float, typer.Option("--rate", help="readings per second that it is fed")] = 100,
    backend: OnBackend = None,
    client: ByClient = None,
    prefix: UnderPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Run your program under faults and judge what it did: lost, doubled, ended.

    It finds KAFKA_BOOTSTRAP, KAFKA_TOPIC, KAFKA_GROUP, KAFKA_CLIENT_ID, KAFKA_PROPERTIES and DATABASE_URL in its
    environment, and where its output belongs: KAFKA_OUTPUT_TOPIC or OUTPUT_FILE.
    """
    from factorylab.execution.perform import run
    from factorylab.scenarios.catalog import build

    del backend, client, prefix  # the settings have them
    given: dict[str, Any] = {
        "command": command,
        "subject": {
            "query": query,
            "times": times,
            "output": _kind(topic, file),
            "file": file,
            "identity": identity,
            "record": _text(record),
        },
        "instances": instances,
        "session_timeout_s": session_timeout_s,
        "rate_per_s": rate_per_s,
    }
    wanted = build("your_application", given | ({"faults": fault} if fault else {}))
    settings = load_settings()
    folders.of_results(settings).check()
    manage.check_free(settings.home)
    judged = judged_now(run(wanted, say=say).folder)
    _tell(judged, as_json=as_json)
    say(f"  {judged.folder.path}")
    raise typer.Exit(judged.verdict.exit_code)


def _tell(judged: JudgedRun, *, as_json: bool) -> None:
    from factorylab.audit.model.verdict import one_line, panel

    output = judged.manifest.output
    if as_json:
        typer.echo(msgspec.json.encode({**msgspec.to_builtins(judged.verdict), "output": output}).decode())
        return
    typer.echo(panel(judged.verdict))
    typer.echo("\nnot asked of it: " + ", ".join(c.name for c in judged.verdict.checks if not c.asked))
    for line in told_of_output(output):
        typer.echo(line)
    typer.echo(one_line(judged.verdict))


def _kind(topic: bool, file: str | None) -> str:
    if topic and file is not None:
        raise UsageError("--topic and --file exclude each other: one output is judged")
    return "topic" if topic else "table" if file is None else "file"


def _text(given: str | None) -> str | None:
    """The template itself, or what the file after an @ holds."""
    if given is None or not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--record {given}: {error}") from None


def told_of_output(output: OutputRead | None) -> list[str]:
    """What no check says of an output."""
    if output is None:
        return []
    order = "not asked: a table has none"
    if output.out_of_order is not None:
        order = f"{output.out_of_order:,} of {output.rows:,} stand behind a later one of their sensor"
    unread = f"not read: {output.unread:,} lines that name no reading, or have no newline"
    return [f"order of the output: {order}", *([unread] if output.unread else [])]
