"""The command `judge`: a program of the user's in the place of the processors, and what it did while things broke."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from factorylab.cli.runs_commands import AsJson, OnBackend, say, say_verdict
from factorylab.cli.runs_commands import judge as judged_now
from factorylab.cluster import folders, manage
from factorylab.cluster.settings import load_settings

Query = Annotated[
    str | None,
    typer.Option(
        "--query", help="SQL that gives sensor and seq of each row; default: SELECT sensor_id, seq FROM readings"
    ),
]
Topic = Annotated[bool, typer.Option("--topic", help="its output is the topic KAFKA_OUTPUT_TOPIC, not a table")]
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
        bool, typer.Option("--times", help="the query has a third column: when the row was written")
    ] = False,
    topic: Topic = False,
    instances: Annotated[int, typer.Option("--instances", min=1, max=16, help="so many processes of it")] = 1,
    fault: Broken = None,
    session_timeout_s: Annotated[
        float | None, typer.Option("--session-timeout-s", help="in KAFKA_PROPERTIES; default: the program's own")
    ] = None,
    rate_per_s: Annotated[float, typer.Option("--rate", help="readings per second that it is fed")] = 100,
    backend: OnBackend = None,
    as_json: AsJson = False,
) -> None:
    """Run your program under faults and judge what it did: lost, doubled, ended.

    It finds KAFKA_BOOTSTRAP, KAFKA_TOPIC, KAFKA_GROUP, KAFKA_CLIENT_ID, KAFKA_PROPERTIES and DATABASE_URL in its
    environment.
    """
    from factorylab.audit.model.verdict import panel
    from factorylab.execution.perform import run
    from factorylab.scenarios.catalog import build

    del backend  # the settings have it
    given: dict[str, Any] = {
        "command": command,
        "query": query,
        "times": times,
        "output": "topic" if topic else "table",
        "instances": instances,
        "session_timeout_s": session_timeout_s,
        "rate_per_s": rate_per_s,
    }
    wanted = build("your_application", given | ({"faults": fault} if fault else {}))
    settings = load_settings()
    folders.of_results(settings).check()
    manage.check_free(settings.home)
    judged = judged_now(run(wanted, say=say).folder)
    if not as_json:
        typer.echo(panel(judged.verdict))
        typer.echo("\nnot asked of it: " + ", ".join(c.name for c in judged.verdict.checks if not c.asked))
    say_verdict(judged.verdict, judged.folder, as_json=as_json)
    raise typer.Exit(judged.verdict.exit_code)
