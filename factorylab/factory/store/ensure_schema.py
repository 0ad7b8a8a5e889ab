"""The tables of a schema, made or upgraded where they are not the present ones. Asks first: SQLAlchemy loads slowly."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql

from factorylab.core.libpq import connect
from factorylab.factory.store.connection import CONNECT_S, NO_TABLES, WAY_OUT, SchemaMissing, StoreUnavailable, one_line
from factorylab.factory.store.migrations import VERSIONS_TABLE, is_current


def ensure_schema(url: str, schema: str) -> None:
    """Create the tables of the factory in `schema` where they are missing, upgrade them where they are older.

    Raises:
        StoreUnavailable: the database does not answer.
        SchemaMissing: the tables are missing and cannot be created.
        SchemaTooNew: they are those of a later program.
    """
    versions = sql.Identifier(schema, VERSIONS_TABLE)
    found = ""
    try:
        connection = connect(url, connect_timeout=CONNECT_S)
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (f"{schema}.{VERSIONS_TABLE}",))
            if cursor.fetchone() != (None,):
                cursor.execute(sql.SQL("SELECT version_num FROM {}").format(versions))
                (found,) = cursor.fetchone() or ("",)
    except psycopg2.OperationalError as error:
        raise StoreUnavailable(f"database: {one_line(error)}; look at FACTORYLAB_DATABASE_URL; trying again") from error
    except NO_TABLES as error:
        raise SchemaMissing(f"the schema {schema} is forbidden: {one_line(error)}; {WAY_OUT}") from error
    if not is_current(found, schema):
        _create(url, schema)


def _create(url: str, schema: str) -> None:
    from sqlalchemy.exc import DBAPIError  # SQLAlchemy takes half a second to load

    from factorylab.factory.store.schema import create_schema

    try:
        create_schema(url, schema)
    except DBAPIError as error:
        kind = StoreUnavailable if isinstance(error.orig, psycopg2.OperationalError) else SchemaMissing
        why = f"the schema {schema} is missing and could not be created: {one_line(error.orig)}"
        raise kind(f"{why}; {WAY_OUT}") from error
