"""Faults of a database on a real PostgreSQL: what a client sees, how long it is blocked, and that all is undone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from factorylab.cluster import boot, control, manage
from factorylab.cluster.database_address import url_of
from factorylab.cluster.database_probe import answer_of
from factorylab.cluster.leftovers import clear
from factorylab.cluster.local import postgres
from factorylab.cluster.local.ports import free_block, start_of
from factorylab.cluster.network.volume import TABLES
from factorylab.cluster.supervisor import refusal
from factorylab.core.errors import LabError
from factorylab.core.files import last_lines
from factorylab.core.waiting import wait_until
from factorylab.factory.store import schema
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.store import Store
from factorylab.scenarios.fault_catalog import KindName
from tests.support.databases import Place, batch
from tests.support.labs import wait_nothing_left

DEADLINE_S = 2.0
SLACK_S = 2.0  # of a busy machine


class Lab:
    """A supervisor that owns a PostgreSQL and nothing else, with a store in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "logs").mkdir()
        (port,), password = free_block(start_of(home), "0.0.0.0", 1), "of-a-test"
        self.url = url_of(port, password)
        server = postgres.prepare(postgres.find(None), home / "data" / "database")
        server.initialise(password)
        boot.launch(home, boot.Known(bootstrap="", database_url=self.url))
        self.lease = control.Line(home, lease=True)
        self.lease.receive()
        folder = server.small_disk()
        control.ask(home, control.SmallDisk(str(folder), server.owner))
        control.ask(home, control.Start([server.child(port, home / "logs" / "database.log")]))
        postgres.use_small_disk(self.url, folder / TABLES)
        self.wait("ok")
        self.place = Place(self.url, "factory")
        schema.create_schema(self.url, "factory")

    def wait(self, answer: str) -> None:
        log = self.home / "logs" / "database.log"
        wait_until(
            lambda: answer_of(self.url) == answer,
            what=f"the database to answer {answer}",
            timeout_s=60,
            last_seen=lambda: last_lines(log),
        )

    def inject(self, action: KindName) -> None:
        control.ask(self.home, control.Inject(1, "database", action))

    def heal(self) -> None:
        control.ask(self.home, control.Heal())
        self.wait("ok")

    @property
    def supervisor(self) -> psutil.Process:
        state = control.living_state(self.home)
        assert state is not None
        return psutil.Process(state.supervisor.pid)


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    (home / "data").mkdir()
    lab = Lab(home)
    yield lab
    lab.lease.close()
    clear(home) if control.living_state(home) is None else wait_nothing_left(home)


FAULTS: dict[KindName, str] = {"pause": "none", "kill": "none", "terminate": "none", "refuse": "refused"}
ALL: dict[KindName, str] = {**FAULTS, "fill": "full"}


@pytest.mark.quiet
@pytest.mark.parametrize("action", FAULTS)
def test_a_fault_is_seen_bounded_and_undone(lab: Lab, action: KindName) -> None:
    """While it holds a client sees just what it should, no round of calls lasts longer than one deadline; afterwards
    the store goes on at its position, with every reading once, and says since when it could not."""
    with closing(Store(lab.url, "factory", "t", "p0", DEADLINE_S)) as store:
        epoch = store.take(0).epoch
        store.commit(batch(0, 10, epoch))
        lab.inject(action)
        lab.wait(FAULTS[action])
        began_s = time.monotonic()
        for _ in range(20):  # as many partitions
            with pytest.raises(StoreUnavailable):
                store.commit(batch(10, 20, epoch))
        assert time.monotonic() - began_s < DEADLINE_S + SLACK_S
        lab.heal()
        wait_until(lambda: store.ready, what="the end of the pause", timeout_s=5)
        taken = store.take(0)
        store.commit(batch(taken.next_offset, 20, taken.epoch))
        store.write_notes()
    assert lab.place.ask("SELECT count(*), count(DISTINCT seq), max(seq) FROM {s}.readings") == [(20, 20, 19)]
    noted = lab.place.ask("SELECT kind, (detail ->> 'blocked_s')::float8 FROM {s}.system_events ORDER BY id")
    assert [kind for kind, _ in noted] == ["store_lost", "store_back"]
    assert all(isinstance(blocked_s, float) and blocked_s < DEADLINE_S + SLACK_S for _, blocked_s in noted)


def test_a_full_disk_refuses_a_batch_as_a_whole(lab: Lab) -> None:
    """PostgreSQL itself says that no room is left; nothing of the batch is there, and once there is room all of it."""
    with closing(Store(lab.url, "factory", "t", "p0", 30)) as store:
        epoch = store.take(0).epoch
        store.commit(batch(0, 10, epoch))
        lab.inject("fill")
        lab.wait("full")
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            store.commit(batch(10, 50_000, epoch))
        assert lab.place.ask("SELECT count(*) FROM {s}.readings") == [(10,)]
        lab.heal()
        wait_until(lambda: store.ready, what="the end of the pause", timeout_s=5)
        taken = store.take(0)
        assert taken.next_offset == 10
        assert store.commit(batch(10, 50_000, taken.epoch)) == 49_990
    assert lab.place.ask("SELECT count(*), count(DISTINCT seq), max(seq) FROM {s}.readings") == [
        (50_000, 50_000, 49_999)
    ]


def test_a_small_disk_outlives_a_killed_database(lab: Lab) -> None:
    """What was stored on it is there after a kill while it was full, and a start once there is room."""
    with closing(Store(lab.url, "factory", "t", "p0", 30)) as store:
        store.commit(batch(0, 10, store.take(0).epoch))
    lab.inject("fill")
    lab.wait("full")
    control.ask(lab.home, control.Inject(2, "database", "kill"))
    lab.wait("none")
    lab.heal()
    assert lab.place.ask("SELECT count(*) FROM {s}.readings") == [(10,)]


def test_events_have_the_time_at_which_they_happened(lab: Lab) -> None:
    """What was noted while the database was away is written later with its own time."""
    with closing(Store(lab.url, "factory", "t", "p0", DEADLINE_S)) as store:
        lab.inject("refuse")
        lab.wait("refused")
        store.note("during")
        lab.heal()
        ((healed,),) = lab.place.ask("SELECT now()")
        store.write_notes()
    ((before,),) = lab.place.ask(f"SELECT at < '{healed}' FROM {{s}}.system_events WHERE kind = 'during'")  # noqa: S608
    assert before is True


@pytest.mark.parametrize("action", ["pause", "refuse", "fill"])
def test_a_driver_that_dies_leaves_a_kept_lab_healed(lab: Lab, action: KindName) -> None:
    """The supervisor undoes the fault when the driver's connection closes."""
    control.ask(lab.home, control.Keep())
    lab.inject(action)
    lab.wait(ALL[action])
    lab.lease.close()
    lab.wait("ok")
    control.ask(lab.home, control.Shutdown())


def test_refusing_twice_and_lifting_twice(lab: Lab) -> None:
    """Both may be repeated, and what is lifted lets everybody in."""
    for _ in range(2):
        refusal.do(lab.url, "shut")
        assert answer_of(lab.url) == "refused"
    for _ in range(2):
        refusal.do(lab.url, "lift")
        assert answer_of(lab.url) == "ok"


def test_a_dead_database_cannot_be_made_to_refuse(lab: Lab) -> None:
    """It is refused with the reason, and healing starts it."""
    lab.inject("kill")
    wait_until(  # it answers nobody a moment before it has ended
        lambda: [node.status for node in manage.look(lab.home)] == ["dead"], what="its end", timeout_s=60
    )
    with pytest.raises(LabError, match="dead already"):
        lab.inject("refuse")
    lab.heal()


def test_a_killed_supervisor_leaves_no_frozen_server(lab: Lab) -> None:
    """Server processes that were paused when their parents were killed never noticed: the guard ends them."""
    with closing(Store(lab.url, "factory", "t", "p0", DEADLINE_S)) as store:
        store.take(0)
        lab.inject("pause")
        lab.wait("none")
        lab.supervisor.send_signal(signal.SIGKILL)
        wait_nothing_left(lab.home)
