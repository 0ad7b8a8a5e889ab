"""The ways to an OAUTHBEARER token: a file that somebody else renews, an identity provider, nobody's word."""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx
from pydantic import SecretStr

from factorylab.core import secret
from factorylab.core.errors import UsageError

Setting = str | Callable[[str], tuple[str, float]]
"""A value of a client's settings: a text, or the function that is asked for a token and when it ends (s since 1970)."""
ENDPOINT_S, LIFE_S = 10.0, 3600
ENDPOINT = "sasl.oauthbearer.token.endpoint.url"


@dataclass(frozen=True)
class TokenFile:
    """A token that somebody else renews in a file: it is read at each login."""

    path: Path
    mechanism: ClassVar[str] = "OAUTHBEARER"

    def settings(self) -> dict[str, Setting]:
        return {"oauth_cb": lambda _config: self.token()}

    def token(self) -> tuple[str, float]:
        """The token and when it ends, in seconds since 1970.

        Raises:
            UsageError: the file has no JSON web token that says when it ends, or that one has ended.
        """
        token = self.path.read_text(encoding="utf-8").strip()
        secret.remember({"token": token})
        ends_s = _ends_s(token)
        if ends_s is None:
            raise UsageError(f"{self.path} holds no JSON web token with a time at which it ends (exp)")
        if ends_s <= time.time():
            raise UsageError(f"the token in {self.path} ended {time.strftime('%F %T UTC', time.gmtime(ends_s))}")
        return token, ends_s

    def __str__(self) -> str:
        return f"{self.mechanism} with the token in {self.path.name}"


@dataclass(frozen=True)
class ClientCredentials:
    """A client that asks an identity provider for its tokens (OAuth 2.0, RFC 6749, 4.4)."""

    endpoint: str
    client: str
    secret: SecretStr
    scope: str = ""
    extensions: str = ""
    https_ca: str = ""
    mechanism: ClassVar[str] = "OAUTHBEARER"

    def settings(self) -> dict[str, Setting]:
        said = {"scope": self.scope, "extensions": self.extensions}
        return {
            "sasl.oauthbearer.method": "oidc",
            ENDPOINT: self.endpoint,
            "sasl.oauthbearer.client.id": self.client,
            "sasl.oauthbearer.client.secret": self.secret.get_secret_value(),
            **{f"sasl.oauthbearer.{name}": value for name, value in said.items() if value},
            **({"https.ca.pem": self.https_ca} if self.https_ca else {}),
        }

    def token(self) -> tuple[str, float]:
        """A token of the endpoint and when it ends, in seconds since 1970.

        Raises:
            UsageError: it gives none, with its answer's code and error (RFC 6749, 5.2).
        """
        asked_s = time.time()
        try:
            trust = ssl.create_default_context(cadata=self.https_ca or None)
            form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
            who = (self.client, self.secret.get_secret_value())
            answer = httpx.post(self.endpoint, data=form, auth=who, verify=trust, timeout=ENDPOINT_S)
            told = answer.json()
            token = str(told["access_token"])
        except httpx.HTTPError as error:
            raise UsageError(f"no token from {self.endpoint}: {error}") from None
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"no token from {self.endpoint}: {_refusal(answer)}") from None
        secret.remember({"token": token})
        return token, _ends_s(token) or asked_s + float(told.get("expires_in", 0))

    def __str__(self) -> str:
        return f"{self.mechanism} as {self.client}, by {self.endpoint}"


@dataclass(frozen=True)
class Unsecured:
    """A token that nobody signed, which only clusters for tests take."""

    config: str
    mechanism: ClassVar[str] = "OAUTHBEARER"

    def settings(self) -> dict[str, Setting]:
        return {"enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": self.config}

    def token(self) -> tuple[str, float]:
        """The token that librdkafka would make of `config` (RFC 7519, 6), and when it ends."""
        now_s = time.time()
        ends_s = now_s + LIFE_S
        given = dict(pair.partition("=")[::2] for pair in self.config.split())
        who = {given.get("principalClaimName", "sub"): given.get("principal", "")}
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, who | {"iat": now_s, "exp": ends_s}))
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".", ends_s

    def __str__(self) -> str:
        return f"{self.mechanism} with a token that nobody signed ({self.config})"


Token = TokenFile | ClientCredentials | Unsecured


def _refusal(answer: httpx.Response) -> str:
    """Code and error of an answer without a token; its text may hold more than is to be shown."""
    try:
        told = answer.json()
        error = str(told.get("error", "")) if isinstance(told, dict) else ""
    except ValueError:
        error = ""
    return f"HTTP {answer.status_code}" + (f" ({error})" if error else "")


def claims(token: str) -> dict[str, object]:
    """What a JSON web token says (RFC 7519), unproved; empty where it is none."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _ends_s(token: str) -> float | None:
    """When a token ends (4.1.4 there), in seconds since 1970."""
    ends_s = claims(token).get("exp")
    return float(ends_s) if isinstance(ends_s, int | float) else None
