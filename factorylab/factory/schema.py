"""Tables of the factory. `create_schema` may be called by every process at any time.

`readings` has no foreign keys: a check per row would cost more than the row, and the ids come from `sensors`
through the same program. Columns of other kinds than the sensor's are null.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Engine,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    create_engine,
    func,
    make_url,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema, DropSchema


def tables(schema: str) -> MetaData:
    """All tables, in the schema `schema`."""
    meta = MetaData(schema=schema)
    Table(
        "sensors", meta,
        Column("id", Integer, Identity(), primary_key=True),
        Column("name", Text, nullable=False, unique=True),
        Column("kind", Text, nullable=False),
        Column("location", Text, nullable=False),
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
    )  # fmt: skip
    Table(
        "alerts", meta,
        Column("alert_id", Text, primary_key=True),
        Column("sensor_id", Integer, nullable=False, index=True),
        Column("seq", BigInteger, nullable=False),
        Column("rule", Text, nullable=False),
        Column("severity", Text, nullable=False),
        Column("value", Double, nullable=False),
        Column("limit_value", Double, nullable=False),
        Column("raised_at", DateTime(timezone=True), nullable=False),
        Column("correlation_id", Text, nullable=False),
    )  # fmt: skip
    Table(
        "system_events", meta,
        Column("id", BigInteger, Identity(), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("worker", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("detail", JSONB, nullable=False),
    )  # fmt: skip
    _positions(meta)
    return meta


def _positions(meta: MetaData) -> None:
    Table(
        "positions", meta,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False, comment="0 means from the beginning"),
        Column("owner_epoch", BigInteger, nullable=False),
        Column("owner", Text, nullable=False),
        Column("owner_backend", Integer, nullable=False, comment="server process of the owner's session"),
        Column("state", LargeBinary, comment="detectors at next_offset"),
        Column("takes", Integer, nullable=False, server_default="0", comment="since the last batch that was stored"),
        Column("tries", Integer, nullable=False, server_default="0", comment="of next_offset up to tried_to"),
        Column("tried_to", BigInteger, nullable=False, server_default="0"),
    )  # fmt: skip


def create_schema(url: str, schema: str) -> None:
    """Create schema and tables where they are missing; `url` is postgresql://user:password@host:port/database."""
    engine = _engine(url)
    with engine.begin() as connection:  # one at a time: concurrent CREATE … IF NOT EXISTS can collide
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": schema})
        connection.execute(CreateSchema(schema, if_not_exists=True))
        tables(schema).create_all(connection)


def drop_schema(url: str, schema: str) -> None:
    """Drop schema and tables, should they be there; `url` as above."""
    with _engine(url).begin() as connection:
        connection.execute(DropSchema(schema, cascade=True, if_exists=True))


def _engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
