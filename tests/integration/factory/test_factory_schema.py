"""The tables on a real PostgreSQL: made, upgraded with their data, read by dashboards, and rid of old readings."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2 import errors
from pydantic import SecretStr
from sqlalchemy import Connection, text

from factorylab.core.errors import UsageError
from factorylab.factory.store import migrations, retention, schema
from factorylab.factory.store.ensure_schema import ensure_schema
from factorylab.factory.store.migrations import FIRST, HEAD, SchemaTooNew
from factorylab.factory.store.reader_role import READER, make_reader
from factorylab.factory.store.store import Store
from tests.support.databases import Place, batch

STEPS = Path(migrations.__file__).parent
OLD_DATA = """
SET search_path TO {s};
INSERT INTO sensors (name, kind, location) VALUES ('temperature-00000', 'temperature', 'line-1');
INSERT INTO readings (sensor_id, seq, recorded_at, partition, record_offset, temperature_c)
  SELECT 1, n, timestamptz '2026-01-01 10:00+00' + n * interval '1 second', 0, n, 20 + n FROM generate_series(0, 99) n;
INSERT INTO alerts VALUES ('a', 1, 99, 'temperature_high', 'warning', 119, 80, '2026-01-01 10:01:39+00', 'c');
INSERT INTO system_events (worker, kind, detail) VALUES ('p0', 'start', '{{}}');
INSERT INTO positions VALUES ('sensor-data', 0, 100, 7, 'p0', 4711, 'state');
"""


COUNT = "SELECT count(*) FROM {s}."
WRITES = (
    "INSERT INTO {s}.system_events (worker, kind, detail) VALUES ('x', 'x', '{{}}')",
    "UPDATE {s}.positions SET next_offset = 0",
    "DELETE FROM {s}.readings",
    "TRUNCATE {s}.alerts",
    "DROP TABLE {s}.readings",
    "CREATE TABLE {s}.mine (n int)",
    "CREATE TABLE public.mine (n int)",
)


@pytest.fixture
def here(database_url: str) -> Iterator[Place]:
    """A schema of the test's own, which is not there yet."""
    place = Place(database_url, f"of_{secrets.token_hex(4)}")
    yield place
    schema.drop_schema(place.url, place.name)


def make_old(url: str, name: str) -> None:
    """The tables of before there were versions, with data in them."""
    with schema._engine(url).begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        take_steps(connection, name, FIRST)
        connection.execute(text(f"DROP TABLE {name}.alembic_version"))
    Place(url, name).ask(OLD_DATA)


def take_steps(connection: Connection, name: str, version: str) -> None:
    """All steps up to `version`, in an empty schema."""
    connection.execute(text(f"SET LOCAL search_path TO {name}"))
    connection.dialect.default_schema_name = name
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(STEPS))
    command.upgrade(config, version)


def differences(url: str, name: str) -> list[object]:
    """What Alembic would change to make the tables in a schema those that the program declares."""
    with schema._engine(url).connect() as connection:
        own = {"include_schemas": True, "include_name": lambda what, kind, _: kind != "schema" or what == name}
        context = MigrationContext.configure(connection, opts=own | {"compare_server_default": True})
        return list(compare_metadata(context, schema.tables(name)))


def test_a_new_schema_is_as_declared(here: Place) -> None:
    """What is made at once is what is declared, at the newest version; making it again changes nothing."""
    for _ in range(2):
        schema.create_schema(here.url, here.name)
        assert differences(here.url, here.name) == []
    assert here.ask("SELECT version_num FROM {s}.alembic_version") == [(HEAD,)]


def test_an_older_schema_is_upgraded_with_its_data(here: Place) -> None:
    """Tables without a version become those that are declared, and every row is still there."""
    make_old(here.url, here.name)
    assert differences(here.url, here.name) != []
    ensure_schema(here.url, here.name)
    assert differences(here.url, here.name) == []
    assert here.ask("SELECT version_num FROM {s}.alembic_version") == [(HEAD,)]
    counted = here.ask("SELECT count(*), sum(temperature_c), count(crest_factor) FROM {s}.readings")
    assert counted == [(100, 20 * 100 + 4950, 0)]
    assert here.ask("SELECT alert_id, stored_at FROM {s}.alerts") == [("a", None)]
    assert here.ask("SELECT next_offset, owner_epoch FROM {s}.positions") == [(100, 7)]
    assert here.ask("SELECT partition, part, convert_from(data, 'UTF8') FROM {s}.detector_state") == [(0, 0, "state")]
    assert here.ask("SELECT kind FROM {s}.system_events") == [("start",)]


@pytest.mark.parametrize("old", [False, True], ids=["new", "older"])
def test_the_detectors_state_is_not_compressed(here: Place, old: bool) -> None:
    """PostgreSQL stores a state as it is, in new tables and in upgraded ones: no comparison of tables shows that."""
    if old:
        make_old(here.url, here.name)
    schema.create_schema(here.url, here.name)
    column = "attrelid = '{s}.detector_state'::regclass AND attname = 'data'"
    assert here.ask(f"SELECT attstorage::text FROM pg_attribute WHERE {column}") == [("e",)]  # noqa: S608


def test_work_goes_on_after_an_upgrade(here: Place) -> None:
    """A processor goes on at the old position and stores readings with the new columns."""
    make_old(here.url, here.name)
    ensure_schema(here.url, here.name)
    with closing(Store(here.url, here.name, "sensor-data", "p1", 30)) as store:
        taken = store.take(0)
        assert (taken.next_offset, taken.epoch, taken.state) == (100, 8, [b"state"])
        store.commit(batch(100, 110, taken.epoch))
    assert here.ask("SELECT count(*), count(kurtosis), max(seq) FROM {s}.readings") == [(110, 10, 109)]
    ((late,),) = here.ask("SELECT now() - stored_at FROM {s}.alerts WHERE alert_id <> 'a'")
    assert isinstance(late, timedelta) and timedelta() <= late < timedelta(minutes=1)


@pytest.mark.parametrize("old", [False, True], ids=["new", "older"])
def test_many_may_come_at_once(here: Place, old: bool) -> None:
    """Eight that create or upgrade the same schema at the same time all succeed, and it is done once."""
    if old:
        make_old(here.url, here.name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_schema(here.url, here.name), range(8)))
    assert differences(here.url, here.name) == []
    assert here.ask("SELECT version_num FROM {s}.alembic_version") == [(HEAD,)]


def test_an_upgrade_that_fails_changes_nothing(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that breaks off leaves tables and version as they were, and the next try succeeds."""
    make_old(here.url, here.name)
    before = len(differences(here.url, here.name))
    upgrade = command.upgrade

    def break_off(config: Config, version: str) -> None:
        upgrade(config, version)
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(command, "upgrade", break_off)
        with pytest.raises(ZeroDivisionError):
            schema.create_schema(here.url, here.name)
    assert len(differences(here.url, here.name)) == before > 0
    assert here.ask("SELECT to_regclass('{s}.alembic_version')") == [(None,)]
    schema.create_schema(here.url, here.name)
    assert differences(here.url, here.name) == []


def test_tables_of_a_later_program_are_refused(here: Place) -> None:
    """A version that this program does not know ends it with the way out, before it reads or writes anything."""
    schema.create_schema(here.url, here.name)
    here.ask("UPDATE {s}.alembic_version SET version_num = '9000'")
    for attempt in (ensure_schema, schema.create_schema):
        with pytest.raises(SchemaTooNew, match="take the program that made them"):
            attempt(here.url, here.name)


# ---- the role for dashboards


def as_reader(place: Place, password: str) -> Place:
    """The same place for the role."""
    return Place(re.sub("//.*@", f"//{READER}:{password}@", place.url), place.name)


def test_a_reader_reads_and_changes_nothing(here: Place) -> None:
    """The role reads every table, also those of schemas that come later, and each statement that writes is refused."""
    make_old(here.url, here.name)
    schema.create_schema(here.url, here.name)
    make_reader(here.url, here.name, SecretStr("old"))
    make_reader(here.url, here.name, SecretStr("secret"))
    later = Place(here.url, f"{here.name}_later")
    schema.create_schema(later.url, later.name)
    for table in ("sensors", "readings", "alerts", "system_events", "positions", "detector_state"):
        for place in (here, later):
            assert as_reader(place, "secret").ask(COUNT + table) == place.ask(COUNT + table)
    assert here.ask(COUNT + "readings") == [(100,)]
    for statement in WRITES:
        with pytest.raises(errors.InsufficientPrivilege):
            as_reader(here, "secret").ask("SET default_transaction_read_only = off; COMMIT; " + statement)
        with pytest.raises(psycopg2.Error):
            as_reader(here, "secret").ask(statement)
    with pytest.raises(psycopg2.OperationalError):
        as_reader(here, "old").ask("SELECT 1")
    schema.drop_schema(later.url, later.name)


def test_the_readers_password_is_in_no_log(here: Place, labs_folder: Path) -> None:
    """The server's log of all statements holds the role but not its password."""
    schema.create_schema(here.url, here.name)
    password = secrets.token_hex(16)
    here.ask("ALTER ROLE CURRENT_USER SET log_statement = 'all'")
    try:
        make_reader(here.url, here.name, SecretStr(password))
    finally:
        here.ask("ALTER ROLE CURRENT_USER RESET log_statement")
    log = (labs_folder / "database.log").read_text()
    assert f'ALTER ROLE "{READER}"' in log and password not in log


# ---- retention


def test_old_readings_go_and_nothing_else(here: Place) -> None:
    """What was recorded before a time is dropped and counted; alerts, sensors, positions and newer readings stay."""
    make_old(here.url, here.name)
    schema.create_schema(here.url, here.name)
    at = datetime(2026, 1, 1, 10, 0, 40, tzinfo=UTC)
    told = retention.drop_readings(here.url, here.name, at, dry_run=True)
    assert here.ask("SELECT count(*) FROM {s}.readings") == [(100,)]
    dropped = retention.drop_readings(here.url, here.name, at)
    assert dropped == told
    assert (dropped.readings, dropped.oldest, dropped.newest) == (
        40,
        at - timedelta(seconds=40),
        at - timedelta(seconds=1),
    )
    assert here.ask("SELECT count(*), min(seq) FROM {s}.readings") == [(60, 40)]
    counts = [here.ask(COUNT + table) for table in ("alerts", "sensors", "positions")]
    assert counts == [[(1,)]] * 3
    noted = here.ask("SELECT detail ->> 'readings' FROM {s}.system_events WHERE kind = 'dropped'")
    assert noted == [("40",)]
    assert retention.drop_readings(here.url, here.name, at).readings == 0


def test_evidence_is_kept(database_url: str) -> None:
    """Nothing is dropped from the schema of a run, and a time without a zone is refused."""
    with pytest.raises(UsageError, match="evidence"):
        retention.drop_readings(database_url, "run_abc123", datetime.now(UTC))
    with pytest.raises(UsageError, match="zone"):
        retention.drop_readings(database_url, "factory", datetime(2026, 1, 1))


def test_steps_end_with_the_head() -> None:
    """The number that the program goes by is that of the last step, and there is one way there from the first."""
    config = Config()
    config.set_main_option("script_location", str(STEPS))
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert (steps[0], steps[-1]) == (HEAD, FIRST)
    assert steps == sorted(steps, reverse=True)
