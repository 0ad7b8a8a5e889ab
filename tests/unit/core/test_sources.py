"""Settings from the environment and from .properties files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from factorylab.cluster.settings import Settings, load_settings
from factorylab.core import sources
from factorylab.core.errors import UsageError
from factorylab.factory.config import FleetConfig, ProcessorConfig, from_environment
from tests.support.places import ROOT

SECRET = "hunter2"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that FACTORYLAB_CONFIG names, still empty."""
    path = tmp_path / "factory.properties"
    path.write_text("")
    monkeypatch.setenv("FACTORYLAB_CONFIG", str(path))
    return path


def refused(kind: type[FleetConfig] | type[ProcessorConfig]) -> list[str]:
    """The lines of the message that refuses the settings."""
    with pytest.raises(UsageError) as error:
        from_environment(kind)
    assert SECRET not in str(error.value)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_the_environment_wins_over_the_file_and_that_over_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Precedence is environment, file, default; keys may be written in the Java manner, and a value may go on."""
    file.write_text(
        "# of the plant\nbootstrap = a:1,\\\n  b:2\nfactorylab.log.level: debug\nworker=of-the-file\nkinds=energy\n"
    )
    monkeypatch.setenv("FACTORYLAB_WORKER", "of-the-environment")
    config = from_environment(FleetConfig)
    assert (config.bootstrap, config.log_level, config.worker) == ("a:1,b:2", "debug", "of-the-environment")
    assert (config.kinds, config.rate) == (("energy",), "2000")


def test_one_file_serves_all_processes(file: Path) -> None:
    """Keys of other processes and of the lab are left alone, so one file can configure everything."""
    file.write_text("bootstrap=a:1\nworker=w\nrate=5\ndatabase.url=postgresql://u:p@h/d\nbackend=local\n")
    assert from_environment(FleetConfig).rate == "5"
    assert from_environment(ProcessorConfig).database_url.get_secret_value() == "postgresql://u:p@h/d"
    assert load_settings().backend == "local"


def test_everything_that_is_wrong_is_told_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each problem of file and environment has a line of its own with its place, and no secret is told."""
    file.write_text(
        f"bootstrap=a:1\n\ndatabase.url=mysql://u:{SECRET}@h/d\nlog-levle=info\nbatch_records=many\n"
        f"broken\nbootstrap=b:2\nsasl.password={SECRET}\n"
    )
    monkeypatch.setenv("FACTORYLAB_SESSION_TIMEOUT_S", "1")
    monkeypatch.setenv("FACTORYLAB_STORE_DEADLINE", "5")
    told = refused(ProcessorConfig)
    expected = (
        "line 6: no 'key=value'",
        "line 4: there is no setting 'log-levle': did you mean 'log_level'?",
        "line 7: 'bootstrap' is on line 1 already",
        "line 8: there is no setting 'sasl.password'",
        "FACTORYLAB_STORE_DEADLINE: there is no such setting: did you mean FACTORYLAB_STORE_DEADLINE_S?",
        "FACTORYLAB_WORKER: is required, here or as worker in the file",
        "line 3: database.url: write postgresql://",
        "FACTORYLAB_SESSION_TIMEOUT_S: Input should be greater than or equal to 6 (given: '1')",
        "line 5: batch_records: Input should be a valid integer, unable to parse string as an integer (given: 'many')",
    )
    assert len(told) == len(expected)
    assert all(any(words in line for line in told) for words in expected)


class Optional(sources.Sourced):
    """A secret that need not be given."""

    password: SecretStr | None = Field(default=None, min_length=100)


def test_a_secret_that_need_not_be_given_is_not_told_either(file: Path) -> None:
    """The message about an optional secret of the file has its line, and not its value."""
    file.write_text(f"password={SECRET}\n")
    with pytest.raises(UsageError) as error:
        sources.load(Optional, {"password"})
    assert "line 1: password: " in str(error.value)
    assert SECRET not in str(error.value)


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    """A file that cannot be read is an error, not an empty file."""
    file.unlink()
    assert any("cannot be read: No such file" in line for line in refused(FleetConfig))


def test_our_own_variables_are_not_taken_for_misspelt_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable of compose.yaml and of the example file, and any foreign one, passes."""
    text = (ROOT / ".env.example").read_text() + (ROOT / "compose.yaml").read_text()
    for name in {*re.findall(r"FACTORYLAB_\w+", text), "FACTORYLAB_SOMETHING_ELSE"} - {"FACTORYLAB_RESULTS"}:
        monkeypatch.delenv(name, raising=False)
        names = [*Settings.model_fields, *FleetConfig.model_fields, *ProcessorConfig.model_fields]
        assert sources._misspelt({name: ""}, names) == []


def test_the_labs_settings_are_known() -> None:
    """The names that a file may have for the lab are those of its settings."""
    assert set(sources.LAB) == set(Settings.model_fields)
