"""Indexes for the questions that people ask, when an alert was stored, tries of a batch, and more measures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; columns of older readings stay null."""
    # Some tables without a version have the columns already.
    for name in ("crest_factor", "kurtosis", "load_percent"):
        op.add_column("readings", sa.Column(name, sa.Double), if_not_exists=True)
    op.add_column("readings", sa.Column("hour_of_week", sa.SmallInteger), if_not_exists=True)
    for name, kind in (("takes", sa.Integer), ("tries", sa.Integer), ("tried_to", sa.BigInteger)):
        op.add_column("positions", sa.Column(name, kind, nullable=False, server_default="0"), if_not_exists=True)
    op.alter_column("positions", "takes", comment="since the last batch that was stored")
    op.alter_column("positions", "tries", comment="of next_offset up to tried_to")
    op.add_column("alerts", sa.Column("stored_at", sa.DateTime(timezone=True)))
    op.alter_column("alerts", "stored_at", server_default=sa.func.now())
    for index in sa.inspect(op.get_bind()).get_indexes("alerts"):
        if index["column_names"] == ["sensor_id"]:
            op.drop_index(str(index["name"]), "alerts")
    op.create_index("sensors_location", "sensors", ["location"])
    op.create_index("readings_sensor_time", "readings", ["sensor_id", "recorded_at"])
    op.create_index(
        "readings_time", "readings", ["recorded_at"], postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    )  # fmt: skip
    op.create_index("alerts_sensor_time", "alerts", ["sensor_id", "raised_at"])
    op.create_index("alerts_time", "alerts", ["raised_at"])
    op.create_index("system_events_time", "system_events", ["at"])
