"""Versions of the tables, as steps that Alembic takes from an older one to the present one.

`schema.tables` alone says what the tables are. A step says how a database that is older, with data in it, gets there;
a test holds the two together. A new step is a file in `versions/` and its number here.
"""

from __future__ import annotations

from factorylab.core.errors import EnvironmentUnfit

HEAD = "0003"
FIRST = "0001"  # tables of before there were versions
VERSIONS_TABLE = "alembic_version"


class SchemaTooNew(EnvironmentUnfit):
    """The tables are those of a later program."""


def is_current(found: str, schema: str) -> bool:
    """Whether tables of version `found` are what this program works with; false for older ones.

    Raises:
        SchemaTooNew: a later program has changed them.
    """
    if found > HEAD:
        raise SchemaTooNew(
            f"the tables in schema {schema} are of version {found} and this program knows versions up to {HEAD}: "
            "take the program that made them, or another schema (FACTORYLAB_DB_SCHEMA)"
        )
    return found == HEAD
