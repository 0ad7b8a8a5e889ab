"""Trouble with a real engine: frozen, gone, and containers that do not come up. Nothing may hang, and nothing may
be left."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from factorylab.audit.judged import load
from factorylab.cluster import control, leftovers, manage
from factorylab.cluster.docker import engine, images
from factorylab.cluster.docker.compose import ComposeCluster, resolve
from factorylab.cluster.docker.creation import FILE
from factorylab.cluster.settings import Settings
from factorylab.core import environment
from factorylab.core.errors import EnvironmentUnfit, PortTaken, StartFailed
from factorylab.core.files import last_lines
from factorylab.core.waiting import wait_until
from factorylab.execution.runner import perform
from factorylab.history import run_folders
from factorylab.scenarios.model import Scenario, Schedule, Workload
from tests.support.docker_labs import NODES, driver_at, of_project, wait_nothing_of
from tests.support.forwarder import Forwarder
from tests.support.labs import kill

INVALID_WITHIN_S = 120  # after the engine's last answer; each question waits engine.ANSWER_S


@pytest.fixture
def settings(labs_folder: Path, session_settings: Settings, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Of a lab of one test's own, of which nothing may be left afterwards."""
    home = labs_folder / f"trouble-{request.node.name[-14:].strip('[]')}"
    yield session_settings.model_copy(update={"home": home, "backend": "compose"})
    try:
        wait_nothing_of(home)
    finally:
        manage.down(home, force=True)


@pytest.fixture
def between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forwarder]:
    """What stands between the lab and the engine."""
    with Forwarder(tmp_path / "engine.sock", engine.knock().removeprefix("unix://")) as forwarder:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{forwarder.path}")
        yield forwarder
        monkeypatch.undo()  # what looks for remains asks the engine itself


# -- the engine


def test_a_run_whose_engine_freezes_is_invalid(settings: Settings, between: Forwarder) -> None:
    """An engine that freezes in the steady state makes the run INVALID with that reason, in bounded time; what it left
    is ended as soon as the engine is back, without anybody's doing. Over 10 s: each question to the frozen engine is
    given its time."""
    wanted = Scenario(
        name="engine_gone", workload=Workload(rate_per_s=200, sensors=9),
        schedule=Schedule(warm_up_s=2, steady_s=4, after_s=4),
    )  # fmt: skip
    since: list[float] = []

    def say(text: str) -> None:
        print(text)
        if text.startswith("steady"):
            between.freeze()
            since.append(time.monotonic())

    lab = ComposeCluster.up(settings)
    folder = run_folders.create(settings.results, wanted)
    perform(wanted, folder, lab, settings.home, say)
    lab.close()
    assert time.monotonic() - since[0] < INVALID_WITHIN_S
    verdict = load(folder.path).verdict
    (reason,) = (check.measured for check in verdict.checks if check.name == "no_problems")
    assert (verdict.verdict, "the Docker engine" in reason) == ("INVALID", True), reason
    assert control.living_state(settings.home) is None and leftovers.left(settings.home)
    between.come_back()
    wait_nothing_of(settings.home)


def test_what_a_driver_left_is_healed_when_the_engine_is_back(settings: Settings, between: Forwarder) -> None:
    """The driver of a kept lab is killed with four faults held while the engine does not answer: as soon as it does,
    all is healed. Over 10 s: a lab of its own, and questions that the engine is given time for."""
    process = driver_at(settings.home, "killed", "keep")
    between.freeze()
    kill(process)
    wait_until(lambda: manage.driver_of(settings.home) is None, what="the driver's end", timeout_s=20)
    with pytest.raises(EnvironmentUnfit, match="does not answer"):
        manage.heal(settings.home)
    between.come_back()
    wait_until(
        lambda: (
            [seen.status for seen in manage.look(settings.home)] == ["running"] * 4
            and not list(settings.home.glob("undo/*"))
        ),
        what="all four to run, healed",
        timeout_s=60,
        last_seen=lambda: f"{manage.look(settings.home)} {last_lines(settings.home / 'logs' / 'supervisor.log')}",
    )
    assert manage.down(settings.home) == NODES


def test_ending_a_lab_without_its_engine_is_no_success(settings: Settings, between: Forwarder) -> None:
    """`down` while the engine does not answer says that containers may be left, and a later one ends them. Over 10 s: a
    lab of its own, and questions that the engine is given time for."""
    ComposeCluster.up(settings).close(keep=True)
    between.freeze()
    with pytest.raises(EnvironmentUnfit, match="does not answer"):
        manage.down(settings.home)
    between.come_back()
    wait_nothing_of(settings.home)


# -- what does not come up


def test_a_broker_that_dies_while_starting_says_its_last_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that ends during `up` is named with its exit code and the end of its log, long before the deadline
    for being ready, and nothing of the lab is left."""
    client = engine.connect()
    composed = resolve("test", {"FACTORYLAB_DATABASE_PASSWORD": "unused", **images.chosen()})
    recipe = f'FROM {composed.images["brokers"]}\nENTRYPOINT ["sh", "-c", "echo the disk is on fire; exit 7"]\n'
    built, _ = client.images.build(fileobj=io.BytesIO(recipe.encode()), rm=True)
    monkeypatch.setenv("KAFKA_IMAGE", built.id)
    try:
        begun = time.monotonic()
        with pytest.raises(StartFailed, match=r"broker-\d ended with exit code 7 .*:\nthe disk is on fire"):
            ComposeCluster.up(settings)
        assert time.monotonic() - begun < 45
    finally:
        wait_nothing_of(settings.home)
        client.images.remove(built.id, force=True)


def test_an_image_that_is_nowhere_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that is not here and cannot be pulled ends `up` with its name and two ways out."""
    monkeypatch.setenv("KAFKA_IMAGE", "registry.invalid/kafka:0")
    with pytest.raises(EnvironmentUnfit, match=r"registry\.invalid/kafka:0 .*\.ci/images.*--backend local"):
        ComposeCluster.up(settings)


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    """A port that was asked for and is in use is named with who listens there, before any container is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} is taken by \S+, process {os.getpid()}"):
            ComposeCluster.up(settings.model_copy(update={"port_base": port}))
    assert of_project(settings.home) == []


def test_a_project_that_nobody_owns_is_cleared(settings: Settings) -> None:
    """Containers of a lab whose folder was deleted under its killed supervisor go when a lab starts there again, which
    says so. Over 10 s: two labs start one after the other."""
    ComposeCluster.up(settings).close(keep=True)
    state = control.living_state(settings.home)
    assert state is not None
    supervisor = psutil.Process(state.supervisor.pid)
    next(child for child in supervisor.children() if child.cmdline() == supervisor.cmdline()).kill()
    supervisor.kill()
    wait_until(lambda: control.living_state(settings.home) is None, what="the supervisor's end", timeout_s=20)
    shutil.rmtree(settings.home)
    said: list[str] = []
    with ComposeCluster.up(settings, progress=lambda what, done, total: said.append(what)) as lab:
        assert not lab.was_up
    (cleaned,) = (text for text in said if "cleaned up after a lab that had died" in text)
    assert all(name in cleaned for name in NODES)


def test_the_file_wants_a_password_and_nothing_else(tmp_path: Path) -> None:
    """Without .env the file is refused naming the one value that is missing and where it is explained; with it alone
    everything resolves, and each published port is on loopback."""
    words = ["docker", "compose", "--file", str(FILE), "--env-file", os.devnull, "--profile", "*", "config", "--format"]

    def config(**given: str) -> subprocess.CompletedProcess[str]:
        env = environment.docker() | given
        return subprocess.run([*words, "json"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    bare = config()
    assert bare.returncode == 1 and "FACTORYLAB_DATABASE_PASSWORD is missing a value: see .env.example" in bare.stderr
    services = json.loads(config(FACTORYLAB_DATABASE_PASSWORD="x").stdout)["services"]
    assert {port["host_ip"] for service in services.values() for port in service.get("ports", [])} == {"127.0.0.1"}
    assert len(services) == 11
