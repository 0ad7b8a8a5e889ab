"""The command `watch`: a lab that is up, live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.runs_commands import AsJson
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.limits import DAY_S

if TYPE_CHECKING:
    from rich.console import Group

    from factorylab.cluster.manage import Seen
    from factorylab.operations.live_view import Look, Rates

ASK_S = 1.0  # no question is asked more rarely, or its answers would look old
FIRST_S = 0.5  # the first picture waits no longer for answers


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(watch)


def watch(
    every: Annotated[float, typer.Option("--every", min=0.2, help="seconds between two updates")] = 1.0,
    run: Annotated[str, typer.Option("--run", help="the id of a run in progress; default: the standing factory")] = "",
    as_json: AsJson = False,
) -> None:
    """Show throughput, lag, owners, alerts and events of the lab that is up, until Ctrl-C or its end."""
    if not every <= DAY_S:  # NaN is not
        raise UsageError(f"--every {every:g}: at most {DAY_S:,} seconds")
    from factorylab.cluster import control, manage

    home = load_settings().home
    if control.living_state(home) is None:
        raise EnvironmentUnfit(f"no lab is up in {home}: 'make start' (or 'factorylab up --factory') starts one")
    if as_json:
        for seen in _looks(home, every, run):
            typer.echo(msgspec.json.encode(seen.line()).decode())
        return
    from rich.live import Live

    with Live(screen=False, auto_refresh=False) as view:
        view.update(_nodes(manage.look(home)), refresh=True)  # at once: what asks Kafka is yet to be loaded
        for seen in _looks(home, every, run):
            view.update(picture(seen), refresh=True)


@dataclass(frozen=True)
class WatchUpdate:
    """A look, the rates since the one before, and what the supervisor says of the nodes, which answers always."""

    look: Look
    rates: Rates
    nodes: list[Seen]

    def line(self) -> dict[str, object]:
        """For machines."""
        nodes = {node.name: node.status for node in self.nodes}
        return {"look": self.look, "rates": self.rates, "lag_records": self.look.lag_records, "nodes": nodes}


def _looks(home: Path, every_s: float, run: str) -> Iterator[WatchUpdate]:
    """A moment at once and then every `every_s` seconds, as long as the lab is up."""
    from factorylab.cluster import boot, control, manage
    from factorylab.core.names import Names
    from factorylab.operations.live_view import Looker, rates

    looker = Looker(boot.known_endpoints(home), Names.of(run), min(every_s, ASK_S) / 2)
    looker.wait_for_all(FIRST_S)
    before, due_s = looker.look(), time.monotonic()
    while control.living_state(home):
        now = looker.look()
        yield WatchUpdate(now, rates(before, now), manage.look(home))
        before, due_s = now, max(due_s + every_s, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))
    looker.close()


def picture(seen: WatchUpdate) -> Group:
    """A moment as tables."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from factorylab.operations.answer_age import fresh

    look, rate = seen.look, seen.rates
    head = Text(
        f"{time.strftime('%H:%M:%S')}  into the log {_number(rate.written_per_s)}/s  into the store"
        f" {_number(rate.stored_per_s)}/s  lag {_number(look.lag_records)} records  group {look.group_state or '?'}"
        f"  alerts {_number(look.store.alerts if look.store else None)}"
    )
    partitions = Table("partition", "leader", "in sync", "end", "stored", "lag", "owner")
    for one in look.partitions or ():
        numbers = (one.partition, one.leader, " ".join(map(str, one.isr)))
        end = _number(one.end) + ("" if fresh(one.end_age_s) else f" ({_age(one.end_age_s)})")
        stored, lag = _number(one.stored), _number(one.lag_records)
        partitions.add_row(*map(str, numbers), end, stored, lag, one.owner or "nobody")
    latest = Table("latest events and alerts", show_header=True)
    if look.store:
        for event in look.store.latest_events:
            latest.add_row(f"{event.at:%H:%M:%S}  {event.worker}  {event.kind}  {event.detail}"[:110])
        for alert in look.store.latest_alerts:
            latest.add_row(f"{alert.severity}  {alert.rule}  {alert.value:g}  {alert.correlation_id}")
    return Group(head, Text(_nodes(seen.nodes)), *map(Text, stale(look)), partitions, latest)


def _nodes(nodes: list[Seen]) -> str:
    """Those that run by their names, the others each with its state."""
    running = [node.name for node in nodes if node.status == "running"]
    others = [f"{node.name} {node.status.upper()}" for node in nodes if node.status != "running"]
    return "  ".join([*others, f"running: {', '.join(running) or 'none'}"])


def stale(look: Look) -> list[str]:
    """A sentence for each question whose latest answer is old."""
    from factorylab.operations.answer_age import fresh
    from factorylab.operations.live.moments import QUESTIONS

    ages = msgspec.structs.asdict(look.ages_s)
    return [f"{_age(age)}: no answer about {QUESTIONS[name]}" for name, age in ages.items() if not fresh(age)]


def _age(age_s: float | None) -> str:
    return "no answer yet" if age_s is None else f"{age_s:.0f} s old"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
