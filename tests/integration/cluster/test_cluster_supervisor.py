"""The supervisor with tiny children: whatever dies, nothing stays paused and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from factorylab.cluster import control
from factorylab.cluster.local import child as child_module
from factorylab.cluster.local.processes import Children
from factorylab.cluster.look import look
from factorylab.cluster.supervisor import refusal
from factorylab.cluster.undo import UndoRecords
from factorylab.core.errors import EnvironmentUnfit, LabBusy, LabError, StartFailed, UsageError
from factorylab.core.waiting import wait_until
from factorylab.scenarios.faults import slow
from tests.support.labs import STUBBORN, bare_lab, driver, kill, pid_of, tiny, wait_nothing_left, wait_said, wait_status


@pytest.fixture
def lease(home: Path):
    """A lab of this test, held by this process."""
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        yield line


def start(home: Path, *names: str) -> None:
    control.ask(home, control.Start([tiny(name, home) for name in names]))
    for name in names:
        wait_said(home / "logs" / f"{name}.log", "here")


FAMILY = """
import os, time
parent = os.getpid()
os.fork()
print("here", flush=True)
while os.getpid() == parent or os.getppid() == parent:
    time.sleep(0.01)
"""


def start_database(home: Path) -> None:
    """Like PostgreSQL it works in its data folder, with a child that ends when it notices the death of its parent."""
    (home / "data").mkdir()
    child = msgspec.structs.replace(tiny("database", home, FAMILY), cwd=str(home / "data"))
    control.ask(home, control.Start([child]))
    wait_until(lambda: said(home).count("here") == 2, what="both processes", timeout_s=20)


def said(home: Path) -> str:
    return (home / "logs" / "database.log").read_text()


def heal(home: Path, fault: int | None = None) -> list[str]:
    return msgspec.json.decode(control.ask(home, control.Heal(fault)), type=list[str])


def stop(home: Path, *names: str) -> dict[str, int | None]:
    return msgspec.json.decode(control.ask(home, control.Stop(list(names))), type=dict[str, int | None])


@pytest.mark.parametrize("step", ["leased", "started", "injected", "healed"])
def test_a_killed_driver_leaves_nothing(home, step):
    """A driver SIGKILLed at any step of a fault ends in no process at all, whatever was paused or dead."""
    process = driver(home, step)
    kill(process)
    wait_nothing_left(home)
    assert not list((home / "undo").iterdir())


@pytest.mark.parametrize("step", ["kept", "injected", "healed"])
def test_a_kept_lab_is_healed_when_its_driver_is_killed(home, step):
    """In a lab that is to stay, a driver's death resumes the paused broker and stops only the driver's workers."""
    process = driver(home, step, "keep")
    kill(process)
    wait_status(home, "fleet-0", "dead")
    wait_status(home, "broker-1", "running")
    assert not list((home / "undo").iterdir())
    control.ask(home, control.Shutdown())


@pytest.mark.parametrize("kind", ["pause", "slow"])
def test_a_killed_supervisor_takes_its_children_along(home, kind):
    """SIGKILL of the supervisor leaves no child, running or paused (Linux), nor a stopped process that a database had
    begun, and `down` has nothing left to do."""
    supervisor = bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        start(home, "broker-1")
        start_database(home)
        control.ask(home, control.Inject(1, "database", kind))
        wait_status(home, "database", "paused")
        os.kill(supervisor.pid, signal.SIGKILL)
        if sys.platform == "linux":
            wait_nothing_left(home)
    control.remove_remains(home)
    wait_nothing_left(home)


def test_remains_of_a_dead_supervisor_are_ended(home):
    """Where children outlive their supervisor, the state file is enough to end them, even a paused one."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=home)
    process.send_signal(signal.SIGSTOP)
    own = control.Recorded("supervisor", process.pid, created=1.0)  # another process's creation time: not ours
    orphan = control.Recorded("broker-1", process.pid, psutil.Process(process.pid).create_time())
    (home / control.STATE).write_bytes(msgspec.json.encode(control.LabState(own, 1, [orphan])))
    assert control.remove_remains(home) == ["broker-1"]
    process.wait(10)
    assert control.find_process(orphan) is None


def test_sigterm_is_an_orderly_stop(home):
    """SIGTERM to the supervisor stops all children, a paused one included, and removes the state file."""
    supervisor = bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        start(home, "broker-1", "processor-0")
        control.ask(home, control.Inject(1, "processor-0", "pause"))
        os.kill(supervisor.pid, signal.SIGTERM)
        wait_nothing_left(home)
    assert not (home / control.STATE).exists()


def test_a_deleted_folder_ends_the_lab(home):
    """A lab whose state file vanishes, as with a deleted folder, ends by itself."""
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        start(home, "broker-1")
        control.ask(home, control.Keep())
        (home / control.STATE).unlink()
        wait_nothing_left(home)


def test_heal_twice(home, lease):
    """Healing resumes and restarts once; a second time there is nothing to do."""
    start(home, "broker-1", "broker-2", "processor-0")
    before = {node.name: node.pid for node in control.nodes(home)}
    for node, action in (("broker-1", "pause"), ("broker-2", "kill"), ("processor-0", "terminate")):
        control.ask(home, control.Inject(7, node, action))
    assert sorted(heal(home, 7)) == ["resumed broker-1", "started broker-2", "started processor-0"]
    after = {node.name: node.pid for node in control.nodes(home)}
    assert before["broker-1"] == after["broker-1"]
    assert before["broker-2"] != after["broker-2"] is not None
    assert heal(home, 7) == heal(home) == []


def test_only_the_asked_fault_is_healed(home, lease):
    """Healing one fault leaves the others as they are; a broker that died by itself is started by a full heal."""
    start(home, "broker-1", "broker-2", "broker-3")
    control.ask(home, control.Inject(1, "broker-1", "pause"))
    control.ask(home, control.Inject(2, "broker-2", "pause"))
    broker_3 = next(node for node in control.nodes(home) if node.name == "broker-3")
    os.kill(broker_3.pid, signal.SIGKILL)
    wait_status(home, "broker-3", "dead")
    assert heal(home, 2) == ["resumed broker-2"]
    wait_status(home, "broker-1", "paused")
    assert sorted(heal(home)) == ["resumed broker-1", "started broker-3"]


def test_a_finished_worker_stays_finished(home, lease):
    """A worker that ended by itself is not started by a heal: its end is evidence."""
    control.ask(home, control.Start([tiny("fleet-0", home, "pass")]))
    wait_status(home, "fleet-0", "dead")
    assert heal(home) == []
    assert next(node for node in control.nodes(home)).exit_code == 0


def test_the_undo_record_is_on_disk_before_the_fault(tmp_path, monkeypatch):
    """When the signal goes out the record already exists and its content and its folder were synced."""
    (tmp_path / "logs").mkdir()
    order: list[str] = []
    real_fsync, real_signal = os.fsync, child_module.Entry.signal

    def fsync(handle: int) -> None:
        order.append("fsync")
        real_fsync(handle)

    def send(entry: child_module.Entry, number: int) -> None:
        if number == signal.SIGSTOP:
            order.append("signal")
            assert [(u.node, u.kind) for u in records.find(3)] == [("broker-1", "pause")]
        real_signal(entry, number)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(child_module.Entry, "signal", send)
    records = UndoRecords(tmp_path / "undo")

    async def scene() -> None:
        children = Children(records, changed=lambda: None)
        await children.start(control.Start([tiny("broker-1", tmp_path)]))
        await children.inject(control.Inject(3, "broker-1", "pause"))
        await children.stop(["broker-1"])

    asyncio.run(scene())
    assert order[:3] == ["fsync", "fsync", "signal"]
    assert records.find() == []


def test_a_healing_waits_for_what_is_being_broken(tmp_path, monkeypatch):
    """Whoever dies while a fault is on its way is healed after it has landed, never in the middle of it."""
    (tmp_path / "logs").mkdir()
    order: list[str] = []

    async def slowly(_: Path, deed: str) -> None:
        order.append(f"{deed} begins")
        await asyncio.sleep(0.05)
        order.append(f"{deed} ends")

    monkeypatch.setattr(refusal, "carry_out", slowly)

    async def scene() -> list[str]:
        children = Children(UndoRecords(tmp_path / "undo"), changed=lambda: None)
        await children.start(control.Start([tiny("database", tmp_path)]))
        breaking = asyncio.create_task(children.inject(control.Inject(1, "database", "refuse")))
        await asyncio.sleep(0)
        healed = await children.heal(None)
        await breaking
        await children.stop(["database"])
        return healed

    assert asyncio.run(scene()) == ["lifted the refusal of connections"]
    assert order == ["shut begins", "shut ends", "lift begins", "lift ends"]


def test_others_are_answered_while_a_stubborn_child_uses_its_grace(home, lease):
    """A child that does not end keeps neither its sibling from ending nor the supervisor from answering."""
    control.ask(home, control.Start([tiny("fleet-0", home, STUBBORN, stop_s=600), tiny("fleet-1", home)]))
    for name in ("fleet-0", "fleet-1"):
        wait_said(home / "logs" / f"{name}.log", "here")
    with control.Line(home) as slow:
        slow.send(control.Stop(["fleet-0", "fleet-1", "never-was"]))
        wait_status(home, "fleet-1", "dead")
        os.kill(wait_status(home, "fleet-0", "running").pid, signal.SIGKILL)
        codes = msgspec.json.decode(slow.receive(), type=dict[str, int | None])
    assert codes == {"fleet-0": -signal.SIGKILL, "fleet-1": -signal.SIGTERM, "never-was": None}


def test_a_stubborn_child_is_killed_after_its_grace(home, lease):
    """What SIGTERM does not end in its time is killed; its code is None."""
    control.ask(home, control.Start([tiny("fleet-0", home, STUBBORN, stop_s=0.2)]))
    wait_said(home / "logs" / "fleet-0.log", "here")
    assert stop(home, "fleet-0") == {"fleet-0": None}
    wait_status(home, "fleet-0", "dead")


def test_a_worker_that_ends_at_once_has_not_started(home, lease):
    """A failed start is reported with the exit code and the last lines of the log."""
    broken = tiny("processor-0", home, "import sys; print('no such broker'); sys.exit(3)")
    with pytest.raises(StartFailed, match=r"processor-0 ended at once with exit code 3[\s\S]*no such broker"):
        control.ask(home, control.Start([broken], watch_s=20))


def test_wrong_requests_are_refused(home, lease):
    """A fault on an unknown or a dead node, a second start and a second driver are refused with the reason."""
    start(home, "broker-1")
    with pytest.raises(UsageError, match="no node 'broker-9'; there are: broker-1"):
        control.ask(home, control.Inject(1, "broker-9", "kill"))
    with pytest.raises(UsageError, match="broker-1 runs already"):
        control.ask(home, control.Start([tiny("broker-1", home)]))
    stop(home, "broker-1")
    with pytest.raises(LabError, match="broker-1 is dead already"):
        control.ask(home, control.Inject(1, "broker-1", "pause"))
    with control.Line(home, lease=True) as second, pytest.raises(LabBusy):
        second.receive()


def test_nothing_is_broken_for_nobody(home):
    """A fault that arrives when its driver is gone is refused: nobody would heal it."""
    bare_lab(home)
    start(home, "broker-1")
    with pytest.raises(LabError, match="no driver is connected"):
        control.ask(home, control.Inject(1, "broker-1", "pause"))
    wait_status(home, "broker-1", "running")
    control.ask(home, control.Shutdown())


def test_a_wrong_token_opens_nothing(home, lease):
    """Who does not know the lab's token gets no answer and changes nothing."""
    start(home, "broker-1")
    state = control.living_state(home)
    with socket.create_connection(("127.0.0.1", state.port), 10) as stranger:
        for message in (control.Hello("a guess"), control.Shutdown()):
            stranger.sendall(msgspec.json.encode(message) + b"\n")
        with suppress(ConnectionResetError):
            assert stranger.recv(100) == b""
    wait_status(home, "broker-1", "running")
    assert control.living_state(home) == state


def test_without_a_lab_the_way_out_is_said(home):
    """A call to a lab that is not up says how to start one."""
    with pytest.raises(EnvironmentUnfit, match="factorylab up"):
        control.nodes(home)


def test_a_pause_reaches_the_whole_family(lease, home):
    """A paused child's own children are paused with it, as PostgreSQL's backends must be, and healed with it."""
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    control.ask(home, control.Start([tiny("database", home, code=code)]))
    family = psutil.Process(pid_of(home, "database"))
    grandchild = wait_until(family.children, what="its child", timeout_s=30)[0]
    control.ask(home, control.Inject(1, "database", "pause"))
    wait_until(lambda: grandchild.status() == psutil.STATUS_STOPPED, what="a pause of its child", timeout_s=30)
    heal(home, 1)
    wait_until(lambda: grandchild.status() != psutil.STATUS_STOPPED, what="its child to go on", timeout_s=30)
    grandchild.kill()


def test_a_killed_node_starts_again_when_its_children_are_gone(lease, home):
    """A child that notices late that its parent was killed, as a backend of PostgreSQL may, keeps the next one out."""
    late = "import os, sys, time\nwhile os.getppid() == int(sys.argv[1]): time.sleep(0.01)\ntime.sleep(1)"
    code = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {late!r}, str(os.getpid())])"
    control.ask(home, control.Start([tiny("database", home, code=code)]))
    grandchild = wait_until(psutil.Process(pid_of(home, "database")).children, what="its child", timeout_s=30)[0]
    control.ask(home, control.Inject(1, "database", "kill"))
    assert control.process_status(grandchild) != "dead"
    heal(home, 1)
    assert control.process_status(grandchild) == "dead" and pid_of(home, "database")


def test_a_restarted_node_runs_again_at_once(home, lease):
    """A restart leaves another process of the same node, and nothing to heal; a paused one is restarted, too."""
    start(home, "broker-1")
    for fault in (1, 2):
        before = wait_status(home, "broker-1", "running").pid
        control.ask(home, control.Inject(fault, "broker-1", "restart"))
        assert wait_status(home, "broker-1", "running").pid != before
        assert heal(home, fault) == []
        control.ask(home, control.Inject(3, "broker-1", "pause"))
        control.ask(home, control.Inject(4, "broker-1", "restart"))
        assert heal(home) == []


BUSY = """
import os
print("here", flush=True)
parent = os.getpid()
os.fork()
while os.getpid() == parent or os.getppid() == parent:
    pass
"""


@pytest.mark.quiet
def test_a_slow_node_gets_a_tenth_of_a_processor(home, lease):
    """A node of two busy processes uses no more than its share, as the kernel counts, also once it is started anew; and
    as much as there is when its driver is gone."""
    control.ask(home, control.Start([tiny("broker-1", home, BUSY)]))
    wait_said(home / "logs" / "broker-1.log", "here")
    control.ask(home, control.Keep())
    control.ask(home, control.Inject(1, "broker-1", "slow"))
    wait_share(home, lambda share: share <= 2 * slow.SHARE)
    control.ask(home, control.Inject(2, "broker-1", "restart"))
    wait_share(home, lambda share: share <= 2 * slow.SHARE)
    lease.close()
    wait_share(home, lambda share: share > 2 * slow.SHARE)
    assert not list((home / "undo").iterdir())
    control.ask(home, control.Shutdown())


def wait_share(home: Path, wanted: Callable[[float], bool]) -> None:
    """Until what broker-1 used of a CPU since now, for at least a second, is as wanted."""
    pid = next(node.pid for node in control.nodes(home))
    first = look(pid)

    def share() -> float:
        now = look(pid)
        return (now.cpu_s - first.cpu_s) / (now.at_s - first.at_s)

    wait_until(
        lambda: time.monotonic() > first.at_s + 1 and wanted(share()), what="its share", timeout_s=30,
        last_seen=lambda: f"{share():.3f}",
    )  # fmt: skip


class DiesJustThen(subprocess.Popen[bytes]):
    """A process that ends, and is waited for, as a signal is about to be sent to it."""

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.wait()


def test_a_node_that_dies_as_it_is_signalled_raises_no_error(home):
    """A slow node that is killed between two of its turns stays held: its next process is slow as well."""
    (home / "logs").mkdir()
    spec = tiny("broker-1", home)
    for deed in (lambda entry: entry.turn(signal.SIGSTOP), child_module.Entry.kill):
        entry = child_module.Entry(spec, DiesJustThen(spec.argv, env=spec.env, stdout=subprocess.DEVNULL), 0)
        deed(entry)
        assert not (entry.running or entry.in_turn)


def test_a_slow_node_can_be_paused(home, lease):
    """A pause holds still what is slow, and healing the pause leaves it slow."""
    start(home, "broker-1")
    for number, kind in enumerate(("slow", "pause")):
        control.ask(home, control.Inject(number, "broker-1", kind))
    wait_status(home, "broker-1", "paused")
    assert heal(home, 1) == ["resumed broker-1"]
    assert heal(home, 0) == ["gave broker-1 its CPU back"]
    wait_status(home, "broker-1", "running")
