"""Isolated labs: whom each cut keeps from whom, and that nothing of it is left.

The nodes are small programs, which listen where brokers do and send each other numbered datagrams, so that packets
can be told apart by their way; `test_isolated_lab.py` has real brokers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import msgspec
import psutil
import pytest

from factorylab.cluster import control
from factorylab.cluster.base import Cut, Link
from factorylab.cluster.control import ForwardedPort
from factorylab.cluster.local.ports import bindable, start_of
from factorylab.cluster.local.processes import Children
from factorylab.cluster.network import isolated_network, netns
from factorylab.cluster.network.addresses import inner_address
from factorylab.cluster.settings import load_settings
from factorylab.cluster.undo import UndoRecords
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.waiting import wait_until
from factorylab.operations import doctor
from tests.support.isolation import trouble
from tests.support.labs import bare_lab, kill, shell, tiny, wait_nothing_left
from tests.support.peers import BROKERS, NUMBERS, PEERS_OF_1, WORKERS, start_peers
from tests.support.places import ROOT

Lab = tuple[Path, list[ForwardedPort]]


@pytest.fixture(scope="module")
def can_isolate() -> None:
    if why := trouble():
        pytest.skip(why)


class DeafNetwork:
    """In place of a network: remembers what it was told, and what was on the disk by then."""

    def __init__(self, records: UndoRecords) -> None:
        self.records = records
        self.told: list[tuple[str, int]] = []

    def place(self, name: str, role: str) -> None:
        """Everything lives on this host."""

    def cut(self, name: str, cuts: list[Cut]) -> bool:
        self.told.append((f"{name} {len(cuts)}", len(self.records.find(node=name))))
        return True

    def check(self, name: str) -> None:
        """Everybody can be cut."""

    def cut_nodes(self) -> list[str]:
        return []


def test_the_undo_record_comes_before_the_cut_and_goes_after_it(tmp_path: Path) -> None:
    """A partition's record is there when the filter is told to cut, and still when it is told to heal."""
    (tmp_path / "logs").mkdir()
    records = UndoRecords(tmp_path / "undo")
    fake = DeafNetwork(records)

    async def scene() -> None:
        children = Children(records, changed=lambda: None)
        children.network = fake  # type: ignore[assignment]
        await children.start(control.Start([tiny("broker-1", tmp_path)]))
        await children.inject(control.Inject(3, "broker-1", "partition", Cut("everybody", "in")))
        assert [(u.fault, u.kind, u.cut) for u in records.find()] == [(3, "partition", Cut("everybody", "in"))]
        assert await children.heal(3) == ["lifted the cut of broker-1"]
        children.closed = True
        await children.stop(["broker-1"])

    asyncio.run(scene())
    assert fake.told == [("broker-1 1", 1), ("broker-1 0", 1)]
    assert records.find() == []


# -- refusals


def test_a_plain_lab_refuses_network_faults(home: Path) -> None:
    """Where all nodes share this host's network a partition is refused with the way out, and leaves no undo record."""
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        control.ask(home, control.Start([tiny("broker-1", home)]))
        with pytest.raises(EnvironmentUnfit, match=r"share this host's network.*up --isolated"):
            control.ask(home, control.Inject(1, "broker-1", "partition", Cut()))
        assert not list((home / "undo").iterdir())
        assert msgspec.json.decode(control.ask(home, control.Reach())) == []


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without iproute2, without a packet filter, and where the kernel refuses, each message says what to do."""
    assert "install iproute2" in lacking(monkeypatch, "ip")
    if not trouble():
        assert "install nftables or iptables" in lacking(monkeypatch, "nft", "iptables-restore",
                                                         "iptables-legacy-restore")  # fmt: skip

    def refused(beside: netns.Namespace | None = None) -> netns.Namespace:
        raise EnvironmentUnfit(f"the kernel refuses a network namespace: {netns.way_out()}")

    monkeypatch.setattr(isolated_network.netns, "make", refused)
    finding = next(f for f in doctor.examine(load_settings()) if f.what == "network faults")
    assert finding.ok is None and "the backend compose" in finding.way_out


def lacking(monkeypatch: pytest.MonkeyPatch, *programs: str) -> str:
    """What the doctor says without these programs."""
    real = isolated_network.find_program
    with monkeypatch.context() as patch:
        patch.setattr(isolated_network, "find_program", lambda name: None if name in programs else real(name))
        return isolated_network.trouble()


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as an ordinary user already")
def test_an_ordinary_user_can_do_it_too(can_isolate: None) -> None:
    """A process that has given root up makes namespaces, wires and cuts of its own, where the kernel lets users."""
    program = (
        "import os\nfrom factorylab.cluster.network import netns, isolated_network\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        "netns.LIBC.prctl(4, 1, 0, 0, 0)  # as after an exec: its /proc is its own\n"
        "print(netns.make.__name__, repr(isolated_network.trouble()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd="/", env=shell(), capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    if "sysctl" in done.stdout:
        pytest.skip(done.stdout)
    assert done.stdout == "make ''\n", done.stderr


# -- a lab


@pytest.fixture(scope="module")
def lab(can_isolate: None, labs_folder: Path) -> Iterator[Lab]:
    """An isolated lab of small programs, shared by the tests of this module; each leaves it healed."""
    home = labs_folder / "isolated"
    home.mkdir()
    bare_lab(home)
    with control.Line(home, lease=True) as line:
        line.receive()
        yield home, start_peers(home)
    wait_nothing_left(home)


def links(home: Path) -> list[Link]:
    return msgspec.json.decode(control.ask(home, control.Reach()), type=list[Link])


def broken(home: Path) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in links(home) if not link.ok}


def heal(home: Path, fault: int | None = None) -> list[str]:
    return msgspec.json.decode(control.ask(home, control.Heal(fault)), type=list[str])


def between(*names: str) -> set[tuple[str, str]]:
    return set(permutations(names, 2))


ALL_OF_1 = PEERS_OF_1 | {("host", "broker-1"), ("processor-0", "broker-1"), ("fleet-0", "broker-1")}
ALL_OF_PROCESSOR = {("processor-0", broker) for broker in BROKERS}


@pytest.mark.parametrize("direction", ["both", "in", "out"])
@pytest.mark.parametrize(
    ("node", "away_from", "wanted"),
    [
        ("broker-1", "brokers", PEERS_OF_1),
        ("broker-1", "everybody", ALL_OF_1),
        ("processor-0", "brokers", ALL_OF_PROCESSOR),
        ("processor-0", "everybody", ALL_OF_PROCESSOR),
    ],
)
def test_a_cut_breaks_its_own_links(
    lab: Lab, node: str, away_from: str, direction: str, wanted: set[tuple[str, str]]
) -> None:
    """The matrix is whole before, loses exactly the cut's links, and is whole again; a second heal does nothing."""
    home, _ = lab
    everything = {(s, b) for s in (*BROKERS, *WORKERS, "host") for b in BROKERS if s != b}
    assert {(link.source, link.target) for link in links(home)} == everything and not broken(home)
    control.ask(home, control.Inject(1, node, "partition", Cut(away_from, direction)))  # type: ignore[arg-type]
    assert broken(home) == wanted
    assert heal(home, 1) == [f"lifted the cut of {node}"]
    assert (heal(home, 1), broken(home), list((home / "undo").iterdir())) == ([], set(), [])


class State(msgspec.Struct):
    """What a peer says of itself: how often it has sent, and the newest number that came from each address."""

    turn: int
    heard: dict[str, int]


def states(home: Path) -> dict[str, State]:
    return {name: msgspec.json.decode((home / f"{name}.json").read_bytes(), type=State) for name in NUMBERS}


def after_ten_turns(home: Path) -> dict[str, State]:
    """The states when every node has gone round ten times more."""
    first = states(home)

    def done() -> dict[str, State] | None:
        now = states(home)
        return now if all(now[name].turn >= state.turn + 10 for name, state in first.items()) else None

    return wait_until(done, what="ten turns of each node", timeout_s=60)


def deaf_pairs(home: Path) -> set[tuple[str, str]]:
    """(receiver, sender) whose datagrams do not arrive any more, however long one waits."""
    first = states(home)
    after_ten_turns(home)
    last = after_ten_turns(home)  # what was sent in the first ten turns has arrived by now, or never will
    heard = {
        (name, sender)
        for name, state in last.items()
        for sender, number in NUMBERS.items()
        if state.heard.get(inner_address(number), 0) > first[sender].turn + 1  # one may have been on its way
    }
    return between(*NUMBERS) - heard


IN_1 = {("broker-1", "broker-2"), ("broker-1", "broker-3")}
OUT_1 = {("broker-2", "broker-1"), ("broker-3", "broker-1")}
OTHERS = ("broker-2", "broker-3", *WORKERS)


@pytest.mark.parametrize(
    ("cut", "deaf"),
    [
        (Cut(), IN_1 | OUT_1),
        (Cut(direction="in"), IN_1),
        (Cut(direction="out"), OUT_1),
        (Cut("everybody"), {("broker-1", o) for o in OTHERS} | {(o, "broker-1") for o in OTHERS}),
        (Cut("everybody", "in"), {("broker-1", o) for o in OTHERS}),
        (Cut("everybody", "out"), {(o, "broker-1") for o in OTHERS}),
    ],
    ids=["both", "in", "out", "everybody-both", "everybody-in", "everybody-out"],
)
def test_a_one_way_cut_is_one_way(lab: Lab, cut: Cut, deaf: set[tuple[str, str]]) -> None:
    """Packets of the cut direction stop and those of the other go on, for each pair of nodes."""
    home, _ = lab
    assert deaf_pairs(home) == set()
    control.ask(home, control.Inject(1, "broker-1", "partition", cut))
    assert deaf_pairs(home) == deaf
    heal(home)
    assert deaf_pairs(home) == set()


def knock(port: ForwardedPort, timeout_s: float = 10) -> str:
    """What is said behind a forwarded port."""
    with socket.create_connection((port.address, port.port), timeout_s) as client:
        return client.recv(100).decode()


def test_forwarded_ports_lead_in(lab: Lab) -> None:
    """Each forwarded port leads to its broker; a cut from the brokers leaves it open, one from everybody does not."""
    home, ports = lab
    assert [knock(port) for port in ports] == list(BROKERS)
    control.ask(home, control.Inject(1, "broker-1", "partition", Cut()))
    assert knock(ports[0]) == "broker-1"
    control.ask(home, control.Inject(2, "broker-1", "partition", Cut("everybody")))
    with pytest.raises(TimeoutError):
        knock(ports[0], timeout_s=1)
    assert knock(ports[1]) == "broker-2"
    heal(home)
    assert knock(ports[0]) == "broker-1"


def test_a_door_without_a_listener_says_so(lab: Lab) -> None:
    """A client of a broker that is dead is turned away at once, as by a published port, and let in when it is back."""
    home, ports = lab
    control.ask(home, control.Inject(1, "broker-2", "kill"))
    wait_until(lambda: ("host", "broker-2") in broken(home), what="broker-2 to be dead", timeout_s=20)
    try:
        said = knock(ports[1])
    except ConnectionResetError:
        said = ""
    assert said == ""
    heal(home)
    wait_until(lambda: not broken(home), what="broker-2 to be back", timeout_s=20)
    assert knock(ports[1]) == "broker-2"


def test_faults_of_one_node_add_up(lab: Lab) -> None:
    """Two partitions of a node hold together, and healing one leaves the other."""
    home, _ = lab
    control.ask(home, control.Inject(1, "broker-1", "partition", Cut()))
    control.ask(home, control.Inject(2, "broker-1", "partition", Cut("everybody")))
    assert broken(home) == ALL_OF_1
    heal(home, 2)
    assert broken(home) == PEERS_OF_1
    heal(home, 1)
    assert broken(home) == set()


def test_a_worker_begins_uncut(lab: Lab) -> None:
    """Stopping a worker that is cut forgets the fault: its successor of the same name reaches everybody."""
    home, _ = lab
    control.ask(home, control.Start([tiny("processor-9", home)]))
    control.ask(home, control.Inject(1, "processor-9", "partition", Cut("everybody")))
    assert broken(home) == {("processor-9", broker) for broker in BROKERS}
    control.ask(home, control.Stop(["processor-9"]))
    control.ask(home, control.Start([tiny("processor-9", home)]))
    assert len(links(home)) == 18 and broken(home) == set()
    control.ask(home, control.Stop(["processor-9"]))
    assert len(links(home)) == 15


def test_only_nodes_with_a_network_are_cut(lab: Lab) -> None:
    """The probe lives on this host and the database in the hub: neither can be cut, and nothing is left of the try."""
    home, _ = lab
    control.ask(home, control.Start([tiny("probe", home), tiny("database", home)]))
    for name in ("probe", "database"):
        with pytest.raises(UsageError, match=f"{name} has no network of its own: cut one of broker-1, "):
            control.ask(home, control.Inject(1, name, "partition", Cut()))
    with pytest.raises(EnvironmentUnfit, match=r"disconnect: .*a partition from everybody"):
        control.ask(home, control.Inject(1, "broker-1", "disconnect"))
    assert not list((home / "undo").iterdir())
    assert network_of(pid_of(home, "probe")) == network_of(os.getpid())
    control.ask(home, control.Stop(["probe", "database"]))


def pid_of(home: Path, name: str) -> int:
    return next(node.pid for node in control.nodes(home) if node.name == name and node.pid)


def test_nodes_hold_no_capabilities(lab: Lab) -> None:
    """Where no root is needed, none is given: a node of an ordinary user's lab cannot lift its own cut."""
    if os.geteuid() == 0:
        pytest.skip("root's processes are root's")
    status = Path(f"/proc/{pid_of(lab[0], 'broker-1')}/status").read_text()
    assert "CapEff:\t0000000000000000" in status


# -- ends

DRIVER = """
import sys, time
from pathlib import Path
from factorylab.cluster import control
from factorylab.cluster.base import Cut
from tests.support.labs import bare_lab
from tests.support.peers import start_peers

home = Path(sys.argv[1])
bare_lab(home)
lease = control.Line(home, lease=True)
lease.receive()
start_peers(home)
if "keep" in sys.argv:
    control.ask(home, control.Keep())
control.ask(home, control.Inject(1, "broker-1", "partition", Cut("everybody")))
print("reached", flush=True)
time.sleep(600)
"""


@pytest.fixture
def cutter(can_isolate: None, home: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A driver in a process of its own, in mid-partition."""
    command = [sys.executable, "-c", DRIVER, str(home), *getattr(request, "param", ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=shell()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reached\n"
        yield process
        process.kill()


def test_a_killed_driver_leaves_no_network(cutter: subprocess.Popen[str], home: Path) -> None:
    """A driver SIGKILLed in mid-partition ends in no process, no forwarded port and no undo record."""
    ports = listening_of(home)
    assert len(ports) == 3
    kill(cutter)
    wait_nothing_left(home)
    assert all(bindable("127.0.0.1", port) for port in ports)
    assert not list((home / "undo").iterdir())


@pytest.mark.parametrize("cutter", [("keep",)], indirect=True, ids=["keep"])
def test_a_kept_lab_is_whole_again_when_its_driver_is_killed(cutter: subprocess.Popen[str], home: Path) -> None:
    """In a lab that stays, a driver's death lifts the cut."""
    assert {target for _, target in broken(home)} == set(BROKERS)
    kill(cutter)
    wait_until(lambda: not broken(home), what="all links to be whole", timeout_s=30)
    control.ask(home, control.Shutdown())


def test_a_killed_supervisor_takes_its_network_along(cutter: subprocess.Popen[str], home: Path) -> None:
    """SIGKILL of the supervisor in mid-partition leaves no process, no namespace of theirs and no forwarded port."""
    state = control.living_state(home)
    assert state is not None
    ports = listening_of(home)
    theirs = {network_of(child.pid) for child in state.children}
    assert len(theirs) == 5 and len(ports) == 3
    os.kill(state.supervisor.pid, signal.SIGKILL)
    kill(cutter)  # too late to heal anything
    wait_nothing_left(home)
    assert all(bindable("127.0.0.1", port) for port in ports)
    assert not theirs & {network_of(pid) for pid in psutil.pids()}


def network_of(pid: int) -> int:
    """The number of a process's network namespace; 0 where it is gone or not ours to see."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return 0


def listening_of(home: Path) -> list[int]:
    """The ports on this host of the lab in `home`, its forwarded ports."""
    start = start_of(home)
    return [port for port in range(start, start + 3) if not bindable("127.0.0.1", port)]
