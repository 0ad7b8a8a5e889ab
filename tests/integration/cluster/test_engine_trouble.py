"""What a person reads when the Docker engine is not as it should be: one message with the way out, in bounded time.

No engine is needed: programs that are mistaken for one, or for its command line, stand in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from factorylab.cluster.docker import compose, engine
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit
from tests.support.fake_engine import FakeEngine, answer, version
from tests.support.labs import shell

COMMAND = [sys.executable, "-c", "from factorylab.cli.main import main; main()"]
PATIENCE_S = 0.5
TROUBLES = {
    "silent": (
        b"",
        r"accepts connections and does not answer as one \(no answer in time; it had 0.5 s\): .*restart it",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer as one"),
    "ill": (answer(500, {"message": "out of file descriptors"}), r"does not answer as one \(out of file descriptors;"),
    "old": (version("19.03.15", "1.40"), "is 19.03.15, and the lab needs 20.10 or newer: update it"),
    "very old": (version("1.8.3", "1.20"), "is 1.8.3, and the lab needs 20.10 or newer: update it"),
}


@pytest.fixture
def socket_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engine is looked for."""
    path = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_engine_that_is_none_is_refused_in_time(socket_path: Path, trouble: str) -> None:
    """One that keeps silent, is something else, is ill or too old is refused with its name and the way out, within the
    time that it is given for one answer."""
    reply, told = TROUBLES[trouble]
    begun = time.monotonic()
    with FakeEngine(socket_path, reply), pytest.raises(EnvironmentUnfit, match=f"{told}.*{engine.INSTEAD}$"):
        engine.connect(PATIENCE_S)
    assert time.monotonic() - begun < PATIENCE_S + 2


def test_the_command_line_says_it_in_one_line(tmp_path: Path, socket_path: Path) -> None:
    """`up` without a usable engine ends with exit code 5 and one line; nothing is started, and only a lock is left."""
    home = tmp_path / "lab"
    env = shell() | {"FACTORYLAB_HOME": str(home)}
    with FakeEngine(socket_path, version("19.03.15", "1.40")):
        done = subprocess.run(
            [*COMMAND, "up", "--backend", "compose"], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith("error: the Docker engine is 19.03.15")) == (5, True), line
    assert [path.name for path in home.iterdir()] == ["lock"]


def test_a_silent_engine_does_not_keep_the_automatic_choice(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` gives an engine that keeps silent up after its time, and says why it is not taken."""
    monkeypatch.setattr(compose, "CHECK_S", PATIENCE_S)
    with FakeEngine(socket_path, b""):
        begun = time.monotonic()
        assert "no answer in time; it had 0.5 s" in compose.ComposeCluster.why_not(load_settings())
    assert time.monotonic() - begun < 5


def test_a_version_without_numbers_is_no_old_one(socket_path: Path) -> None:
    """An engine that somebody built himself may call its version `dev`: it is used."""
    with FakeEngine(socket_path, version("dev")):
        engine.connect(5).close()


# What the command line of Docker says (20.10, 28 and 29) where a plugin, or an option of it, is missing.
SAYS = {
    "unknown flag: --project-name\nSee 'docker --help'.": r"no plugin 'compose': install docker-compose-plugin",
    "docker: 'compose' is not a docker command.\nSee 'docker --help'": r"no plugin 'compose'",
    "docker: unknown command: docker compose\n\nRun 'docker --help' for more information": r"no plugin 'compose'",
    "unknown flag: --progress": r"plugin 'compose' is too old \(unknown flag: --progress\): update it",
}


@pytest.fixture
def path_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def a_docker(folder: Path, body: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!{sys.executable}\n{body}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("said", SAYS)
def test_a_missing_or_old_compose_plugin_is_named(path_of: Path, said: str) -> None:
    """Where Docker's command line lacks the plugin, or has an old one, that is said with what to install."""
    a_docker(path_of, f"import sys; sys.exit({said!r})")
    with pytest.raises(EnvironmentUnfit, match=f"{SAYS[said]}.*--backend local"):
        compose.resolve("any", {})


def test_a_missing_command_line_is_named(path_of: Path) -> None:
    """An engine without the command `docker` is not enough, and that is said."""
    assert not list(path_of.iterdir())
    with pytest.raises(EnvironmentUnfit, match=r"there is no command 'docker': install .*--backend local"):
        compose.resolve("any", {})


def test_a_command_line_that_hangs_is_given_up(path_of: Path) -> None:
    """`docker` waiting for an engine that does not answer is ended in time."""
    a_docker(path_of, "import time; time.sleep(60)")
    with pytest.raises(EnvironmentUnfit, match=r"'docker compose' took longer than 0.3 s: .*--backend local"):
        engine.command("compose", env=dict(os.environ), timeout_s=0.3)
