"""Poison on a real cluster: exceptions, deaths and refusals cost one record each, an outage costs none."""

from __future__ import annotations

import signal

from factorylab.core.waiting import wait_until
from factorylab.factory.processor.retries import PLAIN_TAKES, TRIES
from tests.support.buggy_processor import HOT, program
from tests.support.factory_runs import LONG_S, FactoryRun
from tests.support.wire import wire


def mixed() -> list[tuple[bytes, bytes]]:
    """600 readings of one sensor, two of them poison, some of them with alerts."""
    values = {n: 70 + n % 5 * 8.0 for n in range(600)} | {41: HOT, 400: HOT}
    return [wire(seq=n, readings={"temperature_c": value}) for n, value in values.items()]


def assert_only_poison_was_set_aside(run: FactoryRun, *words: str) -> None:
    """598 readings are stored, the two others are dead letters with their bytes, key and the reason; it holds the one
    word, or each its own."""
    sent, poison = mixed(), (41, 400)
    assert run.query("SELECT count(*), count(DISTINCT seq), sum((seq IN (41, 400))::int) FROM {s}.readings") == [
        (598, 598, 0)
    ]
    dead = {
        (m.key(), m.value()): {k: v.decode() for k, v in m.headers() or ()} for m in run.read(run.names.dead_letters)
    }
    assert set(dead) == {sent[seq] for seq in poison}
    for seq, word in zip(poison, words * (2 // len(words)), strict=True):
        headers = dead[sent[seq]]
        assert word in headers["__connect.errors.exception.message"]
        assert f"given up after {TRIES} tries" in headers["__connect.errors.exception.message"]
        assert headers["__connect.errors.exception.class.name"] == "Poison"
        assert headers["__connect.errors.stage"] == "TASK_PUT"
        assert int(headers["__connect.errors.offset"]) == seq
    noted = run.query("SELECT (detail ->> 'offset')::int FROM {s}.system_events WHERE kind = 'poison' ORDER BY 1")
    assert [row[0] for row in noted] == [*poison]


def test_an_exception_in_a_detector_costs_one_record(run: FactoryRun) -> None:
    """Records that raise in a processor become dead letters; the process lives, and the rest of the batch is stored.
    Over 10 s: each try waits a little longer."""
    run.produce(mixed())
    run.launch_processor("p0", program=program("raise ZeroDivisionError('a bug')"))
    run.wait_drained()
    assert run.end("p0") == 0
    assert_only_poison_was_set_aside(run, "ZeroDivisionError: a bug")


def test_a_record_that_kills_its_process_is_set_aside(run: FactoryRun) -> None:
    """A record that kills each process that touches it is known as such across their deaths, whoever starts next. Over
    10 s: so many processes start one after the other."""
    run.produce(mixed())
    lives = 0
    while not run.drained():
        lives += 1
        assert lives <= 2 * (1 + PLAIN_TAKES + 1 + TRIES) + 1
        name = f"p{lives % 2}"
        alone = f"{run.names.group}-{lives}"  # nobody waits for the session of a dead member
        run.launch_processor(name, program=program("os.kill(os.getpid(), signal.SIGKILL)"), group=alone)
        ended = run.processes[name].poll
        wait_until(lambda ended=ended: run.drained() or ended(), what="its death, or the end", timeout_s=LONG_S)
    assert run.end(name) == 0
    assert_only_poison_was_set_aside(run, "ended in it")


def test_a_record_that_the_database_refuses_costs_one_record(run: FactoryRun) -> None:
    """A reading that violates a constraint of the table, and one that is out of a column's range, are set aside alone.
    Over 10 s: each try is a transaction, with growing pauses."""
    run.query("ALTER TABLE {s}.readings ADD CHECK (seq <> 41)")
    run.query(
        "CREATE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE numeric_value_out_of_range"
        " USING MESSAGE = 'out of range'; END $$"
    )
    run.query(
        "CREATE TRIGGER refuse BEFORE INSERT ON {s}.readings FOR EACH ROW"
        " WHEN (NEW.seq = 400) EXECUTE FUNCTION {s}.refuse()"
    )
    run.produce(mixed())
    run.processor("p0")
    run.wait_drained()
    assert run.end("p0") == 0
    assert_only_poison_was_set_aside(run, "CheckViolation", "NumericValueOutOfRange")


def cut(run: FactoryRun, worker: str, failures: int) -> None:
    """End a worker's sessions in the database until so many of its batches have failed."""
    sessions = f"FROM pg_stat_activity WHERE application_name = 'factorylab-{worker}'"
    wait_until(
        lambda: (
            run.query("SELECT pg_terminate_backend(pid) " + sessions) and run.logged(worker, "batch_failed") >= failures
        ),
        what=f"{failures} failed batches",
        timeout_s=LONG_S,
    )


def test_an_outage_of_the_database_sets_nothing_aside(run: FactoryRun) -> None:
    """However often the database dies under a batch, no record is blamed for it. Over 10 s: six outages, each with a
    pause."""
    run.processor("p0")
    run.fleet("f0", rate="2000", sensors=30)
    for outage in range(PLAIN_TAKES + TRIES):
        run.wait_stored(run.stored() + 500)
        cut(run, "p0", outage + 1)
    assert run.end("f0", signal.SIGTERM) == 0
    run.wait_drained()
    assert run.end("p0") == 0
    assert run.read(run.names.dead_letters) == []
    assert run.stored() == sum(run.ends().values())
