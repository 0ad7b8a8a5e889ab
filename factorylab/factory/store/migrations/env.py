"""Run by Alembic: the steps go through the caller's connection, in its transaction and on its search path."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
