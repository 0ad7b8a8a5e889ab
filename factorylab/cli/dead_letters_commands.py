"""The command `dead-letters`: what could not be stored, why, and sending it again after a fix."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from factorylab.cli.fault_commands import Suffix
from factorylab.cli.runs_commands import AsJson, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.names import Names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from factorylab.execution.dead_letter_record import Letter
    from factorylab.operations.dead_letters import DeadLetters, Resent

SHOWN_BYTES, SHOWN_REASON = 48, 300


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(dead_letters)


def dead_letters(  # noqa: PLR0917 (typer's options)
    run: Suffix = "",
    partition: Annotated[int | None, typer.Option(min=0, help="only from this partition of the sensors' topic")] = None,
    error: Annotated[str | None, typer.Option(help="only where the reason (class or message) contains this")] = None,
    key: Annotated[str | None, typer.Option(help="only with this key (a sensor id)")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="at most this many, in the order of the log")] = None,
    everything: Annotated[bool, typer.Option("--all", help="also those that were sent again before")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="send each again, once, to its original topic")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what --resend would send, send nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """List the records that could not be stored, and send them again after a fix."""
    from factorylab.operations.dead_letters import Choice

    if dry_run and not resend:
        raise UsageError("--dry-run works only with --resend: give both, or neither to list the dead letters")
    if resend and everything:
        raise UsageError("--all works only without --resend: a dead letter is sent again only once")
    choice = Choice(partition, error, key, everything, limit)
    letters = _of_the_lab(run)
    if resend and not dry_run:
        _say_resent(letters.resend(choice), as_json=as_json)
        return
    chosen = choice.of(letters.read())
    if as_json:
        typer.echo(json.dumps([as_object(letter) for letter in chosen], indent=2))
        return
    for letter in chosen:
        typer.echo(line(letter))
    whole = sum(not letter.cut for letter in chosen)
    if dry_run:
        say(f"--resend would send {whole} of these {len(chosen)}; nothing was sent")
    else:
        say(f"{len(chosen)} dead letters" + ("; after a fix: --resend --dry-run, then --resend" if whole else ""))


def _of_the_lab(run: str) -> DeadLetters:
    from contextlib import closing

    from factorylab.cluster import boot, manage
    from factorylab.cluster.admin import Admin
    from factorylab.operations.dead_letters import DeadLetters

    home = load_settings().home
    if not manage.look(home):
        raise EnvironmentUnfit(f"no lab is up in {home}: 'factorylab up', or 'factorylab run … --keep'")
    endpoints, names = boot.known_endpoints(home), Names.of(run)
    with closing(Admin(endpoints.bootstrap)) as admin:
        admin.require_topic(names.dead_letters)
    return DeadLetters(endpoints, names)


def _say_resent(done: Resent, *, as_json: bool) -> None:
    if as_json:
        parts = {"sent": done.acknowledged, "not_whole": done.cut, "refused": [letter for letter, _ in done.refused]}
        typer.echo(json.dumps({name: list(map(as_object, letters)) for name, letters in parts.items()}, indent=2))
    else:
        _say_each("sent", done.acknowledged)
        _say_each("not sent: the dead letter is cut short, only its original record holds all bytes", done.cut)
        for letter, why in done.refused:
            typer.echo(f"not acknowledged ({why})  {line(letter)}")
    say(f"{len(done.acknowledged)} sent again, {len(done.cut)} cut, {len(done.refused)} not acknowledged")
    if done.refused:
        raise typer.Exit(1)


def _say_each(word: str, letters: Sequence[Letter]) -> None:
    for letter in letters:
        typer.echo(f"{word}  {line(letter)}")


def line(letter: Letter) -> str:
    """A letter on one printable line: origin, time, key, reason, first bytes."""
    key = "-" if letter.key is None else _ascii(letter.key, SHOWN_BYTES)
    value = "no value" if letter.value is None else f"{len(letter.value)} bytes: {_ascii(letter.value, SHOWN_BYTES)}"
    again = "  [sent again]" if letter.resent else ""
    reason = _ascii(f"{letter.error_class}: {letter.error}".encode(), SHOWN_REASON)
    return f"{letter.place}  {_time(letter.at_ms)}  key {key}  {reason}  ({value}){again}"


def _ascii(raw: bytes, most: int) -> str:
    return repr(raw[:most])[2:-1] + ("…" if len(raw) > most else "")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def as_object(letter: Letter) -> dict[str, object]:
    """A letter for machines; key and value in base 64, null where the record had none."""
    topic, partition, offset = letter.origin
    whole = {"key": letter.key, "value": letter.value}
    coded = {name: None if raw is None else base64.b64encode(raw).decode() for name, raw in whole.items()}
    return {
        "topic": topic, "partition": partition, "offset": offset, "at": _time(letter.at_ms),
        "error_class": letter.error_class, "error": letter.error, "stage": letter.stage,
        "cut": letter.cut, "resent": letter.resent, **coded,
    }  # fmt: skip
