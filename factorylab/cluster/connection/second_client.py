"""A connection as kafka-python takes it: the client that shares no code with librdkafka."""

from __future__ import annotations

from typing import Any

from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.login import Password
from factorylab.core.errors import UsageError


def security(connection: Connection) -> dict[str, Any]:
    """Its settings of TLS and login, without `bootstrap_servers`. They hold secrets.

    Raises:
        UsageError: a login that this client is not taught.
    """
    found: dict[str, Any] = {"security_protocol": connection.protocol}
    if connection.tls:
        found["ssl_context"] = connection.tls.context()
        found["ssl_check_hostname"] = connection.tls.names
    if isinstance(connection.login, Password):
        found["sasl_mechanism"] = connection.login.mechanism
        found["sasl_plain_username"] = connection.login.user
        found["sasl_plain_password"] = connection.login.password.get_secret_value()
    elif connection.login:
        raise UsageError(
            f"{connection.path}: sasl.mechanism={connection.login.mechanism} is not offered where a second client reads"
            " what the first one wrote: give a user of PLAIN or SCRAM, or a certificate"
        )
    return found
