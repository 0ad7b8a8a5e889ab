"""Packages that take long to import."""

from __future__ import annotations

HEAVY = (
    "pandas", "pyarrow", "matplotlib", "confluent_kafka", "psycopg2", "sqlalchemy", "docker", "kafka", "scipy",
    "starlette", "uvicorn",
)  # fmt: skip
