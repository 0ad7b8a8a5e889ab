"""The commands `database`: bring the tables up to date, let dashboards read them, drop old readings."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from factorylab.cli.cluster_commands import AsJson
from factorylab.cluster.settings import load_settings
from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.sources import PREFIX
from factorylab.factory.config import check_url

URL = PREFIX + "DATABASE_URL"
DAYS_MAX = 36_500  # no reading is older than 1970
Schema = Annotated[
    str, typer.Option("--schema", envvar=PREFIX + "DB_SCHEMA", help="the factory's schema, or a run's: run_…")
]

app = typer.Typer(no_args_is_help=True, help=f"The tables of the lab that is up, or of the database that {URL} names.")


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="database")


def _url() -> str:
    from factorylab.cluster import boot, control

    home = load_settings().home
    if found := os.environ.get(URL):
        secret.remember({URL: found})
        try:
            check_url(found)
        except ValueError as error:
            raise UsageError(f"{URL}: {error}") from None
        return found
    if control.living_state(home) is None:
        raise UsageError(f"no lab is up in {home}: start one with 'factorylab up', or name a database in {URL}")
    return boot.known_endpoints(home).database_url


@app.command()
def upgrade(schema: Schema = "factory") -> None:
    """Create missing tables and upgrade older ones; their rows stay."""
    from factorylab.factory.store.ensure_schema import ensure_schema
    from factorylab.factory.store.migrations import HEAD

    ensure_schema(_url(), schema)
    typer.echo(f"The tables in schema {schema} are of version {HEAD}.")


@app.command()
def reader(schema: Schema = "factory") -> None:
    """Create the read-only role for dashboards; FACTORYLAB_READER_PASSWORD is its password."""
    from factorylab.factory.store.reader_role import READER, make_reader

    password = load_settings().reader_password
    if password is None:
        raise UsageError(f"no password for the role: set {PREFIX}READER_PASSWORD")
    make_reader(_url(), schema, password)
    typer.echo(f"{READER} can read schema {schema}. Next: connect a dashboard with this role and its password.")


@app.command()
def retain(
    older_than_days: Annotated[float, typer.Option("--older-than-days", help="drop readings older than this, in days")],
    schema: Schema = "factory",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count what would be dropped, drop nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """Drop old readings and report how many. Everything else stays."""
    from factorylab.factory.store.retention import drop_readings

    if not 0 < older_than_days <= DAYS_MAX:  # NaN is neither
        raise UsageError(f"--older-than-days {older_than_days:g}: must be above 0 and at most {DAYS_MAX:,} days")
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    dropped = drop_readings(_url(), schema, before, dry_run=dry_run)
    span = [None if at is None else at.isoformat() for at in (dropped.oldest, dropped.newest)]
    if as_json:
        told = {"schema": schema, "before": before.isoformat(), "readings": dropped.readings, "dropped": not dry_run}
        typer.echo(json.dumps(told | {"oldest": span[0], "newest": span[1]}))
        return
    where = f", recorded from {span[0]} to {span[1]}" if dropped.readings else ""
    typer.echo(f"{'Would drop' if dry_run else 'Dropped'} {dropped.readings:,} readings of schema {schema}{where}.")
