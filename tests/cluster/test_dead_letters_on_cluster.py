"""Dead letters on a real cluster: listed as they were, and each sent again once."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing

import psycopg2
import pytest

from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.errors import LabError
from factorylab.operations.dead_letters import RESENT, Choice, DeadLetters
from tests.support.buggy_processor import HOT, program
from tests.support.commands import Call, call, results
from tests.support.factory_runs import FactoryRun
from tests.support.wire import BAD, wire

__all__ = ["call", "results"]  # fixtures


def test_what_is_still_bad_comes_back_as_a_new_letter(run: FactoryRun) -> None:
    """Letters are listed as they were; sent again, each goes back once with key and bytes, and a second call sends
    none of them, but what they became in the meantime."""
    run.processor("p0")
    run.produce([record for bad in BAD.values() for record in (bad, wire(seq=1))])
    run.wait_drained()
    letters = DeadLetters(run.endpoints, run.names)
    first = letters.read()
    assert Counter((one.key, one.value) for one in first) == Counter(BAD.values())
    before = run.ends()
    done = letters.resend(Choice(limit=5))
    assert [one.origin for one in done.acknowledged] == [one.origin for one in first[:5]]
    assert (done.cut, done.refused) == ([], [])
    assert sum(run.ends().values()) == sum(before.values()) + 5
    run.wait_drained()
    everything = letters.read()
    assert [one.origin for one in everything if one.resent] == [one.origin for one in first[:5]]
    again = [one for one in everything if one.origin[2] >= before[one.origin[1]]]
    assert Counter((one.key, one.value) for one in again) == Counter((one.key, one.value) for one in first[:5])
    rest = letters.resend(Choice())
    assert {one.origin for one in rest.acknowledged} == {one.origin for one in everything if not one.resent}
    assert run.end("p0") == 0


def test_after_a_fix_what_was_set_aside_is_stored(run: FactoryRun, cluster: LocalCluster, call: Call,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Records that a bug made dead letters are stored once after the bug is mended and the command sent them again.
    Over 10 s: each poisoned record is tried several times, with pauses, before it is set aside."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(cluster.home))
    words = ("dead-letters", "--run", run.names.sensors.rpartition("-")[2])
    run.produce([wire(seq=n, readings={"temperature_c": HOT if n in {3, 8} else 70.0}) for n in range(10)])
    run.launch_processor("p0", program=program("raise ZeroDivisionError('a bug')"))
    run.wait_drained()
    assert run.end("p0") == 0
    code, out, err = call(*words)
    assert (code, out.count("ZeroDivisionError: a bug"), "2 dead letters" in err) == (0, 2, True)
    code, out, err = call(*words, "--resend", "--dry-run")
    assert (code, len(out.splitlines()), "would send 2 of these 2" in err) == (0, 2, True)
    assert sum(run.ends().values()) == 10
    run.processor("p0")
    for expected in (2, 0):
        code, out, err = call(*words, "--resend", "--json")
        said = json.loads(out)
        assert (code, len(said["sent"]), said["refused"]) == (0, expected, [])
    run.wait_drained()
    assert run.query("SELECT count(*), count(DISTINCT seq) FROM {s}.readings") == [(10, 10)]
    assert run.end("p0") == 0
    listed = json.loads(call(*words, "--all", "--json")[1])
    assert [one["resent"] for one in listed] == [True, True]
    assert json.loads(call(*words, "--json")[1]) == []


def test_two_senders_do_not_meet(run: FactoryRun) -> None:
    """While one call sends letters again, another is refused instead of sending them a second time."""
    letters = DeadLetters(run.endpoints, run.names)
    with closing(psycopg2.connect(run.endpoints.database_url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"{RESENT} {run.names.schema}",))
        with pytest.raises(LabError, match="another command"):
            letters.resend(Choice())
    assert letters.resend(Choice()).acknowledged == []
