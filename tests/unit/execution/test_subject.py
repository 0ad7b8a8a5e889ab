"""What a program under test is told, and what is refused before anything starts."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import javaproperties
import pytest
from pydantic import SecretStr

from factorylab.cluster.family import mark_of
from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.core.names import Names
from factorylab.execution.perform import where_it_runs
from factorylab.execution.subject import (
    arguments,
    check_command,
    database_url,
    environment,
    files_of,
    hide_secrets,
    output_topic,
    write_properties,
)
from factorylab.factory.config import ProcessorConfig
from factorylab.scenarios.model import Clients, Scenario, scenario_from
from factorylab.scenarios.subject import Subject

NAMES = Names.of("1f2e3d")
URL = "postgresql://lab:s3cr3t@127.0.0.1:5432/factory"


def instance() -> ProcessorConfig:
    return ProcessorConfig(
        bootstrap="127.0.0.1:1,127.0.0.1:2",
        database_url=SecretStr(URL),
        sensor_topic=NAMES.sensors,
        group=NAMES.group,
        worker="processor-0",
    )


def of(*command: str, **more: object) -> Scenario:
    return scenario_from({"name": "mine", "subject": {"command": [*command], **more}}, "test")


def test_it_is_told_where_everything_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers, topic, group and a database with a schema of its own, beside the user's variables without the lab's."""
    monkeypatch.setenv("FACTORYLAB_READER_PASSWORD", "not for it")
    monkeypatch.setenv("MY_SETTING", "7")
    found = environment(instance(), Subject(command=("mine",)), NAMES, Path("my.properties"))
    assert (found["KAFKA_BOOTSTRAP"], found["KAFKA_TOPIC"]) == ("127.0.0.1:1,127.0.0.1:2", "sensor-data-1f2e3d")
    assert (found["KAFKA_GROUP"], found["KAFKA_CLIENT_ID"]) == ("sensor-processors-1f2e3d", "processor-0")
    assert found["DATABASE_URL"] == f"{URL}?options=-csearch_path%3Drun_1f2e3d_subject"
    assert (found["KAFKA_PROPERTIES"], found["MY_SETTING"]) == ("my.properties", "7")
    assert not [name for name in found if name.startswith("FACTORYLAB_")] and "KAFKA_OUTPUT_TOPIC" not in found


def test_a_topic_of_its_own_is_named_where_it_writes_one() -> None:
    """The variable is there only where the lab reads the topic."""
    found = environment(instance(), Subject(command=("mine",), output="topic"), NAMES, Path("my.properties"))
    assert found["KAFKA_OUTPUT_TOPIC"] == "output-sensor-data-1f2e3d"


def test_an_address_may_have_options_already() -> None:
    """The schema is one more of them."""
    assert database_url(f"{URL}?sslmode=require", "s").endswith("?sslmode=require&options=-csearch_path%3Ds")


def test_the_properties_are_for_java_and_librdkafka(tmp_path: Path) -> None:
    """Plain lines that both read, for their owner alone; they hold what the scenario says of the group and no more."""
    clients = Clients(processor="subject", session_timeout_s=6, static_members=True, consumer={"fetch.min.bytes": "9"})
    path = write_properties(instance(), clients, tmp_path, {})
    text = path.read_text()
    assert "bootstrap.servers=127.0.0.1:1,127.0.0.1:2\n" in text
    assert javaproperties.loads(text) == {
        "bootstrap.servers": "127.0.0.1:1,127.0.0.1:2",
        "group.id": NAMES.group,
        "client.id": "processor-0",
        "session.timeout.ms": "6000",
        "group.instance.id": "processor-0",
        "fetch.min.bytes": "9",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_labs_python_and_folder_have_names() -> None:
    """A command can be written down that means the same on every machine."""
    found = arguments(Subject(command=("{python}", "{checkout}/a.py", "{other}")))
    assert found == (sys.executable, f"{Path(__file__).parents[3]}/a.py", "{other}")


@pytest.mark.parametrize(
    ("name", "where"),
    [("no-such-program", "not on PATH"), ("./no-such-program", f"not in {os.getcwd()}")],  # noqa: PTH109
)
def test_a_program_that_is_not_there_is_refused(name: str, where: str) -> None:
    """By name, and with where it was looked for."""
    with pytest.raises(UsageError, match=f"the program '{name}' is {where}"):
        check_command(Subject(command=(name, "--flag")))


def test_it_runs_on_this_host() -> None:
    """A lab of containers has no place for it; where any backend is right, it is the one of processes."""
    settings = load_settings().model_copy(update={"backend": "auto"})
    assert where_it_runs(of("{python}"), settings).backend == "local"
    assert where_it_runs(Scenario(name="other"), settings) is settings
    yours = settings.model_copy(update={"backend": "external", "external_rate_per_s": 5000})
    assert where_it_runs(of("{python}"), yours) is yours
    with pytest.raises(EnvironmentUnfit, match="take --backend local"):
        where_it_runs(of("{python}"), settings.model_copy(update={"backend": "compose"}))


def test_a_password_that_it_printed_is_masked(tmp_path: Path) -> None:
    """Its log goes into the run's folder, which is kept and given on; the rest of the line stays."""
    log = tmp_path / "processor-0.jsonl"
    log.write_bytes(f"connecting to {URL} \xff as alice, Wonder-lamp-71\n".encode("latin-1"))
    hide_secrets(log, URL, {"sasl.username": "alice", "sasl.password": "Wonder-lamp-71"})
    masked = b"connecting to postgresql://lab:***@127.0.0.1:5432/factory \xff as alice, ***\n"
    assert log.read_bytes() == masked


def test_no_mark_is_the_beginning_of_another(tmp_path: Path) -> None:
    """Who ends all that processor-1 began leaves processor-10 alone; the lab's own mark is that of all of them."""
    marks = [mark_of(tmp_path, f"processor-{i}") for i in range(16)]
    assert not [one for one in marks for other in marks if one != other and other.startswith(one)]
    assert all(one.startswith(mark_of(tmp_path)) for one in marks)


def test_its_names_begin_with_the_prefix() -> None:
    """On brokers of somebody else its output topic lies under the prefix, and the run's id is what it is elsewhere."""
    names = Names.of("abc123", "team-a-sensor-data-")
    assert output_topic(names) == "team-a-sensor-data-output-sensor-data-abc123"
    assert output_topic(Names.of("abc123")) == "output-sensor-data-abc123"
    (path,) = files_of(Subject(command=("cat",), output="file", file="out-{run}"), names, ["processor-0"]).values()
    assert path.name == "out-abc123"
