"""The detectors' state in parts, in a table of its own.

The column goes: an older program that still runs could neither see later parts nor replace them, so it must not take a
partition any more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; what was saved becomes part 0."""
    op.create_table(
        "detector_state",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False, comment="0: all; then what has changed"),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.execute("ALTER TABLE detector_state ALTER COLUMN data SET STORAGE EXTERNAL")
    op.execute("INSERT INTO detector_state SELECT topic, partition, 0, state FROM positions WHERE state IS NOT NULL")
    op.drop_column("positions", "state")
