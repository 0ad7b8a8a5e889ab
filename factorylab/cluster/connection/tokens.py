"""The ways to an OAUTHBEARER token: a file that somebody else renews, an identity provider, nobody's word."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from factorylab.core import secret
from factorylab.core.errors import UsageError

Setting = str | Callable[[str], tuple[str, float]]
"""A value of a client's settings: a text, or the function that is asked for a token and when it ends (s since 1970)."""
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

    def __str__(self) -> str:
        return f"{self.mechanism} as {self.client}, by {self.endpoint}"


@dataclass(frozen=True)
class Unsecured:
    """A token that nobody signed, which only clusters for tests take."""

    config: str
    mechanism: ClassVar[str] = "OAUTHBEARER"

    def settings(self) -> dict[str, Setting]:
        return {"enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": self.config}

    def __str__(self) -> str:
        return f"{self.mechanism} with a token that nobody signed ({self.config})"


def _ends_s(token: str) -> float | None:
    """When a JSON web token ends (RFC 7519, 4.1.4), in seconds since 1970."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None
