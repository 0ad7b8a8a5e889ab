"""What is secret, and what is shown in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab import runs, secret
from factorylab.errors import UsageError
from factorylab.scenarios import build

KEY = b"k" * 32
PLANTED = "pl4nted-Secret"
NAMES = (
    "sasl.password", "sasl.jaas.config", "listener.name.plain.sasl.jaas.config", "ssl.key.password", "ssl.key.pem",
    "ssl.keystore.key", "ssl.keystore.password", "ssl.truststore.password", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config", "sasl.oauthbearer.assertion.private.key.passphrase", "basic.auth.user.info",
    "sasl.oauthbearer.assertion.private.key.pem", "bearer.auth.token", "PGPASSWORD", "sslpassword", "clientSecret",
    "aws_secret_access_key", "access_token", "api-key", "Pwd",
)  # fmt: skip
NO_SECRETS = (
    "acks", "bootstrap.servers", "client.id", "sasl.username", "sasl.mechanisms", "ssl.key.location", "ssl.ca.pem",
    "ssl.keystore.location", "sasl.oauthbearer.token.endpoint.url", "delegation.token.max.lifetime.ms", "message.key",
    "sasl.oauthbearer.assertion.private.key.file", "ssl.certificate.pem", "enable.idempotence",
)  # fmt: skip
VALUES = (
    f"postgresql://user:{PLANTED}@host:5432/db",
    f"postgresql://user:p@ss/{PLANTED} #1@host/db",  # as people write it, and no URL
    f"postgresql://host/db?user=me&password={PLANTED}&sslmode=disable",
    f"http://user:{PLANTED}@proxy:3128",
    f"https://{PLANTED}@example.org/x.git",
    f"host=h user=me password={PLANTED} dbname=d",
    f"host=h password = 'a b {PLANTED}' dbname=d",
    f'PlainLoginModule required username="me" password="{PLANTED}";',
    f"producer: {{acks: all, sasl.password: {PLANTED}}}",
    f"sasl.password: a {PLANTED} of several words\nacks: all",
    f'{{"sasl.password": "{PLANTED}"}}',
    f"Authorization: Bearer {PLANTED}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----\n",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_value_of_a_secret_name_is_masked(name: str) -> None:
    """A secret is known by its key, in the spellings of librdkafka, Java, libpq and the environment."""
    assert secret.masked({"clients": {name: PLANTED}}) == {"clients": {name: "***"}}


@pytest.mark.parametrize("name", NO_SECRETS)
def test_other_settings_stay_readable(name: str) -> None:
    """A setting beside a secret, such as the place of a key, is shown as it is."""
    assert secret.masked({name: "value"}, KEY) == {name: "value"}


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_inside_a_value_is_masked(value: str) -> None:
    """Passwords in URLs, keyword forms, JAAS, YAML and PEM are masked under any key; masking again changes nothing."""
    shown = secret.masked({"any.key": [value]}, KEY)
    assert PLANTED not in str(shown) and "***(" in str(shown)
    assert secret.masked(shown, KEY) == shown


def test_equal_secrets_have_equal_digests() -> None:
    """One key: the same secret shows the same digest, another secret another; another key shows another digest."""
    a, same, other = (secret.masked({"sasl.password": text}, KEY) for text in ("one", "one", "two"))
    assert a == same != other
    assert secret.masked({"sasl.password": "one"}, b"another") != a


def test_what_holds_no_secret_stays() -> None:
    """An empty value, a reference and plain data are no secrets; types are kept."""
    data = {"sasl.password": "", "ssl.key.password": "${env:KEY}", "n": 1, "t": (1.5, None), "u": "postgresql://me@h/d"}
    assert secret.masked(data, KEY) == data


def test_a_mask_is_found_again() -> None:
    """Where a mask stands, the secret has to be given again."""
    data = {"clients": {"producer": {"sasl.password": PLANTED, "acks": "all"}, "consumer": {}}}
    assert secret.masks(secret.masked(data, KEY)) == ["clients.producer.sasl.password"]
    assert secret.masks(data) == []


@pytest.mark.parametrize("quoted", ["it's {}", '"{}"', "({})", "postgresql://u:{}@h", "said {}."])
def test_a_remembered_secret_is_found_in_any_text(quoted: str) -> None:
    """A text of a library that quotes a known secret, also URL-encoded, is cleaned; other words are left alone."""
    given = "qu/o'ted-pw"
    secret.remember({"sasl.password": given})
    for form in (given, "qu%2Fo%27ted-pw"):
        assert secret.clean(quoted.format(form)) == quoted.format("***")
    assert secret.clean("producer.sasl.password: must be a text") == "producer.sasl.password: must be a text"


def test_runs_of_one_folder_share_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    """Two runs show the same digest for the same secret; the key lies outside both, and is not made without need."""
    first, second, elsewhere = (runs.create(tmp_path / place, build("baseline", {})) for place in ("a", "a", "b"))
    assert first.masked({"acks": "all"}) == {"acks": "all"} and not (tmp_path / "a" / runs.SECRET_KEY).exists()
    shown = [run.masked({"sasl.password": PLANTED}) for run in (first, second, elsewhere)]
    assert shown[0] == shown[1] != shown[2]
    assert (tmp_path / "a" / runs.SECRET_KEY).stat().st_mode & 0o777 == 0o600


def test_a_broken_key_is_refused(tmp_path: Path) -> None:
    """A key that is cut short would give digests that mean nothing."""
    (tmp_path / runs.SECRET_KEY).write_bytes(b"short")
    with pytest.raises(UsageError, match="is no key of 32 bytes"):
        runs.secret_key(tmp_path)
