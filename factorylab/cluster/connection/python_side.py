"""A connection's TLS and login for kafka-python: for its clients, and for a line to one broker."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError, for_code
from kafka.net.sasl import get_sasl_mechanism
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.protocol.api_message import ApiMessage
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.login import Login, Password
from factorylab.cluster.connection.tls import Tls
from factorylab.cluster.connection.tokens import Token

FRESH = 0.8  # of a token's life: then the next login asks for another, as Java's clients do
UNSUPPORTED_MECHANISM = 33  # Kafka's error code


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """Gives the token of a login, and asks for another in time."""

    def __init__(self, login: Token) -> None:
        self._login, self._token, self._until_s = login, "", 0.0

    def token(self) -> str:
        now_s = time.time()
        if now_s >= self._until_s:
            self._token, ends_s = self._login.token()
            self._until_s = now_s + FRESH * (ends_s - now_s)
        return self._token

    def extensions(self) -> dict[str, str]:
        """SASL extensions (RFC 7628), as `name=value,…` of the file."""
        pairs = (one.partition("=") for one in getattr(self._login, "extensions", "").split(",") if one)
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Way:
    """How brokers are reached over a connection (`cluster.secured.Way`)."""

    connection: Connection

    def wrap(self, plain: socket.socket, host: str) -> socket.socket:
        tls = self.connection.tls
        return context_of(tls).wrap_socket(plain, server_hostname=host) if tls else plain

    def log_in(self, ask: Callable[[ApiMessage], ApiMessage], host: str) -> None:
        if self.connection.login:
            log_in(ask, self.connection.login, host)

    def python_settings(self) -> dict[str, object]:
        return python_settings(self.connection)

    def client_settings(self) -> dict[str, str]:
        """Those of librdkafka that a file can hold; whoever takes them knows the brokers."""
        found = self.connection.client_settings()
        return {name: value for name, value in found.items() if isinstance(value, str) and name != "bootstrap.servers"}


@cache
def context_of(tls: Tls) -> ssl.SSLContext:
    """Python's TLS of a connection, made once."""
    return tls.context()


@cache
def _tokens(login: Token) -> Tokens:
    return Tokens(login)


def login_settings(login: Login) -> dict[str, object]:
    """How kafka-python names a login. They hold secrets."""
    found: dict[str, object] = {"sasl_mechanism": login.mechanism}
    if isinstance(login, Password):
        return found | {
            "sasl_plain_username": login.user,
            "sasl_plain_password": login.password.get_secret_value(),
        }
    return found | {"sasl_oauth_token_provider": _tokens(login)}


def python_settings(connection: Connection) -> dict[str, object]:
    """Settings for kafka-python's clients, brokers left out. They hold secrets."""
    found: dict[str, object] = {"security_protocol": connection.protocol}
    if connection.tls:
        found |= {"ssl_context": context_of(connection.tls)}
    return found | (login_settings(connection.login) if connection.login else {})


def log_in(ask: Callable[[ApiMessage], ApiMessage], login: Login, host: str) -> None:
    """Log in over a line to one broker (KIP-152).

    Raises:
        UnsupportedSaslMechanismError: it offers others; they are named.
        SaslAuthenticationFailedError: it refuses; in its own words.
    """
    offered = ask(SaslHandshakeRequest(mechanism=login.mechanism))
    if offered.error_code == UNSUPPORTED_MECHANISM:
        raise UnsupportedSaslMechanismError(", ".join(offered.mechanisms))
    if offered.error_code:
        raise for_code(offered.error_code)()
    mechanism = get_sasl_mechanism(login.mechanism)(host=host, **login_settings(login))
    while not mechanism.is_done():
        answer = ask(SaslAuthenticateRequest(auth_bytes=mechanism.auth_bytes()))
        if answer.error_code:
            raise SaslAuthenticationFailedError(answer.error_message)
        try:
            mechanism.receive(answer.auth_bytes)
        except ValueError as error:  # of SCRAM: what the broker proves of itself does not fit
            raise SaslAuthenticationFailedError(str(error)) from None
    if not mechanism.is_authenticated():
        raise SaslAuthenticationFailedError("the broker does not prove that it knows the password")
