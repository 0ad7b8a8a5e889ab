"""How a client says who it is: the `sasl.*` settings of both clients."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from factorylab.cluster.connection.given import Given
from factorylab.cluster.connection.jaas import Jaas, parse
from factorylab.cluster.connection.tokens import ENDPOINT, ClientCredentials, Setting, Token, TokenFile, Unsecured

WITH_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
OFFERED = (*WITH_PASSWORD, "OAUTHBEARER")
TRUE = {"true", "t", "1"}
CLAIM = "unsecuredLoginStringClaim_sub"


@dataclass(frozen=True)
class Password:
    """A user with a password."""

    mechanism: str
    user: str
    password: SecretStr

    def settings(self) -> dict[str, Setting]:
        return {"sasl.username": self.user, "sasl.password": self.password.get_secret_value()}

    def __str__(self) -> str:
        return f"{self.mechanism} as {self.user}"


Login = Password | Token


def read_login(given: Given, https_ca: str) -> Login:
    """What a file says of logging in; `https_ca`: whom to trust at a token's endpoint, as PEM.

    Raises:
        UsageError: a mechanism that is not offered, or what it needs is not there.
    """
    mechanism = given.text("sasl.mechanisms", "GSSAPI").upper()
    if mechanism not in OFFERED:
        said = "" if "sasl.mechanisms" in given.values else " (the default, since sasl.mechanism is not there)"
        raise given.wrong("sasl.mechanisms", f"must be one of {', '.join(OFFERED)}, not {mechanism}{said}")
    jaas = _jaas(given, mechanism)
    options = jaas.options if jaas else {}
    return _password(given, mechanism, options) if mechanism in WITH_PASSWORD else _token(given, options, https_ca)


def _jaas(given: Given, mechanism: str) -> Jaas | None:
    if not given.text("sasl.jaas.config"):
        return None
    try:
        jaas = parse(given.secret("sasl.jaas.config"))
    except ValueError as error:
        raise given.wrong("sasl.jaas.config", str(error)) from None
    if mechanism not in jaas.mechanisms:
        module = jaas.module.rpartition(".")[2]
        raise given.wrong("sasl.jaas.config", f"has the {module}, which serves {' and '.join(jaas.mechanisms)}: "
                          f"sasl.mechanism is {mechanism}")  # fmt: skip
    return jaas


def _password(given: Given, mechanism: str, options: dict[str, str]) -> Password:
    if options.get("tokenauth", "").lower() == "true":
        raise given.wrong("sasl.jaas.config", "has tokenauth=true: delegation tokens are not offered")
    user = given.text("sasl.username") or options.get("username", "")
    password = given.secret("sasl.password") or options.get("password", "")
    lacking = [name for name, value in (("user name", user), ("password", password)) if not value]
    if lacking:
        raise given.wrong(
            "sasl.mechanisms",
            f"{mechanism} needs a {' and a '.join(lacking)}: sasl.username and sasl.password, or Java's "
            "sasl.jaas.config with username and password",
        )
    return Password(mechanism, user, SecretStr(password))


def _token(given: Given, options: dict[str, str], https_ca: str) -> Token:
    endpoint = given.text(ENDPOINT)
    if given.text("sasl.oauthbearer.grant.type", "client_credentials") != "client_credentials":
        raise given.wrong("sasl.oauthbearer.grant.type", "must be client_credentials: no other is offered")
    if endpoint.startswith("file:"):
        return TokenFile(given.file(ENDPOINT))
    if endpoint.startswith(("http://", "https://")):
        return _client_credentials(given, endpoint, options, https_ca)
    if endpoint:
        raise given.wrong(ENDPOINT, "must begin with https://, http:// or file:///")
    return _unsecured(given, options)


def _client_credentials(given: Given, endpoint: str, options: dict[str, str], https_ca: str) -> ClientCredentials:
    client = given.text("sasl.oauthbearer.client.id") or options.get("clientId", "")
    password = given.secret("sasl.oauthbearer.client.secret") or options.get("clientSecret", "")
    if not (client and password):
        raise given.wrong(ENDPOINT, "needs sasl.oauthbearer.client.credentials.client.id and …client.secret, or Java's "
                          "sasl.jaas.config with clientId and clientSecret")  # fmt: skip
    named = {name.removeprefix("extension_"): value for name, value in options.items() if name.startswith("extension_")}
    return ClientCredentials(
        endpoint,
        client,
        SecretStr(password),
        given.text("sasl.oauthbearer.scope") or options.get("scope", ""),
        given.text("sasl.oauthbearer.extensions") or ",".join(f"{name}={value}" for name, value in named.items()),
        https_ca,
    )


def _unsecured(given: Given, options: dict[str, str]) -> Unsecured:
    if options.get(CLAIM):
        return Unsecured(f"principal={options[CLAIM]}")
    if given.text("enable.sasl.oauthbearer.unsecure.jwt").lower() in TRUE and given.text("sasl.oauthbearer.config"):
        return Unsecured(given.text("sasl.oauthbearer.config"))
    raise given.wrong(
        "sasl.mechanisms",
        f"OAUTHBEARER needs {ENDPOINT}: https://… with client credentials, or file:///… with a token; a cluster for "
        f"tests may do with {CLAIM} in sasl.jaas.config",
    )
