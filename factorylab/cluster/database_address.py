"""How clients address the lab's PostgreSQL, whatever it runs on."""

from __future__ import annotations

ACCOUNT = "factorylab"
DATABASE = "postgres"


def url_of(port: int, password: str, address: str = "127.0.0.1") -> str:
    """As every PostgreSQL client takes it. It carries the password: never log it."""
    return f"postgresql://{ACCOUNT}:{password}@{address}:{port}/{DATABASE}"
