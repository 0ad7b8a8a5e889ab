"""A role for dashboards: it may read the tables of the factory and change nothing.

Its password is made into a verifier here, so that neither the statement nor the server's log holds it.
"""

from __future__ import annotations

from contextlib import closing

from psycopg2 import sql
from psycopg2.extensions import encrypt_password
from pydantic import SecretStr

from factorylab.core.libpq import connect
from factorylab.factory.store.connection import CONNECT_S

READER = "factorylab_reader"
LOCK = "factorylab_reader"
STATEMENT_S = 30  # a dashboard's question that takes longer takes the database from the factory


def make_reader(url: str, schema: str, password: SecretStr) -> None:
    """Create the role, or give it this password, and let it read `schema`.

    Schemas that are created or upgraded later can be read as well. `url` is that of an account that may create roles.
    """
    role = sql.Identifier(READER)
    with closing(connect(url, connect_timeout=CONNECT_S)) as connection:
        verifier = encrypt_password(password.get_secret_value(), READER, connection, "scram-sha-256")
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (LOCK,))
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE ROLE {}").format(role))
            cursor.execute(
                sql.SQL(
                    "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 10 PASSWORD {}"
                ).format(role, sql.Literal(verifier))
            )
            cursor.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
            cursor.execute(
                sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(role, sql.Literal(f"{STATEMENT_S}s"))
            )
            for statement in GRANTS:
                cursor.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), role=role))


GRANTS = ("GRANT USAGE ON SCHEMA {schema} TO {role}", "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
