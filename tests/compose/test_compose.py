"""The real thing on Docker: three Kafka brokers, PostgreSQL and workers in containers of one lab."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from factorylab.audit.judged import load
from factorylab.cluster import boot, control, manage, ready
from factorylab.cluster.base import Cut, Link, WorkerSpec
from factorylab.cluster.database_probe import answer_of
from factorylab.cluster.docker import engine, images, projects
from factorylab.cluster.docker.compose import ComposeCluster, project_of, resolve
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit, LabBusy, StartFailed
from factorylab.core.waiting import wait_until
from factorylab.execution.runner import perform
from factorylab.history import run_folders
from factorylab.history.journal import read_journal
from factorylab.history.saved_run import Run
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults import slow
from factorylab.scenarios.model import Fault, Scenario, Schedule, Workload
from tests.support.docker_labs import BROKERS, GONE_S, NODES, driver_at, of_project, wait_nothing_of, wait_status
from tests.support.labs import kill, wait_said

VICTIM = "broker-2"
SHORT = Schedule(warm_up_s=2, steady_s=4, after_s=4)


@pytest.fixture(scope="session")
def compose_settings(session_settings: Settings, labs_folder: Path) -> Settings:
    return session_settings.model_copy(update={"home": labs_folder / "on-docker", "backend": "compose"})


@pytest.fixture(scope="module")
def shared(compose_settings: Settings) -> Iterator[ComposeCluster]:
    """One lab for all tests of this file; each leaves it healed."""
    with ComposeCluster.up(compose_settings) as lab:
        yield lab
    assert of_project(compose_settings.home) == []


@pytest.fixture
def lab(shared: ComposeCluster) -> Iterator[ComposeCluster]:
    """The shared lab, healed by whoever used it."""
    yield shared
    assert shared.heal() == []


def inspected(lab: ComposeCluster, name: str) -> dict[str, object]:
    """The engine's own word on a node's container."""
    mine = [f"{projects.PROJECT_LABEL}={project_of(lab.home)}", f"{projects.SERVICE_LABEL}={name}"]
    with closing(engine.connect()) as client:
        (found,) = client.api.containers(all=True, filters={"label": mine})
        seen: dict[str, object] = client.api.inspect_container(found["Id"])
        return seen


def state_of(lab: ComposeCluster, name: str) -> str:
    return str(inspected(lab, name)["State"]["Status"])  # type: ignore[index]


def broken(links: list[Link]) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in links if not link.ok}


def whole(lab: ComposeCluster) -> None:
    """Wait until every broker knows all, and everybody reaches everybody."""
    ready.wait_ready(lab.home, lab.endpoints)
    wait_until(
        lambda: len(links := lab.reach()) >= 9 and not broken(links),
        what="all links to be open",
        timeout_s=60,
        last_seen=lambda: str(broken(lab.reach())),
    )


# -- what a lab is


def test_nodes_are_containers_of_this_kernel(lab: ComposeCluster) -> None:
    """Each node's process id is one of this host, of the program itself, in a control group of Docker's. Over 10 s: the
    first to ask for the lab waits for its start."""
    nodes = {node.name: node for node in lab.nodes()}
    assert sorted(nodes) == NODES
    for name, node in nodes.items():
        assert node.pid is not None and lab.status(name) == "running"
        assert "docker" in Path(f"/proc/{node.pid}/cgroup").read_text()
        assert psutil.Process(node.pid).name() == ("postgres" if name == "database" else "java")
    assert [seen.status for seen in manage.look(lab.home)] == ["running"] * 4
    assert [ready.members_seen_by(lab.endpoints.broker(number)) for number in (1, 2, 3)] == [3, 3, 3]


@pytest.mark.parametrize("name", NODES)
def test_a_container_has_little_to_misuse(lab: ComposeCluster, name: str) -> None:
    """No root, no capability, a read-only file system, no restart by the engine, and ports on loopback only."""
    seen = inspected(lab, name)
    host, ports = seen["HostConfig"], seen["NetworkSettings"]["Ports"]  # type: ignore[index]
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and host["ReadonlyRootfs"]  # type: ignore[index]
    assert host["RestartPolicy"]["Name"] in {"", "no"}  # type: ignore[index]
    assert {p["HostIp"] for published in ports.values() for p in published or []} == {"127.0.0.1"}
    node = next(node for node in lab.nodes() if node.name == name)
    assert psutil.Process(node.pid).uids().effective != 0


def test_the_folder_tells_no_stranger_the_password(lab: ComposeCluster) -> None:
    """What holds the password is readable by its owner only."""
    for name in (boot.ENDPOINTS, "compose.env"):
        assert (lab.home / name).stat().st_mode & 0o077 == 0


def test_only_one_driver_and_one_backend(lab: ComposeCluster, compose_settings: Settings) -> None:
    """A second driver of the same lab is refused."""
    with pytest.raises(LabBusy, match=f"process {os.getpid()}"):
        ComposeCluster.up(compose_settings)


def test_workers_of_other_code_are_refused() -> None:
    """An application image that does not hold this checkout's code is refused, naming a file that differs."""
    client = engine.connect()
    composed = resolve("test", {"FACTORYLAB_DATABASE_PASSWORD": "unused", **images.chosen()})
    name = composed.images["workers"]
    images.check_code(client, name)
    changed = f"FROM {name}\nUSER 0\nRUN echo >>/app/factorylab/core/messages.py\n"
    built, _ = client.images.build(fileobj=io.BytesIO(changed.encode()), rm=True)
    try:
        with pytest.raises(EnvironmentUnfit, match=r"1 files differ, the first is factorylab/core/messages\.py"):
            images.check_code(client, built.id)
    finally:
        client.images.remove(built.id)


# -- faults

SHOWS: dict[KindName, str] = {"kill": "dead", "terminate": "dead", "pause": "paused"}


@pytest.mark.parametrize("action", SHOWS)
@pytest.mark.parametrize("name", [VICTIM, "database"])
def test_a_broken_node_is_seen_and_heals(lab: ComposeCluster, name: str, action: KindName) -> None:
    """The kernel shows each fault, the engine agrees, and healing says what it did and ends in a whole lab. Over 10 s:
    a broker starts again and joins."""
    lab.inject(9, name, action)
    wait_status(lab, name, SHOWS[action])
    told = "paused" if action == "pause" else "exited"
    wait_until(lambda: state_of(lab, name) == told, what=f"the engine to call {name} {told}", timeout_s=20)
    assert lab.heal(9) == [f"{'resumed' if action == 'pause' else 'started'} {name}"]
    assert lab.status(name) == "running"
    whole(lab)


def test_a_slow_container_is_limited_by_the_kernel(lab: ComposeCluster) -> None:
    """The kernel has the limit while it holds, also once the node runs anew, and none after its healing."""
    lab.inject(8, VICTIM, "slow")
    before = lab.look(VICTIM)
    lab.inject(9, VICTIM, "restart")
    after = lab.look(VICTIM)
    assert (before.cpu_limit, after.cpu_limit, after.status) == (slow.SHARE, slow.SHARE, "running")
    assert before.pid != after.pid
    assert (lab.heal(9), lab.heal(8)) == ([], [f"gave {VICTIM} its CPU back"])
    assert lab.look(VICTIM).cpu_limit is None
    whole(lab)


def test_a_database_that_refuses_connections_lives(lab: ComposeCluster) -> None:
    """A refusal shows to whoever connects while the container runs on, and is lifted."""
    url = lab.endpoints.database_url
    lab.inject(9, "database", "refuse")
    assert (lab.status("database"), answer_of(url)) == ("running", "refused")
    assert lab.heal(9) == ["lifted the refusal of connections"]
    assert answer_of(url) == "ok"


def test_pausing_and_healing_twice_is_nothing_new(lab: ComposeCluster) -> None:
    """A second pause of a paused node, and a second heal, change nothing and raise nothing."""
    lab.inject(1, VICTIM, "pause")
    lab.inject(2, VICTIM, "pause")
    assert lab.status(VICTIM) == "paused"
    assert lab.heal() == [f"resumed {VICTIM}"]
    assert lab.heal(1) == lab.heal(2) == lab.heal() == []


def others(name: str) -> set[tuple[str, str]]:
    """The links between a broker and the other brokers, both ways."""
    peers = [broker for broker in BROKERS if broker != name]
    return {(name, peer) for peer in peers} | {(peer, name) for peer in peers}


CUTS = {
    "from the brokers": (Cut("brokers"), others(VICTIM)),
    "from everybody": (Cut("everybody"), others(VICTIM) | {("host", VICTIM)}),
    "from the brokers, in": (Cut("brokers", "in"), others(VICTIM)),
    "from everybody, out": (Cut("everybody", "out"), others(VICTIM) | {("host", VICTIM)}),
}


@pytest.mark.parametrize("which", CUTS)
def test_a_partition_breaks_its_own_links_and_no_others(lab: ComposeCluster, which: str) -> None:
    """The matrix of connections, tried inside each container and from this host, shows the cut and its end."""
    whole(lab)
    cut, expected = CUTS[which]
    lab.inject(5, VICTIM, "partition", cut)
    assert broken(lab.reach()) == expected
    assert lab.status(VICTIM) == "running"
    assert lab.heal(5) == [f"lifted the cut of {VICTIM}"]
    assert broken(lab.reach()) == set()


def test_a_broker_that_comes_back_is_still_cut(lab: ComposeCluster) -> None:
    """Healing a kill while a partition of the same node holds starts it without lifting the cut. Over 10 s: a
    container's broker starts again."""
    lab.inject(5, VICTIM, "partition", Cut("everybody"))
    lab.inject(6, VICTIM, "kill")
    wait_status(lab, VICTIM, "dead")
    assert lab.heal(6) == [f"started {VICTIM}"]
    assert ("host", VICTIM) in broken(lab.reach())
    assert lab.heal(5) == [f"lifted the cut of {VICTIM}"]
    whole(lab)


def test_a_disconnected_broker_comes_back_as_it_was(lab: ComposeCluster) -> None:
    """It keeps its address, its names and its published port."""

    def place() -> tuple[object, ...]:
        seen = inspected(lab, VICTIM)["NetworkSettings"]
        (network,) = seen["Networks"].values()  # type: ignore[index]
        return network["IPAddress"], set(network["Aliases"]), seen["Ports"]["9094/tcp"]  # type: ignore[index]

    before = place()
    lab.inject(7, VICTIM, "disconnect")
    assert broken(lab.reach()) == others(VICTIM) | {("host", VICTIM)}
    assert lab.heal(7) == [f"reconnected {VICTIM}"]
    assert place() == before
    whole(lab)


# -- workers


def fleet(lab: ComposeCluster, folder: Path, name: str = "fleet-0", **variables: str) -> WorkerSpec:
    """A fleet of a few sensors that journals into `folder`."""
    env = {"BOOTSTRAP": lab.worker_endpoints.bootstrap, "WORKER": name, "RATE": "200", "SENSORS": "9"}
    env |= {"SENSOR_TOPIC": "compose-test", "JOURNAL_DIR": str(folder)} | variables
    given = {f"FACTORYLAB_{key}": value for key, value in env.items()}
    return WorkerSpec(name, "fleet", "factorylab.factory.fleet", given, folder / f"{name}.log", 20, (folder,))


@pytest.fixture
def journals(lab: ComposeCluster, labs_folder: Path) -> Path:
    """A folder for journals, and a topic."""
    from factorylab.cluster.admin import Admin
    from factorylab.scenarios.model import Topology

    folder = labs_folder / "journals"
    folder.mkdir(exist_ok=True)
    admin = Admin(lab.endpoints.bootstrap)
    admin.create_topics(["compose-test"], Topology())
    admin.close()
    return folder


def test_a_journal_survives_the_kill_of_its_container(lab: ComposeCluster, journals: Path) -> None:
    """What a worker had written down is there after SIGKILL; started again, it goes on in the same file."""
    lab.start([fleet(lab, journals)])
    wait_said(journals / "fleet-0.log", '"ready"')
    assert ("fleet-0", "broker-1") not in broken(links := lab.reach()) and any(x.source == "fleet-0" for x in links)
    lab.inject(8, "fleet-0", "kill")
    wait_status(lab, "fleet-0", "dead")
    wait_until(lambda: lab.exit_code("fleet-0") == -signal.SIGKILL, what="its exit code", timeout_s=20)
    before = read_journal(journals, "fleet-0")
    assert before and (journals / "fleet-0.sends.bin").stat().st_size > 0
    lab.heal(8)
    wait_until(lambda: len(read_journal(journals, "fleet-0")) > len(before), what="a second life", timeout_s=60)
    assert lab.stop(["fleet-0"]) == {"fleet-0": 0}


def test_a_consumers_own_cut_spares_the_others(lab: ComposeCluster, journals: Path) -> None:
    """A worker that is cut from the brokers reaches none of them, and nothing else changes."""
    lab.start([fleet(lab, journals, "fleet-1")])
    lab.inject(5, "fleet-1", "partition", Cut("brokers"))
    assert broken(lab.reach()) == {("fleet-1", broker) for broker in BROKERS}
    lab.heal(5)
    assert broken(lab.reach()) == set()
    lab.stop(["fleet-1"])


def test_a_worker_that_ends_at_once_says_why(lab: ComposeCluster, journals: Path) -> None:
    """A start that is watched fails where a configuration is refused, with the container's last words."""
    with pytest.raises(StartFailed, match="FACTORYLAB_RATE"):
        control.ask(lab.home, control.Start([lab.child(fleet(lab, journals, "fleet-2", RATE="never"))], watch_s=60))


def test_workers_write_as_nobody_special(lab: ComposeCluster, journals: Path) -> None:
    """A worker's container runs without root and without capabilities, as the owner of the folder it writes to."""
    lab.start([fleet(lab, journals, "fleet-3")])
    wait_said(journals / "fleet-3.log", '"ready"')
    node = next(node for node in lab.nodes() if node.name == "fleet-3")
    status = Path(f"/proc/{node.pid}/status").read_text()
    assert psutil.Process(node.pid).uids().effective == journals.stat().st_uid != 0
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    lab.stop(["fleet-3"])


# -- whole runs


def made(wanted: Scenario, lab: ComposeCluster, settings: Settings) -> Run:
    folder = run_folders.create(settings.results, wanted)
    perform(wanted, folder, lab, settings.home, print)
    return load(folder.path)


def test_a_healthy_run_passes(lab: ComposeCluster, compose_settings: Settings) -> None:
    """A run without a fault on containers is whole: every reading stored, and the brokers' logs kept. Over 10 s: a
    whole run."""
    wanted = Scenario(name="baseline", workload=Workload(rate_per_s=500, sensors=30), schedule=SHORT)
    run = made(wanted, lab, compose_settings)
    assert (run.verdict.verdict, run.verdict.backend) == ("PASS", "compose")
    assert {f"{name}.log" for name in NODES} <= {path.name for path in run.folder.logs.iterdir()}


def test_a_killed_leader_costs_no_reading(lab: ComposeCluster, compose_settings: Settings) -> None:
    """SIGKILL of the container of a partition's leader: nothing acknowledged is lost, and the kill was seen. Over 10 s:
    a whole run, with a dead broker's session in it."""
    fault = Fault(kind="kill", target="leader:0", hold_s=12)
    wanted = Scenario(
        name="broker_loss", workload=Workload(rate_per_s=500, sensors=30), schedule=SHORT, faults=(fault,)
    )
    run = made(wanted, lab, compose_settings)
    assert run.verdict.verdict == "PASS", run.verdict.fired


# -- what must never be left


@pytest.fixture
def own_home(labs_folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of a lab of one test, which fails when the engine, or this host, holds anything of it afterwards."""
    home = labs_folder / f"docker-{request.node.name[-12:].strip('[]')}"
    yield home
    try:
        wait_nothing_of(home)
    finally:
        manage.down(home, force=True)


@pytest.mark.parametrize("step", ["starting", "up", "killed"])
def test_a_killed_driver_leaves_nothing(own_home: Path, step: str) -> None:
    """SIGKILL of the driver while the lab starts, when it is up, and with four faults held: within 30 s nothing of it
    is left, neither container nor network nor volume nor process. Over 10 s: a lab of its own starts and ends."""
    kill(driver_at(own_home, step))
    wait_nothing_of(own_home)


def test_a_kept_lab_is_whole_after_its_driver_was_killed(own_home: Path, compose_settings: Settings) -> None:
    """SIGKILL of the driver of a lab that is to stay, with four faults held: within 30 s nothing is paused, filtered,
    disconnected or dead, and another driver can take it. Over 10 s: a lab of its own, whose nodes start again."""
    process = driver_at(own_home, "killed", "keep")
    kill(process)
    wait_until(
        lambda: (
            [seen.status for seen in manage.look(own_home)] == ["running"] * 4 and not list(own_home.glob("undo/*"))
        ),
        what="all four to run, healed",
        timeout_s=GONE_S,
        last_seen=lambda: str(manage.look(own_home)),
    )
    with ComposeCluster.up(compose_settings.model_copy(update={"home": own_home})) as next_driver:
        assert next_driver.was_up
        whole(next_driver)
    assert manage.down(own_home) == NODES


@pytest.mark.parametrize("guarded", [True, False], ids=["guard", "down"])
def test_containers_do_not_outlive_their_supervisor(own_home: Path, compose_settings: Settings, guarded: bool) -> None:
    """SIGKILL of the supervisor while a broker is paused and one is cut: its guard ends the containers; and where the
    guard was killed first, 'down' does, and says what. Over 10 s: a lab of its own starts and ends."""
    lab = ComposeCluster.up(compose_settings.model_copy(update={"home": own_home}))
    lab.inject(1, "broker-1", "pause")
    lab.inject(2, VICTIM, "partition", Cut("everybody"))
    state = control.living_state(own_home)
    assert state is not None
    supervisor = psutil.Process(state.supervisor.pid)
    if not guarded:
        next(child for child in supervisor.children() if child.cmdline() == supervisor.cmdline()).kill()
    supervisor.kill()
    wait_until(lambda: control.living_state(own_home) is None, what="the supervisor's end", timeout_s=20)
    lab.close()
    if guarded:
        wait_nothing_of(own_home)
    else:
        assert len(of_project(own_home)) > 4
        assert set(NODES) <= set(manage.down(own_home))


def test_an_engine_that_goes_away_is_an_error_not_a_hang(
    own_home: Path, compose_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When the engine stops answering in mid-run, what is asked of it fails with the reason and the way out. Over 10 s:
    a lab of its own, and a question that the engine is given time for."""
    from tests.support.forwarder import Forwarder

    with Forwarder(tmp_path / "engine.sock", engine.knock().removeprefix("unix://")) as engine_of_test:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{engine_of_test.path}")
        lab = ComposeCluster.up(compose_settings.model_copy(update={"home": own_home}))
        engine_of_test.close()
        with pytest.raises(EnvironmentUnfit, match=r"engine does not answer.*factorylab down"):
            lab.inject(1, VICTIM, "pause")
        with pytest.raises(EnvironmentUnfit, match="does not answer"):
            lab.heal()
        lab.close()
        assert control.living_state(own_home) is None
        with pytest.raises(EnvironmentUnfit, match="Docker engine"):
            manage.down(own_home)
    monkeypatch.delenv("DOCKER_HOST")
    assert set(NODES) <= set(manage.down(own_home))
