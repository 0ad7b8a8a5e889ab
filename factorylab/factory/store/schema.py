"""Tables of the factory. `create_schema` may be called by every process at any time.

A schema that is not there is made as `tables` says; one of an earlier version takes the steps in `migrations`.

The indexes serve the questions of docs/sql.md. `readings_time` is a block range index: it costs next to nothing to keep
and finds a time well because readings are stored about in the order in which they were recorded.

`readings` has no foreign keys: a check per row would cost more than the row, and the ids come from `sensors`
through the same program. Columns of other kinds than the sensor's are null.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Engine,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    create_engine,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema, DropSchema

from factorylab.core.libpq import connect
from factorylab.factory.store import migrations
from factorylab.factory.store.migrations import FIRST, HEAD, VERSIONS_TABLE, is_current
from factorylab.factory.store.reader_role import GRANTS, READER

# A whole state does not become smaller, and PostgreSQL's attempt to compress it took nearly half of the time of writing
# it. Changes would become smaller, by a quarter, but they are small.
UNCOMPRESSED = "ALTER TABLE {schema}.detector_state ALTER COLUMN data SET STORAGE EXTERNAL"


def tables(schema: str) -> MetaData:
    """All tables, in the schema `schema`."""
    meta = MetaData(schema=schema)
    _measured(meta)
    _happened(meta)
    Table(
        "positions", meta,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False, comment="0 means from the beginning"),
        Column("owner_epoch", BigInteger, nullable=False),
        Column("owner", Text, nullable=False),
        Column("owner_backend", Integer, nullable=False, comment="server process of the owner's session"),
        Column("takes", Integer, nullable=False, server_default="0", comment="since the last batch that was stored"),
        Column("tries", Integer, nullable=False, server_default="0", comment="of next_offset up to tried_to"),
        Column("tried_to", BigInteger, nullable=False, server_default="0"),
    )  # fmt: skip
    Table(
        "detector_state", meta,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("part", Integer, primary_key=True, autoincrement=False, comment="0: all; then what has changed"),
        Column("data", LargeBinary, nullable=False),
    )  # fmt: skip
    Table(VERSIONS_TABLE, meta, Column("version_num", String(32), primary_key=True))
    return meta


def _measured(meta: MetaData) -> None:
    Table(
        "sensors", meta,
        Column("id", Integer, Identity(), primary_key=True),
        Column("name", Text, nullable=False, unique=True),
        Column("kind", Text, nullable=False),
        Column("location", Text, nullable=False),
        Index("sensors_location", "location"),
    )  # fmt: skip
    Table(
        "readings", meta,
        Column("sensor_id", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("recorded_at", DateTime(timezone=True), nullable=False),
        Column("partition", SmallInteger, nullable=False),
        Column("record_offset", BigInteger, nullable=False),
        Column("temperature_c", Double),
        Column("velocity_mm_s", Double),
        Column("acceleration_g", Double),
        Column("crest_factor", Double),
        Column("kurtosis", Double),
        Column("load_percent", Double),
        Column("energy_kwh", Double),
        Column("running", Boolean),
        Column("hour_of_week", SmallInteger),
        Index("readings_sensor_time", "sensor_id", "recorded_at"),
        Index(
            "readings_time", "recorded_at", postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": True},
        ),
    )  # fmt: skip


def _happened(meta: MetaData) -> None:
    Table(
        "alerts", meta,
        Column("alert_id", Text, primary_key=True),
        Column("sensor_id", Integer, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("rule", Text, nullable=False),
        Column("severity", Text, nullable=False),
        Column("value", Double, nullable=False),
        Column("limit_value", Double, nullable=False),
        Column("raised_at", DateTime(timezone=True), nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("stored_at", DateTime(timezone=True), server_default=func.now()),
        Index("alerts_sensor_time", "sensor_id", "raised_at"),
        Index("alerts_time", "raised_at"),
    )  # fmt: skip
    Table(
        "system_events", meta,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("worker", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("detail", JSONB, nullable=False),
        Index("system_events_time", "at"),
    )  # fmt: skip


def create_schema(url: str, schema: str) -> None:
    """Create schema and tables where they are missing, and bring older ones up to date with their data.

    One at a time: others wait, and then find it done. `url` is postgresql://user:password@host:port/database.

    Raises:
        SchemaTooNew: the tables are those of a later program.
    """
    with _engine(url).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": schema})
        version = _version(connection, schema)
        if version is None:
            connection.execute(CreateSchema(schema, if_not_exists=True))
            meta = tables(schema)
            meta.create_all(connection)
            connection.execute(text(UNCOMPRESSED.format(schema=schema)))
            connection.execute(insert(meta.tables[f"{schema}.{VERSIONS_TABLE}"]), {"version_num": HEAD})
        elif not is_current(version, schema):
            _upgrade(connection, schema, version)
        _let_reader_read(connection, schema)


def _version(connection: Connection, schema: str) -> str | None:
    """That of the tables in `schema`; None where there are none."""
    there = "SELECT to_regclass(:readings) IS NOT NULL, to_regclass(:versions) IS NOT NULL"
    names = {"readings": f"{schema}.readings", "versions": f"{schema}.{VERSIONS_TABLE}"}
    readings, versions = connection.execute(text(there), names).one()
    if not versions:
        return FIRST if readings else None
    return str(connection.execute(select(tables(schema).tables[f"{schema}.{VERSIONS_TABLE}"])).scalar_one())


def _upgrade(connection: Connection, schema: str, version: str) -> None:
    """Take the steps from `version` on. Processors wait: their tables are locked, in the order of their own use."""
    from alembic import command
    from alembic.config import Config

    connection.execute(text(f"SET LOCAL search_path TO {schema}"))
    connection.dialect.default_schema_name = schema  # where Alembic looks for its own table
    connection.execute(text("LOCK TABLE system_events, positions, readings, alerts, sensors IN ACCESS EXCLUSIVE MODE"))
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    if version == FIRST:
        command.stamp(config, FIRST)
    command.upgrade(config, HEAD)


def _let_reader_read(connection: Connection, schema: str) -> None:
    """The role for dashboards, where there is one, reads what is new as well."""
    if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": READER}).scalar():
        for statement in GRANTS:
            connection.execute(text(statement.format(schema=schema, role=READER)))


def create_empty(url: str, schema: str) -> None:
    """Create a schema without a table where it is missing; `url` as above."""
    with _engine(url).begin() as connection:
        connection.execute(CreateSchema(schema, if_not_exists=True))


def drop_schema(url: str, schema: str) -> None:
    """Drop schema and tables, should they be there; `url` as above."""
    with _engine(url).begin() as connection:
        connection.execute(DropSchema(schema, cascade=True, if_exists=True))


def _engine(url: str) -> Engine:
    return create_engine("postgresql+psycopg2://", creator=lambda: connect(url), poolclass=NullPool)
