"""What is secret, and what is shown in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import factorylab as lab
from factorylab.cli import database_commands
from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.execution.notebook_run import Job, _clean
from factorylab.execution.workers import write_properties
from factorylab.factory import json_logs
from factorylab.history import manifest, run_folders
from factorylab.history.manifest import Manifest
from factorylab.history.provenance import Host
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import scenario_from
from factorylab.scenarios.references import missing, resolved

KEY = b"k" * 32
PLANTED = "pl4nted-Secret"
NAMES = (
    "sasl.password", "sasl.jaas.config", "listener.name.plain.sasl.jaas.config", "ssl.key.password", "ssl.key.pem",
    "ssl.keystore.key", "ssl.keystore.password", "ssl.truststore.password", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config", "sasl.oauthbearer.assertion.private.key.passphrase", "basic.auth.user.info",
    "sasl.oauthbearer.assertion.private.key.pem", "bearer.auth.token", "PGPASSWORD", "sslpassword", "clientSecret",
    "aws_secret_access_key", "access_token", "api-key", "Pwd",
)  # fmt: skip
NO_SECRETS = (
    "acks", "bootstrap.servers", "client.id", "sasl.username", "sasl.mechanisms", "ssl.key.location", "ssl.ca.pem",
    "ssl.keystore.location", "sasl.oauthbearer.token.endpoint.url", "delegation.token.max.lifetime.ms", "message.key",
    "sasl.oauthbearer.assertion.private.key.file", "ssl.certificate.pem", "enable.idempotence",
)  # fmt: skip
VALUES = (
    f"postgresql://user:{PLANTED}@host:5432/db",
    f"postgresql://user:p@ss/{PLANTED} #1@host/db",  # as people write it, and no URL
    f"postgresql://host/db?user=me&password={PLANTED}&sslmode=disable",
    f"http://user:{PLANTED}@proxy:3128",
    f"https://{PLANTED}@example.org/x.git",
    f"host=h user=me password={PLANTED} dbname=d",
    f"host=h password = 'a b {PLANTED}' dbname=d",
    f'PlainLoginModule required username="me" password="{PLANTED}";',
    f"producer: {{acks: all, sasl.password: {PLANTED}}}",
    f"sasl.password: a {PLANTED} of several words\nacks: all",
    f'{{"sasl.password": "{PLANTED}"}}',
    f"Authorization: Bearer {PLANTED}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----\n",
)


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins like a process: what another one remembered would hide a leak."""
    monkeypatch.setattr(secret, "_remembered", set())


@pytest.mark.parametrize("name", NAMES)
def test_the_value_of_a_secret_name_is_masked(name: str) -> None:
    """A secret is known by its key, in the spellings of librdkafka, Java, libpq and the environment."""
    assert secret.masked({"clients": {name: PLANTED}}) == {"clients": {name: "***"}}


@pytest.mark.parametrize("name", NO_SECRETS)
def test_other_settings_stay_readable(name: str) -> None:
    """A setting beside a secret, such as the place of a key, is shown as it is."""
    assert secret.masked({name: "value"}, KEY) == {name: "value"}


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_inside_a_value_is_masked(value: str) -> None:
    """Passwords in URLs, keyword forms, JAAS, YAML and PEM are masked under any key; masking again changes nothing."""
    shown = secret.masked({"any.key": [value]}, KEY)
    assert PLANTED not in str(shown) and "***(" in str(shown)
    assert secret.masked(shown, KEY) == shown


def test_equal_secrets_have_equal_digests() -> None:
    """One key: the same secret shows the same digest, another secret another; another key shows another digest."""
    a, same, other = (secret.masked({"sasl.password": text}, KEY) for text in ("one", "one", "two"))
    assert a == same != other
    assert secret.masked({"sasl.password": "one"}, b"another") != a


def test_what_holds_no_secret_stays() -> None:
    """An empty value, a reference and plain data are no secrets; types are kept."""
    data = {"sasl.password": "", "ssl.key.password": "${env:KEY}", "n": 1, "t": (1.5, None), "u": "postgresql://me@h/d"}
    assert secret.masked(data, KEY) == data


def test_a_mask_is_found_again() -> None:
    """Where a mask stands, the secret has to be given again."""
    data = {"clients": {"producer": {"sasl.password": PLANTED, "acks": "all"}, "consumer": {}}}
    assert secret.masks(secret.masked(data, KEY)) == ["clients.producer.sasl.password"]
    assert secret.masks(data) == []


@pytest.mark.parametrize("quoted", ["it's {}", '"{}"', "({})", "postgresql://u:{}@h", "said {}."])
def test_a_remembered_secret_is_found_in_any_text(quoted: str) -> None:
    """A text of a library that quotes a known secret, also URL-encoded, is cleaned; other words are left alone."""
    given = "qu/o'ted-pw"
    secret.remember({"sasl.password": given})
    for form in (given, "qu%2Fo%27ted-pw"):
        assert secret.clean(quoted.format(form)) == quoted.format("***")
    assert secret.clean("producer.sasl.password: must be a text") == "producer.sasl.password: must be a text"


def test_runs_of_one_folder_share_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    """Two runs show the same digest for the same secret; the key lies outside both, and is not made without need."""
    first, second, elsewhere = (
        run_folders.create(tmp_path / place, build("baseline", {})) for place in ("a", "a", "b")
    )
    assert first.masked({"acks": "all"}) == {"acks": "all"} and not (tmp_path / "a" / run_folders.SECRET_KEY).exists()
    shown = [run.masked({"sasl.password": PLANTED}) for run in (first, second, elsewhere)]
    assert shown[0] == shown[1] != shown[2]
    assert (tmp_path / "a" / run_folders.SECRET_KEY).stat().st_mode & 0o777 == 0o600


def test_a_broken_key_is_refused(tmp_path: Path) -> None:
    """A key that is cut short would give digests that mean nothing."""
    (tmp_path / run_folders.SECRET_KEY).write_bytes(b"short")
    with pytest.raises(UsageError, match="is not a key of 32 bytes"):
        run_folders.secret_key(tmp_path)


PLACES = {
    "producer": {
        "sasl.password": f"{PLANTED}-a", "ssl.key.password": f"{PLANTED}=b c", "ssl.keystore.password": f"{PLANTED}\\c",
        "sasl.oauthbearer.client.secret": f"{PLANTED}'d\"", "ssl.key.pem": f"-----BEGIN PRIVATE KEY-----{PLANTED}",
        "sasl.oauthbearer.token.endpoint.url": f"https://me:{PLANTED}-f@example.org/?client_secret={PLANTED}-g",
    },
    "consumer": {"sasl.password": f"{PLANTED}-h"},
}  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A scenario file full of secrets."""
    file = tmp_path / "planted.yaml"
    file.write_text(yaml.safe_dump({"name": "planted", "clients": PLACES}))
    return file


def test_a_scenario_never_shows_its_secrets(planted: Path) -> None:
    """Neither `repr` nor `str` nor the text for a person shows a secret; the clients are given the real ones."""
    made = lab.scenario(str(planted))
    assert PLANTED not in f"{made!r} {made} {made.clients} {made.describe()}"
    assert resolved(made.clients.producer, "clients.producer") == PLACES["producer"]


def test_files_of_a_run_hold_digests(planted: Path, tmp_path: Path) -> None:
    """No file of a run's folder holds a secret. The workers' own files do: for their owner alone, outside the run."""
    made = lab.scenario(str(planted))
    run = run_folders.create(tmp_path / "results", made)
    private = tmp_path / "private"
    private.mkdir()
    assert write_properties(made.clients, run, private) == private
    host = Host(cores=1, memory_bytes=1, system=f"password={PLANTED}")
    facts: dict[str, Any] = {"scenario": "planted", "backend": "local", "started_wall_ns": 1, "boot_id": "", "seed": 1}
    effective = Manifest(run_id=run.run_id, host=host, **PLACES, problems=[f"postgresql://u:{PLANTED}@h"], **facts)
    manifest.write(run, effective)
    written = {file: file.read_text() for file in run.path.rglob("*") if file.is_file()}
    assert len(written) == 4 and [file for file, text in written.items() if PLANTED in text] == []
    assert manifest.read(run).consumer == run.masked(PLACES["consumer"])
    assert {file.stat().st_mode & 0o777 for file in private.iterdir()} == {0o600}
    assert all(PLANTED in file.read_text() for file in private.iterdir())


def test_a_saved_scenario_asks_for_its_secrets_again(planted: Path, tmp_path: Path) -> None:
    """The scenario of a saved run is shown and judged as it is, and refused where it would be run."""
    saved = run_folders.create(tmp_path / "results", lab.scenario(str(planted))).scenario()
    assert len(missing(saved)) == 7 and "sasl.password: '***(" in saved.describe()
    with pytest.raises(UsageError, match=r"clients\.producer\.sasl\.password, .*give them again"):
        lab.run(saved)


def test_a_secret_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${env:NAME}` keeps a secret out of the scenario; a variable that is unset or empty is refused at once."""
    file = tmp_path / "by_reference.yaml"
    file.write_text(yaml.safe_dump({"name": "r", "clients": {"producer": {"sasl.password": "${env:OUR_PW}"}}}))
    monkeypatch.setenv("OUR_PW", PLANTED)
    made = Job(str(file), {}).scenario()
    assert "${env:OUR_PW}" in made.describe() and missing(made) == []
    assert resolved(made.clients.producer, "p") == {"sasl.password": PLANTED}
    monkeypatch.setenv("OUR_PW", "")
    with pytest.raises(UsageError, match=r"clients\.producer\.sasl\.password: .* OUR_PW.* unset or empty"):
        Job(str(file), {}).scenario()


WRONG = (
    f"clients: {{producer: {{sasl.password: [{PLANTED}]}}}}",
    f"clients: {{kafka: {{sasl.password: {PLANTED}}}}}",
    f"clients: {{producer: ['sasl.password={PLANTED}']}}",
    f"clients: {{producer: 'http://me:{PLANTED}@proxy'}}",
    f"workload: {{source: 1, url: 'postgresql://u:p/{PLANTED} 1@h/d'}}",
    f"clients:\n  producer:\n    sasl.password: {PLANTED}: x",
    f"clients:\n  producer:\n    sasl.password: *{PLANTED}",
    f"clients:\n  producer:\n    sasl.password: !{PLANTED} x",
)


@pytest.mark.parametrize("text", WRONG)
def test_no_error_of_a_scenario_shows_a_secret(tmp_path: Path, text: str) -> None:
    """An error names the key and the rule, whatever is wrong with the file."""
    file = tmp_path / "wrong.yaml"
    file.write_text(f"name: wrong\n{text}\n")
    with pytest.raises(UsageError) as caught:
        lab.scenario(str(file))
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("given", ["pw1", "pw1-" * 200])
@pytest.mark.parametrize("where", [("producer", "sasl.password"), ("kafka", "sasl.password")])
def test_a_secret_is_hidden_by_its_key(given: str, where: tuple[str, str]) -> None:
    """One that is too short to be looked for in a text, or is cut where it is shown, is hidden by its key alone."""
    group, key = where
    with pytest.raises(UsageError, match=r"given: .*\*\*\*") as caught:
        scenario_from({"name": "wrong", "clients": {group: {key: [given]}}}, "x")
    assert "pw1" not in str(caught.value)


WRONG_URLS = (f"postgresql:/u:{PLANTED}@h/d", f"postgresql://u:{PLANTED}/x@h", f"u:{PLANTED}%zz@h/d")


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_wrong_url_of_the_database_is_not_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how a URL is written, and shows no part of what was given."""
    monkeypatch.setenv("FACTORYLAB_DATABASE_URL", url)
    with pytest.raises(UsageError, match="write postgresql://user:password@host") as caught:
        database_commands.upgrade()
    assert PLANTED not in str(caught.value)


def test_logs_show_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of a log hides a secret by its name, in a URL, and where a library's error quotes it; its event stays."""
    secret.remember({"sasl.password": "kafka-client"})
    log = json_logs.configure("w", "info")
    log.info("kafka-client", error="bad kafka-client", url=f"postgresql://u:{PLANTED}@h", settings=PLACES)
    line = json.loads(capsys.readouterr().out)
    assert PLANTED not in str(line) and line["event"] == "kafka-client" and line["error"] == "bad ***"


def test_an_executed_notebook_is_cleaned(planted: Path, tmp_path: Path) -> None:
    """What code of a notebook shows of its scenario's secrets goes from the executed copy; its figures stay."""
    made, notebook, figure = lab.scenario(str(planted)), tmp_path / "n.ipynb", {"image/png": f"{PLANTED}-a"}
    output = {"output_type": "display_data", "data": {"text/plain": [f"it is {PLANTED}-a"], **figure}}
    notebook.write_text(json.dumps({"cells": [{"outputs": [output]}], "metadata": {"parameters": PLACES}}))
    _clean(notebook, made)
    left = json.loads(notebook.read_text())
    assert left["cells"][0]["outputs"][0]["data"] == {"text/plain": ["it is ***"], **figure}
    assert PLANTED not in str(left["metadata"])
