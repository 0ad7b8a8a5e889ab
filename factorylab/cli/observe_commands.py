"""The command `observe`: canary records in a cluster that somebody else runs, and what became of them."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from factorylab.cli.live_commands import WithPage, is_wanted
from factorylab.cli.runs_commands import AsJson, say
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import UsageError
from factorylab.core.exit_codes import FAILED, INVALID
from factorylab.core.limits import YEAR_S

if TYPE_CHECKING:
    from factorylab.cluster.connection.connection import Connection
    from factorylab.operations.observe.kubernetes import KubernetesEvents
    from factorylab.operations.observe.shown import ObservedMoment
    from factorylab.operations.observe.summary import Plan, Summary

DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd])")
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHORTEST_S = 5.0
EXIT_CODES = {"PASS": 0, "FAIL": FAILED, "INVALID": INVALID}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(observe)


def observe(  # noqa: PLR0917 (typer's options)
    properties: Annotated[Path, typer.Argument(help="a client's .properties file: how to connect")],
    lasts: Annotated[str, typer.Option("--for", help="as 90s, 30m, 8h or 2d; default: until Ctrl-C")] = "",
    rate_hz: Annotated[
        float, typer.Option("--rate-hz", min=0.1, max=100, help="canaries per second in each partition")
    ] = 2.5,
    prefix: Annotated[str, typer.Option("--prefix", help="of the topic that is made and used")] = "factorylab-",
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, max=100, help="of a new topic; default: one for each broker")
    ] = None,
    group: Annotated[str, typer.Option("--group", help="a consumer group of yours whose members are watched")] = "",
    objective: Annotated[
        float, typer.Option("--objective", min=0, max=1, help="share of the time with service; the rest is the budget")
    ] = 0.999,
    kubernetes_events: Annotated[
        Path | None,
        typer.Option("--kubernetes-events", help="of 'kubectl get events -o json'; read each minute"),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=0, max=65_535, help="serve /metrics on loopback; 0: any port")
    ] = None,
    live: WithPage = None,
    as_json: AsJson = False,
) -> None:
    """Watch a cluster by canary records: outages, losses, latency, and what explains them. A report at the end.

    SIGUSR1 writes the report at any moment. Exit codes: 0 objective met and nothing lost; 1 not so; 4 too little seen.
    """
    from factorylab.cluster.connection.connection import read_connection
    from factorylab.operations.observe.kubernetes import KubernetesEvents

    kubernetes = KubernetesEvents(kubernetes_events) if kubernetes_events else None
    for_s = duration_s(lasts) if lasts else None
    connection = read_connection(properties)
    plan = _prepared(connection, prefix, partitions, rate_hz=rate_hz, objective=objective, for_s=for_s, group=group)
    folder = load_settings().results / "observe" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with _page(live) as show:
        observed = _observed(connection, plan, folder, metrics_port, kubernetes, show=show)
    from factorylab.operations.observe.words import markdown

    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(observed)).decode())
    else:
        typer.echo(markdown(observed))
    say(f"the evidence lies in {folder}")
    raise typer.Exit(EXIT_CODES[observed.verdict])


def duration_s(text: str) -> float:
    """Raises UsageError where a text is no duration that can be observed."""
    fits = DURATION.fullmatch(text.strip())
    lasts_s = float(fits["number"]) * UNITS_S[fits["unit"]] if fits else 0.0
    if not SHORTEST_S <= lasts_s <= YEAR_S:
        raise UsageError(f"--for {text!r}: give a number and s, m, h or d, as 90s or 8h, of {SHORTEST_S:g}s to a year")
    return lasts_s


def _prepared(
    connection: Connection, prefix: str, partitions: int | None, *,
    rate_hz: float, objective: float, for_s: float | None, group: str,
) -> Plan:  # fmt: skip
    """The topic is there, and what is to be observed is known."""
    from contextlib import closing

    from factorylab.operations.observe.cluster_view import START_S, ClusterView, require_reached
    from factorylab.operations.observe.summary import Plan
    from factorylab.operations.observe.topic import prepare, topic_under

    topic = topic_under(prefix)
    require_reached(connection)
    with closing(ClusterView(connection, START_S)) as view:
        made = prepare(view, topic, partitions)
        there = len(view.look(topic).partitions)
    if partitions not in {None, there}:
        raise UsageError(
            f"--partitions {partitions}: {topic} is there with {there}; leave it out, or choose a --prefix"
        )
    say(f"the topic {topic} {'was made' if made else 'is there'}, with {there} partitions")
    return Plan(str(connection), topic, there, rate_hz, objective, for_s, group)


@contextmanager
def _page(wanted: bool | None) -> Iterator[Callable[[ObservedMoment], bool] | None]:
    """What takes the moments of the live page, where it is wanted."""
    if not is_wanted(wanted):
        yield None
        return
    from factorylab.operations.answer_age import STALE_S
    from factorylab.operations.live.beside import fed
    from factorylab.operations.observe.shown import QUESTIONS

    with fed(msgspec.json.encode({"questions": QUESTIONS, "stale_s": STALE_S, "read_only": True}), say) as take:
        yield lambda moment: take(msgspec.json.encode(moment))


def _observed(
    connection: Connection, plan: Plan, folder: Path, metrics_port: int | None, kubernetes: KubernetesEvents | None,
    *, show: Callable[[ObservedMoment], bool] | None,
) -> Summary:  # fmt: skip
    from factorylab.operations.observe.metrics import Endpoint
    from factorylab.operations.observe.observer import Observer

    observer, stop = Observer(connection, plan, folder, kubernetes, show), Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGUSR1, lambda *_: observer.ask_report())
    endpoint = None if metrics_port is None else Endpoint(metrics_port, lambda: observer.latest)
    say(f"observing{f' for {plan.for_s:g} s' if plan.for_s else ', Ctrl-C ends it'}; the report is {folder}/report.md")
    if endpoint:
        say(f"metrics: {endpoint.url}")
    try:
        return observer.run(stop)
    finally:
        if endpoint:
            endpoint.close()
