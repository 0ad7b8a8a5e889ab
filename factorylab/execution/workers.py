"""The processes of one run: processors, the probe, fleets; how they are configured, started and stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from javaproperties import dumps
from pydantic import SecretStr

from factorylab.cluster.base import Cluster, Role, WorkerSpec
from factorylab.cluster.family import mark_of
from factorylab.core.clock import NS
from factorylab.core.errors import StartFailed
from factorylab.core.files import write_secret
from factorylab.core.names import Names
from factorylab.core.programs import FLEET, HASTY_WORKER, NAIVE, OFFSETS_OUTSIDE, PROBE, PROCESSOR, SHARE_WORKER
from factorylab.core.sources import Shown, Sourced
from factorylab.core.waiting import wait_until
from factorylab.detectors.recordings.account import Account
from factorylab.execution.deaths import ASKED, last_error
from factorylab.execution.probe import ProbeConfig
from factorylab.execution.subject import arguments, environment, hide_secrets
from factorylab.execution.subject import write_properties as write_consumer
from factorylab.factory.config import FleetConfig, ProcessorConfig
from factorylab.factory.profiles import fleet_producer, processor_consumer, share_consumer
from factorylab.factory.sensors.recorded_machine import source_of
from factorylab.factory.store.schema import create_schema
from factorylab.history.journal import journal_path, read_journal
from factorylab.history.run_folders import RunFolder
from factorylab.history.tables import ProcessSample, Row, Sensor, Stage
from factorylab.scenarios.model import Clients, ProcessorKind, Scenario
from factorylab.scenarios.references import resolved
from factorylab.scenarios.share_group import DELIVERIES
from factorylab.scenarios.subject import Subject

STOP_S = 10.0
FLUSH_S = 130.0  # a fleet told to stop waits for its last acks: delivery.timeout.ms is 120 s
SOURCE_MARGIN_S = 150.0
NO_CONNECTION: Mapping[str, str] = MappingProxyType({})  # what the lab's own brokers ask for
PROCESSORS: dict[ProcessorKind, str] = {
    "fenced": PROCESSOR,
    "naive": NAIVE,
    "idempotent": SHARE_WORKER,
    "acknowledges_first": HASTY_WORKER,
    "transactional": PROCESSOR,
    "offsets_outside": OFFSETS_OUTSIDE,
}
"""The program of each kind of processor that is the lab's."""


@dataclass
class Crew:
    """The workers of a run. `problems` are failures of the lab's own ones, `died` those that ended unasked.

    `stubborn` are instances of a program under test that did not end when they were told to, and were killed.
    `private` is a folder for what must not stand in the run: properties with secrets.
    """

    scenario: Scenario
    run: RunFolder
    cluster: Cluster
    names: Names
    home: Path
    private: Path
    problems: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    stubborn: list[str] = field(default_factory=list)
    _running: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        clients, workload = self.scenario.clients, self.scenario.workload
        self._properties = write_properties(clients, self.run, self.private, self.cluster.client_settings)
        self.processors = {f"processor-{i}": self._processor(f"processor-{i}") for i in range(clients.processors)}
        self.fleets = {f"fleet-{i}": self._fleet(i) for i in range(workload.fleets)}
        self.probe = self._probe()

    def _processor(self, name: str) -> ProcessorConfig:
        clients, endpoints = self.scenario.clients, self.cluster.worker_endpoints
        return ProcessorConfig(
            bootstrap=endpoints.bootstrap,
            database_url=SecretStr(endpoints.database_url),
            db_schema=self.names.schema,
            sensor_topic=self.names.sensors,
            alert_topic=self.names.alerts,
            dead_letter_topic=self.names.dead_letters,
            group=self.names.group,
            worker=name,
            journal_dir=self.run.journals,
            consumer_config=self._properties / "consumer.properties",
            protocol=clients.protocol,
            session_timeout_s=clients.session_timeout_s,
            static_member=clients.static_members,
            acknowledgement=self.scenario.share_group.acknowledgement,
            set_aside_at=DELIVERIES if self.scenario.share_group.last_delivery == "set_aside" else 0,
            transaction_timeout_s=self.scenario.transactions.timeout_s if self.scenario.transactional else None,
            steps_dir=self.run.journals if any(fault.step for fault in self.scenario.faults) else None,
        )

    def _fleet(self, index: int) -> FleetConfig:
        clients, workload = self.scenario.clients, self.scenario.workload
        return FleetConfig(
            bootstrap=self.cluster.worker_endpoints.bootstrap,
            sensor_topic=self.names.sensors,
            label_topic=self.names.labels,
            worker=f"fleet-{index}",
            journal_dir=self.run.journals,
            producer_config=self._properties / "producer.properties",
            rate=rate_plan(self.scenario),
            sensors=workload.sensors,
            seed=workload.seed,
            anomaly_rate=workload.anomaly_rate,
            poison_rate=workload.poison_rate,
            fleet=f"{index}/{workload.fleets}",
            source=workload.source,
            time_column=workload.time_column,
            value_column=workload.value_column,
            layout=workload.layout,
            linger_ms=clients.linger_ms,
            compression=clients.compression,
            record=self.scenario.subject.record if self.scenario.subject else None,
        )

    def start_processors(self) -> None:
        """Create the tables, then start all members of the group."""
        create_schema(self.cluster.endpoints.database_url, self.names.schema)
        if self.scenario.subject is None:
            self._start("processor", PROCESSORS[self.scenario.clients.processor], self.processors)
        else:
            self._start_workers([self._instance(self.scenario.subject, config) for config in self.processors.values()])

    def _instance(self, subject: Subject, config: ProcessorConfig) -> WorkerSpec:
        """An instance of the program under test."""
        properties = write_consumer(config, self.scenario.clients, self.private, self.cluster.client_settings)
        env = environment(config, subject, self.names, properties)
        log, mark = self.run.logs / f"{config.worker}.jsonl", mark_of(self.home, config.worker)
        return WorkerSpec(config.worker, "processor", "", env, log, STOP_S, command=arguments(subject), family=mark)

    def _asked_database(self) -> SecretStr | None:
        """Where the probe asks the database; None where it is no part of the experiment."""
        hit = any(fault.target == "database" for fault in self.scenario.faults)
        return SecretStr(self.cluster.endpoints.database_url) if hit else None

    def start_probe(self) -> None:
        self._start("probe", PROBE, {"probe": self.probe})

    def start_fleets(self) -> None:
        self._start("fleet", FLEET, self.fleets, stop_s=FLUSH_S)

    def _probe(self) -> ProbeConfig:
        return ProbeConfig(
            bootstrap=self.cluster.endpoints.bootstrap,
            topic=self.names.sensors,
            group=self.names.group,
            partitions=self.scenario.topology.partitions,
            home=self.home,
            journal_dir=self.run.journals,
            share_group=self.scenario.shared,
            alert_topic=self.names.alerts if self.scenario.transactional else None,
            network=any(fault.on_network for fault in self.scenario.faults),
            database_url=self._asked_database(),
        )

    def _start(
        self,
        role: Role,
        module: str,
        configs: dict[str, ProcessorConfig] | dict[str, FleetConfig] | dict[str, ProbeConfig],
        stop_s: float = STOP_S,
    ) -> None:
        workers = [
            WorkerSpec(name, role, module, config.environ(), self.run.logs / f"{name}.jsonl", stop_s, paths_of(config))
            for name, config in configs.items()
        ]
        self._start_workers(workers)

    def _start_workers(self, workers: Sequence[WorkerSpec]) -> None:
        self._running += [worker.name for worker in workers]
        self.cluster.start(workers)

    def probe_looks(self) -> bool:
        """Whether the probe has written its first sample. Raises StartFailed where it has ended."""
        self.check_own()
        begun = journal_path(self.run.journals, "probe").exists()
        return begun and any(isinstance(row, ProcessSample) for row in read_journal(self.run.journals, "probe"))

    @cached_property
    def account(self) -> Account | None:
        """What is read of a recorded source; None without one."""
        source = source_of(self.scenario.workload)
        return None if source is None else source.account

    def wait_for_source(self) -> None:
        """With a recorded source, wait until every reading of it was offered."""
        workload = self.scenario.workload
        if self.account is None:
            return
        readings = self.account.kept
        wait_until(
            lambda: all(self.cluster.exit_code(name) is not None for name in self.fleets),
            what=f"the {readings} readings of {self.account.file} to be offered",
            timeout_s=readings / workload.rate_per_s + SOURCE_MARGIN_S,
            every_s=0.2,
        )

    def stop_fleets(self) -> None:
        self._stop(list(self.fleets))

    def stop_all(self) -> None:
        """Fleets, processors, probe, in this order. Calling it again does nothing."""
        for names in (list(self.fleets), list(self.processors), ["probe"]):
            self._stop(names)

    def _stop(self, names: Sequence[str]) -> None:
        running = [name for name in names if name in self._running]
        if not running:
            return
        self._running = [name for name in self._running if name not in running]
        self._note_deaths(running)
        for name, code in self.cluster.stop(running).items():
            if code is None and not self._is_subject(name):
                self.problems.append(f"{name} did not stop in time and was killed")
            elif code is None:
                self.stubborn.append(name)

    def hide_secrets(self) -> None:
        """A program under test may have printed its address of the database, or how it gets in to the brokers."""
        url, login = self.cluster.endpoints.database_url, self.cluster.client_settings
        for name in self.processors if self.scenario.subject else ():
            hide_secrets(self.run.logs / f"{name}.jsonl", url, login)

    def _is_subject(self, name: str) -> bool:
        """An instance of the program under test: what it does is its own doing, and no failure of the lab."""
        return self.scenario.subject is not None and name in self.processors

    @property
    def subject_ended(self) -> bool:
        """Every instance of a program under test has ended by itself, so that nobody works any more."""
        codes = [self.cluster.exit_code(name) for name in self.processors if name in self._running]
        return self.scenario.subject is not None and None not in codes

    def _note_deaths(self, names: Sequence[str]) -> None:
        for name in names:
            code = self.cluster.exit_code(name)
            if code is None or (name in self.fleets and self.scenario.workload.source is not None and code == 0):
                continue
            self.died.append(name)
            if name == "probe":
                self.problems.append(f"the probe ended unasked with exit code {code}; see logs/probe.jsonl")

    def sensors(self) -> dict[str, int]:
        """Index of each sensor that a fleet announced, by name."""
        return {row.name: row.sensor for row in self._fleet_rows() if isinstance(row, Sensor)}

    def offering_since_s(self) -> float:
        """When the fleets began their plan of rates, on the monotonic clock."""
        return min(row.t_ns for row in self._fleet_rows() if isinstance(row, Stage)) / NS

    def _fleet_rows(self) -> list[Row]:
        return [row for name in self.fleets for row in read_journal(self.run.journals, name)]

    def check(self) -> None:
        """Raises StartFailed where a worker has ended that should run, with its reason."""
        for death in self.deaths():
            raise StartFailed(f"{death}; see {self.run.logs}")

    def check_own(self) -> None:
        """Raises StartFailed where the probe, the lab's own worker, has ended unasked, however it did: without it the
        run is inconclusive."""
        code = self.cluster.exit_code("probe") if "probe" in self._running else None
        if code is not None:
            raise StartFailed(f"the probe ended unasked with exit code {code}; see {self.run.logs}/probe.jsonl")

    def deaths(self) -> list[str]:
        """Each running worker that has ended by itself and not well, with its exit code and its reason. A program under
        test should not end well either before it is told to."""
        found = {name: self.cluster.exit_code(name) for name in list(self._running)}
        return [
            f"{name} ended with exit code {code}: {last_error(self.run.logs / f'{name}.jsonl')}"
            for name, code in found.items()
            if code not in ASKED or (code == 0 and self._is_subject(name))
        ]

    def last_words(self) -> str:
        """The end of each fleet's log, for an error message."""
        logs = [self.run.logs / f"{name}.jsonl" for name in self.fleets]
        return " | ".join(log.read_text(errors="replace")[-400:] for log in logs if log.exists())

    def settings(self) -> dict[str, dict[str, Shown]]:
        """The effective settings of each worker, secrets masked, paths without this machine's folders."""
        ours = {} if self.scenario.subject is not None else self.processors
        configs: dict[str, Sourced] = {**self.fleets, **ours, "probe": self.probe}
        return {
            worker: {name: portable(value, self.run.path) for name, value in config.shown().items()}
            for worker, config in configs.items()
        }

    def producer_config(self) -> dict[str, str]:
        """The effective configuration of the fleets' producers, the user's overrides included."""
        return {key: str(value) for key, value in sorted(fleet_producer(self.fleets["fleet-0"]).items())}

    def consumer_config(self) -> dict[str, str]:
        """The effective configuration of the processors' consumers; nobody knows that of a program under test."""
        if self.scenario.subject is not None:
            return {}
        made = share_consumer if self.scenario.shared else processor_consumer
        return {key: str(value) for key, value in sorted(made(self.processors["processor-0"]).items())}


def portable(value: Shown, folder: Path) -> Shown:
    """A path of this machine as a manifest may have it: from the run's folder on, or its last name alone."""
    if not isinstance(value, str) or not Path(value).is_absolute():
        return value
    path = Path(value)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def paths_of(config: Sourced) -> tuple[Path, ...]:
    """The files and folders that a process of this configuration opens."""
    return tuple(value for _, value in config if isinstance(value, Path))


def own_settings(clients: Clients) -> dict[str, dict[str, str]]:
    """What the scenario itself sets of producers and consumers, in librdkafka's names."""
    producer = {"acks": clients.acks, "enable.idempotence": str(clients.idempotent).lower(), **clients.producer}
    return {"producer": producer, "consumer": dict(clients.consumer)}


def write_properties(
    clients: Clients, run: RunFolder, private: Path, connection: Mapping[str, str] = NO_CONNECTION
) -> Path:
    """The scenario's client settings as .properties files, as a user would give them, behind those of a connection;
    returns the folder to use.

    Secrets are masked in the run's own files; where there are any, the workers read those in `private` instead.
    `sources.read_properties` gives back every value as it was.

    Raises:
        UsageError: a secret is not given.
    """
    folder = run.raw
    for name, settings in own_settings(clients).items():
        real = {**connection, **resolved(settings, f"clients.{name}")}
        shown = run.masked(real)
        (run.raw / f"{name}.properties").write_text(dumps(shown, timestamp=None))
        write_secret(private / f"{name}.properties", dumps(real, timestamp=None))
        folder = private if shown != real else folder
    return folder


def rate_plan(scenario: Scenario) -> str:
    """The offered rate as the fleets take it: the base rate, then each step, then the base rate for good."""
    stages = [(_exactly(rate), lasts_s) for rate, lasts_s in scenario.rate_stages]
    return ",".join(rate if lasts_s is None else f"{rate}:{_exactly(lasts_s)}" for rate, lasts_s in stages)


def _exactly(number: float) -> str:
    """The text that is read as this very number: 2000, 0.1, 1e-05."""
    return repr(float(number)).removesuffix(".0")
