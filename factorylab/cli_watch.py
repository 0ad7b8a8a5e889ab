"""The command `watch`: a lab that is up, live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli_runs import AsJson
from factorylab.errors import EnvironmentUnfit, UsageError
from factorylab.limits import DAY_S
from factorylab.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Group

    from factorylab.live import Look, Rates


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(watch)


def watch(
    every: Annotated[float, typer.Option("--every", min=0.2, help="seconds between two looks")] = 1.0,
    run: Annotated[
        str, typer.Option("--run", help="6 digits of a run that is going on; none: the standing factory")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Throughput, lag, owners, alerts and events of the lab that is up, until Ctrl-C or its end."""
    if not every <= DAY_S:  # NaN is not
        raise UsageError(f"--every {every:g}: at most {DAY_S:,} seconds")
    if as_json:
        for look, rate in _looks(every, run):
            line = {"look": look, "rates": rate, "lag_records": look.lag_records}
            typer.echo(msgspec.json.encode(line).decode())
        return
    from rich.live import Live

    with Live(screen=False, auto_refresh=False) as view:
        for look, rate in _looks(every, run):
            view.update(picture(look, rate), refresh=True)


def _looks(every_s: float, run: str) -> Iterator[tuple[Look, Rates]]:
    """A look and the rates since the one before, as long as the lab is up.

    Raises:
        EnvironmentUnfit: none is.
    """
    from factorylab.cluster import boot, control
    from factorylab.live import Looker, rates
    from factorylab.names import Names

    home = load_settings().home
    if control.living_state(home) is None:
        raise EnvironmentUnfit(f"no lab is up in {home}: 'make start' (or 'factorylab up --factory') starts one")
    looker = Looker(boot.known_endpoints(home), Names.of(run))
    before = looker.look()
    while control.living_state(home):
        time.sleep(every_s)
        now = looker.look()
        yield now, rates(before, now)
        before = now
    looker.close()


def picture(look: Look, rate: Rates) -> Group:
    """One look as tables."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text(
        f"{time.strftime('%H:%M:%S')}  into the log {_number(rate.written_per_s)}/s  into the store"
        f" {_number(rate.stored_per_s)}/s  lag {_number(look.lag_records)} records  group {look.group_state or '?'}"
        f"  alerts {_number(look.store.alerts if look.store else None)}"
    )
    partitions = Table("partition", "leader", "in sync", "end", "stored", "lag", "owner")
    for one in look.partitions or ():
        numbers = (one.partition, one.leader, " ".join(map(str, one.isr)), one.end)
        partitions.add_row(*map(str, numbers), _number(one.stored), _number(one.lag_records), one.owner or "nobody")
    silent = ["Kafka does not answer"] * (look.partitions is None) + ["PostgreSQL does not answer"] * (
        look.store is None
    )
    latest = Table("latest events and alerts", show_header=True)
    if look.store:
        for event in look.store.latest_events:
            latest.add_row(f"{event.at:%H:%M:%S}  {event.worker}  {event.kind}  {event.detail}"[:110])
        for alert in look.store.latest_alerts:
            latest.add_row(f"{alert.severity}  {alert.rule}  {alert.value:g}  {alert.correlation_id}")
    return Group(head, *map(Text, silent), partitions, latest)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
