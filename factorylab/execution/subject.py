"""The program under test, as the run starts it: what it is told, and what is refused before anything starts.

It is told by its environment where Kafka and the database are, and reads the same of Kafka in a .properties file. It
has the user's own environment besides, without what is meant for the lab. No password stands in its arguments.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from javaproperties import dumps

from factorylab.cluster.settings import load_settings, project_folder
from factorylab.core import messages
from factorylab.core.errors import UsageError
from factorylab.core.files import write_secret
from factorylab.core.libpq import plain
from factorylab.core.names import Names
from factorylab.core.secret_text import SHOWN, is_secret
from factorylab.core.sources import PREFIX
from factorylab.core.templates import PLACE
from factorylab.factory.config import ProcessorConfig
from factorylab.scenarios.model import Clients
from factorylab.scenarios.references import resolved
from factorylab.scenarios.subject import INSTANCE, RUN, Subject


def schema_of(names: Names) -> str:
    """The schema of PostgreSQL that is the program's own; the run's holds what the lab writes."""
    return f"{names.schema}_subject"


def output_topic(names: Names) -> str:
    """The topic that a program writes into whose output is one."""
    prefix, word, run = names.sensors.rpartition(messages.SENSOR_TOPIC)
    return f"{prefix}output-{word}{run}"


def arguments(subject: Subject) -> tuple[str, ...]:
    """Its command as this machine has it."""
    places = {
        "{python}": sys.executable,
        "{checkout}": str(project_folder(Path.cwd())),
        "{jars}": str(load_settings().cache / "jars"),
    }
    found = list(subject.command)
    for word, place in places.items():
        found = [argument.replace(word, place) for argument in found]
    return tuple(found)


def check_command(subject: Subject) -> None:
    """Refuse a command that names no program, before anything starts.

    Raises:
        UsageError: naming it and where it was looked for.
    """
    name = arguments(subject)[0]
    if shutil.which(name) is None:
        where = f"in {Path.cwd()}" if os.sep in name else "on PATH"
        raise UsageError(f"the program {name!r} is not {where}, or cannot be executed: give a path, or mend PATH")


def files_of(subject: Subject, names: Names, workers: Sequence[str]) -> dict[str, Path]:
    """Where each instance writes its lines; empty where the output is no file."""
    if subject.file is None:
        return {}
    run = names.sensors.rpartition(messages.SENSOR_TOPIC)[2].lstrip("-")
    return {worker: _path(subject.file, {RUN: run, INSTANCE: worker.rpartition("-")[2]}) for worker in workers}


def _path(template: str, values: Mapping[str, str]) -> Path:
    return Path(PLACE.sub(lambda place: values[place[1]], template)).absolute()


def check_files(files: Iterable[Path]) -> None:
    """Refuse files that hold something already: it would be judged as this run's output.

    Raises:
        UsageError: naming one.
    """
    for path in files:
        if path.exists() and (not path.is_file() or path.stat().st_size):
            raise UsageError(
                f"the output {path} is there already, and would be judged as this run's: move it away, or write "
                "{run} into its path"
            )


def database_url(url: str, schema: str) -> str:
    """The same address, with `schema` as the one in which names without one are looked up; libpq's form."""
    option = quote(f"-csearch_path={schema}", safe="")
    return f"{plain(url)}{'&' if '?' in url else '?'}options={option}"


def hide_secrets(log: Path, url: str, login: Mapping[str, str]) -> None:
    """Mask the password of `url`, and the secrets of `login`, in what a program printed: addresses and settings are
    things that programs like to print."""
    password = urlsplit(plain(url)).password or ""
    found = {password, unquote(password), *(value for name, value in login.items() if is_secret(name))} - {""}
    if found and log.exists():
        said = log.read_bytes()
        for form in found:
            said = said.replace(form.encode(), SHOWN.encode())
        log.write_bytes(said)


def write_properties(config: ProcessorConfig, clients: Clients, folder: Path, login: Mapping[str, str]) -> Path:
    """The consumer's settings of one instance, in names that librdkafka and Java share, readable by its owner alone.
    `login`: what brokers that are not the lab's own ask for, in librdkafka's names."""
    wanted = {
        **login,
        "bootstrap.servers": config.bootstrap,
        "group.id": config.group,
        "client.id": config.worker,
        **_of_the_group(clients, config.worker),
        **resolved(dict(clients.consumer), "clients.consumer"),
    }
    path = folder / f"{config.worker}.properties"
    lines = dumps(wanted, timestamp=None)
    write_secret(path, lines.replace("\\:", ":").replace("\\=", "="))  # an escape that Java needs in keys alone
    return path


def _of_the_group(clients: Clients, worker: str) -> dict[str, str]:
    """What the scenario says of sessions and members; what it does not is the program's own affair."""
    found = {"group.protocol": "consumer"} if clients.protocol == "consumer" else {}
    if clients.session_timeout_s:
        found["session.timeout.ms"] = str(int(clients.session_timeout_s * 1000))
    return found | ({"group.instance.id": worker} if clients.static_members else {})


def environment(config: ProcessorConfig, subject: Subject, names: Names, properties: Path) -> dict[str, str]:
    """All variables of one instance."""
    found = {
        "KAFKA_BOOTSTRAP": config.bootstrap,
        "KAFKA_TOPIC": config.sensor_topic,
        "KAFKA_GROUP": config.group,
        "KAFKA_CLIENT_ID": config.worker,
        "KAFKA_PROPERTIES": str(properties),
        "DATABASE_URL": database_url(config.database_url.get_secret_value(), schema_of(names)),
    }
    if subject.output == "topic":
        found["KAFKA_OUTPUT_TOPIC"] = output_topic(names)
    for file in files_of(subject, names, [config.worker]).values():
        found["OUTPUT_FILE"] = str(file)
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | found
