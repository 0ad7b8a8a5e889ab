"""One lab for several runs: it stays up from run to run, and what a run left in it is dropped before the next.

A shared lab belongs to the process that opened it: when that ends, however it ends, the lab is healed and stopped,
unless it was up before.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from types import TracebackType

from factorylab.cluster import control
from factorylab.cluster.admin import Admin
from factorylab.cluster.backends import bring_up
from factorylab.cluster.base import Endpoints, Progress
from factorylab.cluster.settings import Settings
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.names import Names
from factorylab.execution.subject import output_topic, schema_of
from factorylab.factory.store.schema import drop_schema
from factorylab.scenarios.model import Fault


class SharedLab:
    """A lab that is up as long as this context lasts, free for one driver after the other."""

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        faults: Collection[Fault] = (),
        kafka: KafkaVersion | None = None,
        *,
        of_runs: bool = False,
    ) -> None:
        """Start the lab of `settings.home`, or take the one that is up there; it can do all of `faults`, and its
        brokers are of the version `kafka`, if one is asked for. `of_runs`: it is for runs of scenarios alone.

        Raises:
            LabBusy: another process uses it.
            EnvironmentUnfit: this machine cannot run it as it is, with the way out.
        """
        cluster = bring_up(settings, faults=faults, kafka=kafka, of_run=of_runs, progress=progress)
        try:
            self._line = cluster.hold()
        finally:
            cluster.close()
        self.endpoints, self._owns_brokers = cluster.endpoints, cluster.owns_brokers
        self._supervisor = None if cluster.was_up else cluster.supervisor

    def __enter__(self) -> SharedLab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        if self._supervisor:
            control.wait_gone(self._supervisor)

    def forget(self, run_id: str) -> None:
        """Drop what a run left, whose history is saved. On brokers of somebody else its end did so with its topics."""
        if self._owns_brokers:
            forget(self.endpoints, run_id)
        else:
            drop_tables(self.endpoints, run_id)


def forget(endpoints: Endpoints, run_id: str) -> None:
    """Drop the topics and tables of a run whose history is saved: the runs to come need the room."""
    names = Names.of(run_id)
    with closing(Admin(endpoints.bootstrap)) as admin:
        admin.delete_topics([*names.topics, names.kafka_dead_letters, output_topic(names)])
    drop_tables(endpoints, run_id)


def drop_tables(endpoints: Endpoints, run_id: str) -> None:
    """Drop the tables of a run alone."""
    names = Names.of(run_id)
    for schema in (names.schema, schema_of(names)):
        drop_schema(endpoints.database_url, schema)
