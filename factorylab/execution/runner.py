"""One run: start → warm up → steady → fault window → after → recover → drain → final read → seal.

The runner only does and records; it judges nothing. What it could not do itself goes into the manifest's
`problems`, so that the audit can call the run invalid. Whatever happens, faults are healed and workers stopped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from factorylab.cluster import folders
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Cluster
from factorylab.cluster.database_probe import answer_of
from factorylab.cluster.faults.arrange import arrange
from factorylab.cluster.faults.events import SystemEvents
from factorylab.cluster.faults.inject import Timeline, pause_until
from factorylab.cluster.faults.targets import OF_OWN_TOPICS, PATIENCE_S, QUESTIONS, Roles
from factorylab.cluster.kafka_version import course, kafka_version
from factorylab.cluster.one_broker import OneBroker
from factorylab.cluster.secured import numbers_of
from factorylab.core.clock import ClockStamp, stamp
from factorylab.core.errors import EnvironmentUnfit, JournalFull, LabError, WaitTimeout, refused
from factorylab.core.names import Names
from factorylab.core.vocabulary import Phase
from factorylab.core.waiting import wait_until
from factorylab.execution import kafka_dead_letters
from factorylab.execution.deaths import DeathWatch
from factorylab.execution.final_read import FinalRead
from factorylab.execution.subject import output_topic
from factorylab.execution.subject_run import prepared_output, wait_for_quiet
from factorylab.execution.workers import STOP_S, Crew
from factorylab.history import manifest, provenance, run_folders
from factorylab.history.export import export_journals
from factorylab.history.journal import Journal
from factorylab.history.run_folders import RunFolder
from factorylab.history.tables import FaultStep, PhaseStart
from factorylab.scenarios.model import Scenario

Say = Callable[[str], None]
LOW_LAG_S = 0.5  # seconds of traffic that may lie unread in a steady state
LOW_LAG_WAIT_S = 30.0
START_S = 60.0  # for topics, group and first readings; they take a few seconds


@dataclass
class Experiment:
    """The state of one run in progress. `perform` does all of it."""

    scenario: Scenario
    run: RunFolder
    cluster: Cluster
    names: Names
    home: Path
    say: Say
    problems: list[str] = field(default_factory=list)
    started: ClockStamp = field(default_factory=stamp)
    host: provenance.Host = field(default_factory=provenance.host)

    def perform(self) -> None:
        """Run the scenario and seal its folder. What ends it early once it runs (an engine, or the whole lab, that went
        away) is among the problems that make it invalid.

        Raises:
            LabError: the system could not be started, or the disk is full: then there is no seal, so nothing is judged.
                Faults are healed and workers stopped even then.
        """
        with (
            closing(Admin(self.cluster.endpoints.bootstrap, share_groups=self.scenario.shared)) as self.admin,
            TemporaryDirectory(dir=self.home, prefix="secrets-") as private,
        ):
            self.crew = Crew(self.scenario, self.run, self.cluster, self.names, self.home, Path(private))
            self._perform()

    def _perform(self) -> None:
        with ExitStack() as stack:
            self.journal = stack.enter_context(Journal(self.run.journals, "runner", "runner"))
            self.events = stack.enter_context(SystemEvents(self.cluster.endpoints.database_url, self.names.schema))
            stack.callback(self.crew.hide_secrets)
            stack.callback(self._try, self.crew.stop_all)
            stack.callback(self._try, self.cluster.heal)
            stack.enter_context(DeathWatch(self.crew.deaths, self.say))
            self._start()
            self._try(self._experiment)
        self._seal()

    def _try(self, part: Callable[[], object]) -> None:
        """What fails ends the run early and is one of its problems. A full disk breaks it off: what it took with it
        would be missing from the evidence."""
        try:
            part()
        except JournalFull:
            raise
        except EnvironmentUnfit as error:
            self._check_room()
            if str(error) not in self.problems:
                self.problems.append(str(error))
                self.say(f"cut short: {error}")

    def _experiment(self) -> None:
        self._traffic()
        self._settle()
        self._final_read()
        self._phase("end")

    def _phase(self, phase: Phase, text: str = "") -> None:
        at = stamp()
        self.journal.write(PhaseStart(worker="runner", t_ns=at.mono_ns, phase=phase, wall_ns=at.wall_ns))
        self.say(f"{phase.replace('_', ' ')}{': ' + text if text else ''}")
        self._check_room()

    def _check_room(self) -> None:
        folders.check_room(self.run.path, "the rest of a run", folders.LEAST_MB, "make room, or set FACTORYLAB_RESULTS")

    def _pause_until(self, deadline: float) -> None:
        pause_until(deadline, self.crew.check_own)

    def _start(self) -> None:
        topology = self.scenario.topology
        self._phase("start", f"topics with {topology.replication} replicas, min ISR {topology.min_isr}")
        self.cluster.announce(self.run.run_id, [*self.names.topics, output_topic(self.names)], self.names.group)
        self.admin.create_topics(self.names.topics, topology)
        seconds_s = topology.retention_s
        changed = self.admin.retain(self.names.sensors, seconds_s) if seconds_s else {}
        if self.cluster.owns_brokers:
            self.admin.elect_preferred()
        self.admin.wait_full_isr(self.names.sensors, START_S)
        self.topic = self.admin.identity(self.names.sensors)
        self.kafka = kafka_version(self.cluster.log_files())
        self.config = {
            "topic": self.admin.topic_config(self.names.sensors, changed),
            "broker": self.admin.broker_config(1) if self.cluster.owns_brokers else {},
        }
        self.output = prepared_output(
            self.scenario, self.admin, self.cluster.endpoints.database_url, self.names, [*self.crew.processors]
        )
        if self.scenario.shared:
            self._prepare_share_group()
        if backlog_s := self.scenario.schedule.backlog_s:
            self._start_fleets()
            self._wait_for_readings()
            pause_until(time.monotonic() + backlog_s)
        self.crew.start_processors()
        self._arrange_roles()
        self.crew.start_probe()
        self._wait_for_group(START_S, self.crew.check)
        wait_until(self.crew.probe_looks, what="the probe's first look", timeout_s=START_S)
        if not backlog_s:
            self._start_fleets()
            self._wait_for_readings()

    def _prepare_share_group(self) -> None:
        """Its settings; where Kafka is to write its dead letters, one is tried first."""
        group = self.scenario.share_group
        if group.kafka_dead_letters != "none":
            done, arrived = kafka_dead_letters.prepared(self.admin, self.names, self.scenario)
            self.say(done)
            self.events.note("dead_letters_tried", arrived=arrived, done=done)
            self.problems += [] if arrived else [done]
        settings = group.group_settings | kafka_dead_letters.settings_of(self.names, self.scenario)
        self.admin.configure_group(self.names.group, settings)

    def _arrange_roles(self) -> None:
        """Have a broker with the roles that a fault asks for, before anybody looks. Where that does not come about,
        the fault finds no target, and the run is no evidence."""
        chosen = next((fault.target for fault in self.scenario.faults if fault.aim.also), None)
        if chosen is None:
            return
        self._wait_for_group(START_S, self.crew.check)  # with it the topic comes that says who coordinates
        try:
            done = arrange(self.admin, chosen, self.names.sensors, self.names.group)
        except LabError as error:
            done = f"not arranged: {error}"
        self.say(done)
        self.events.note("roles_arranged", target=chosen, done=done)

    def _start_fleets(self) -> None:
        self.crew.start_fleets()
        self.events.note("start", workers=sorted(self.crew.fleets))

    def _wait_for_group(self, timeout_s: float, check: Callable[[], None] = lambda: None) -> None:
        """Until every processor is a member and every partition has one; `check` raises what makes waiting vain."""
        wanted, all_partitions = set(self.crew.processors), set(range(self.scenario.topology.partitions))
        named = self.scenario.subject is None  # a program under test calls its members what it likes

        def complete() -> bool:
            check()
            group = self.admin.group(self.names.group)
            there = {member.name for member in group.members}
            enough = wanted <= there if named else len(group.members) >= len(wanted)
            return enough and set(group.owners) == all_partitions

        of_subject = (
            f"{len(wanted)} members of {self.names.group} (KAFKA_GROUP) to own all of {self.names.sensors}; who "
            "assigns partitions by hand instead of subscribing is no member, and cannot be judged"
        )
        wait_until(
            complete,
            what=f"the members {', '.join(sorted(wanted))} to own all partitions" if named else of_subject,
            timeout_s=timeout_s,
            every_s=0.2,
            last_seen=lambda: str(self.admin.group(self.names.group)),
        )

    def _wait_for_readings(self) -> None:
        partitions = range(self.scenario.topology.partitions)

        def begun() -> bool:
            self.crew.check()
            return any(self.admin.ends(self.names.sensors, partitions).values())

        wait_until(
            begun,
            what="the first readings in the log",
            timeout_s=START_S,
            last_seen=self.crew.last_words,
        )

    def _wait_for_low_lag(self) -> None:
        """The backlog of the start is no part of the steady state. What never gets low is for the audit to see."""
        band = max(LOW_LAG_S * self.scenario.workload.rate_per_s, 50)
        partitions = range(self.scenario.topology.partitions)

        def low() -> bool:
            committed = self.admin.committed(self.names.group, self.names.sensors)
            ends = self.admin.ends(self.names.sensors, partitions)
            return sum(end - committed.get(p, 0) for p, end in ends.items()) < band

        try:
            wait_until(low, what=f"a lag below {band:g} records", timeout_s=LOW_LAG_WAIT_S, every_s=0.1)
        except WaitTimeout as error:
            self.say(f"not steady: {error}")

    def _traffic(self) -> None:
        schedule = self.scenario.schedule
        opened = self.crew.offering_since_s()
        self._phase("warm_up", f"{self.scenario.workload.rate_per_s:g} readings/s for {schedule.warm_up_s:g} s")
        self._pause_until(opened + schedule.warm_up_s)
        if not self.scenario.workload.steps_per_s:  # the fleets take their steps by their own clock
            if not self.output:  # how seldom a program under test commits is its own affair
                self._wait_for_low_lag()
            opened = time.monotonic() - schedule.warm_up_s
        if self.output:
            self.output.check(there=True)
        self._phase("steady", f"{schedule.steady_s:g} s")
        self._pause_until(opened + schedule.warm_up_s + schedule.steady_s)
        window_s = self.scenario.fault_window_s
        if window_s or self.scenario.faults:
            self._phase("fault_window", f"{window_s:g} s")
            self._faults(window_s)
        self._phase("after", f"{schedule.after_s:g} s")
        self._pause_until(time.monotonic() + schedule.after_s)
        self.crew.wait_for_source()

    def _faults(self, window_s: float) -> None:
        patience = {"deadline_s": PATIENCE_S, "answer_s": PATIENCE_S}
        with closing(Admin(self.admin.bootstrap, **patience, share_groups=self.scenario.shared)) as impatient:
            asks = QUESTIONS if self.cluster.owns_brokers else OF_OWN_TOPICS
            roles = Roles(impatient, self.names.sensors, self.names.group, asks=asks)
            timeline = Timeline(
                self.cluster, roles, self._fault, self.say, self.run.journals, check=self.crew.check_own
            )
            timeline.play(self.scenario.faults, window_s)

    def _fault(self, step: FaultStep) -> None:
        self.journal.write(step)
        self.events.fault(step)

    def _settle(self) -> None:
        """Everything healed, the fleets stopped. What does not heal in time is for the audit to see."""
        self._phase("recover")
        self.crew.check_own()
        self.cluster.heal()
        recover_s = self.scenario.schedule.recover_s
        try:
            self._wait_for_brokers(recover_s)
            self._wait_for_database(recover_s)
            self.admin.wait_full_isr(self.names.sensors, recover_s)
            if not self.crew.subject_ended:
                self._wait_for_group(recover_s, self.crew.check_own)
        except WaitTimeout as error:
            self.say(f"not recovered: {error}")
        self.crew.stop_fleets()
        self.events.note("stop", workers=sorted(self.crew.fleets))
        if self.scenario.topology.retention_s:  # the log must stand still while it is read
            self.admin.retain(self.names.sensors, None)

    def _wait_for_brokers(self, timeout_s: float) -> None:
        """Until each broker answers itself: one that comes back within its session is in the ISR by its former life."""
        for number in numbers_of(self.admin.bootstrap):
            broker = OneBroker(self.admin.bootstrap, number, deadline_s=timeout_s)
            broker.partitions(self.names.sensors)
            broker.close()

    def _wait_for_database(self, timeout_s: float) -> None:
        """Until it takes connections again: one that was killed replays its log first."""
        url = self.cluster.endpoints.database_url
        wait_until(lambda: answer_of(url) == "ok", what="the database to answer", timeout_s=timeout_s)

    def _check_topic(self) -> int:
        """Whether the topic is the one that was made, and how many partitions it has now.

        Offsets of another topic mean nothing, and figures know nothing of added partitions. These are read like the
        others, so that no reading in them counts as lost.
        """
        topic, before, now = self.names.sensors, self.topic, self.admin.identity(self.names.sensors)
        if now != before:
            self.problems.append(
                f"{topic} is not the topic that this run made, which had {before.partitions} partitions and the id"
                f" {before.topic_id}: it has {now.partitions} and {now.topic_id}. Leave a run's topics as they are"
            )
        return now.partitions

    def _final_read(self) -> None:
        partitions = self._check_topic()
        final = FinalRead(
            self.admin,
            self.cluster.endpoints.database_url,
            self.names,
            self.crew.sensors(),
            self.run.history,
            self.journal,
            in_kafka=not self.scenario.clients.positions_in_store,
            output=self.output,
            only_committed=self.scenario.transactional,
            record=self.scenario.subject.record if self.scenario.subject else None,
            kafka_dead_letters=self.scenario.share_group.kafka_dead_letters != "none",
        )
        self._phase("drain", f"at most {self.scenario.schedule.drain_s:g} s")
        frozen = final.freeze(range(partitions))
        if not final.drained(frozen, 0 if self.crew.subject_ended else self.scenario.schedule.drain_s):
            self.say("not drained")
        if self.output:
            wait_for_quiet(self.output, self.say)
        self.crew.stop_all()
        for name in self.crew.stubborn:
            self.say(f"{name} did not end within {STOP_S:g} s after SIGTERM, and was killed")
        self._phase("final_read")
        records, (self.read, why_nothing) = final.read_log(frozen), final.read_rows()
        if why_nothing:
            self.problems.append(why_nothing)
            self.say(why_nothing)
        if why := final.cross_read(frozen):
            self.say(why)
        final.read_sinks()
        self.say(f"log: {records} records; store: {self.read.rows} rows")

    def _seal(self) -> None:
        self.problems += self.crew.problems
        unreadable = export_journals(self.run.journals, self.run.history)
        self.problems += unreadable
        self._try(partial(copy_logs, self.cluster, self.run))
        manifest.write(self.run, self._manifest())
        run_folders.seal(self.run)
        if not unreadable:  # last: journals without a seal are of a run that was broken off
            shutil.rmtree(self.run.journals)

    def _manifest(self) -> manifest.Manifest:
        return manifest.Manifest(
            run_id=self.run.run_id,
            scenario=self.scenario.name,
            backend=self.cluster.backend,
            started_wall_ns=self.started.wall_ns,
            boot_id=self.started.boot_id,
            commit=provenance.commit(),
            versions=provenance.versions() | {"kafka": course(self.kafka, self.cluster.log_files())},
            host=self.host,
            seed=self.scenario.workload.seed,
            topics={
                "sensor-data": self.names.sensors,
                "alerts": self.names.alerts,
                "dead-letters": self.names.dead_letters,
                "labels": self.names.labels,
            },
            group=self.names.group,
            db_schema=self.names.schema,
            workers=self.crew.settings(),
            producer=self.crew.producer_config(),
            consumer=self.crew.consumer_config(),
            topic_config=self.config["topic"],
            broker_config=self.config["broker"],
            recording=self.crew.account.as_dict() if self.crew.account else None,
            problems=self.problems,
            workers_died=self.crew.died,
            output=self.read if self.output else None,
        )


def perform(scenario: Scenario, run: RunFolder, cluster: Cluster, home: Path, say: Say) -> RunFolder:
    """Run `scenario` on `cluster` into the folder `run` and seal it. A failed run says why in its folder.

    Raises:
        LabError: it could not be carried out.
    """
    try:
        Experiment(scenario, run, cluster, Names.of(run.run_id, cluster.prefix), home, say).perform()
    except (LabError, OSError) as problem:
        error = refused(problem) if isinstance(problem, OSError) else problem
        with suppress(LabError, OSError):  # the lab itself may be gone, or the disk full
            (run.raw / run_folders.FAILED).write_text(f"{error}\n", encoding="utf-8")
            copy_logs(cluster, run)
        raise error from None
    return run


def copy_logs(cluster: Cluster, run: RunFolder) -> None:
    """The logs of brokers, database and supervisor of this driver's time: they are evidence."""
    for log in cluster.log_files():
        with log.path.open("rb") as source, (run.logs / f"{log.node}.log").open("wb") as copy:
            source.seek(log.start)
            shutil.copyfileobj(source, copy)
