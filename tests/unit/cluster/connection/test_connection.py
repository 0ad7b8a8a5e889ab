"""A client's `.properties` file as the settings of a connection."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from factorylab.cluster.connection.connection import Connection, read_connection
from factorylab.core.errors import UsageError
from tests.support.certificates import authority, issued
from tests.support.property_files import SETS

WORD = "Tr0ub4dor-and-three"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
CA = authority()
OWN = issued(CA, "alice")


def connection(folder: Path, **lines: str) -> Connection:
    """Of a file with these settings, whose names have `_` for dots; brokers are named unless they are given."""
    return read_connection(written(folder, **lines))


def written(folder: Path, **lines: str) -> Path:
    given = {"bootstrap_servers": "kafka.example:9093", **lines}
    path = folder / "client.properties"
    path.write_text("".join(f"{name.replace('_', '.')}={value}\n" for name, value in given.items()))
    return path


def refused(folder: Path, **lines: str) -> str:
    with pytest.raises(UsageError) as caught:
        connection(folder, **lines)
    assert WORD not in str(caught.value)
    return str(caught.value)


def on_one_line(pem: str) -> str:
    return " ".join(pem.split("\n"))


def token(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def pem_files(folder: Path, password: str = "") -> dict[str, str]:
    key = f"key{password}.pem"
    for name, text in (("ca.pem", CA.pem), ("own.pem", OWN.pem), (key, OWN.key_pem(password))):
        (folder / name).write_text(text)
    return {"ssl_ca_location": "ca.pem", "ssl_certificate_location": "own.pem", "ssl_key_location": key}


def test_plain(tmp_path: Path) -> None:
    """A file that only names brokers connects in plain text, as both clients do."""
    settings = connection(tmp_path, bootstrap_servers="a:9092, b:9092").client_settings()
    assert settings == {"bootstrap.servers": "a:9092,b:9092", "security.protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_jaas_is_user_and_password(tmp_path: Path, mechanism: str) -> None:
    """Java's sasl.jaas.config gives librdkafka its user and password, quotes and escapes undone."""
    jaas = f'{SCRAM} required username="alice" password="a \\\\"b\\\\" ;c";'
    settings = connection(
        tmp_path, security_protocol="sasl_ssl", sasl_mechanism=mechanism, sasl_jaas_config=jaas
    ).client_settings()
    assert settings["sasl.username"] == "alice" and settings["sasl.password"] == 'a "b" ;c'
    assert settings["sasl.mechanism"] == mechanism and settings["security.protocol"] == "SASL_SSL"


def test_every_form_of_certificate_is_the_same(tmp_path: Path) -> None:
    """PEM files, PEM on one line and PKCS12 give the same trust and identity, with Java's names and librdkafka's."""
    (tmp_path / "trust.p12").write_bytes(CA.trust_store(WORD))
    (tmp_path / "own.p12").write_bytes(OWN.store(WORD, CA))
    forms = (
        pem_files(tmp_path),
        pem_files(tmp_path, password=WORD) | {"ssl_key_password": WORD},
        {"ssl_truststore_location": "trust.p12", "ssl_truststore_password": WORD,
         "ssl_keystore_location": "own.p12", "ssl_keystore_password": WORD},
        {"ssl_truststore_type": "PEM", "ssl_truststore_certificates": on_one_line(CA.pem),
         "ssl_keystore_certificate_chain": on_one_line(OWN.pem), "ssl_keystore_key": on_one_line(OWN.key_pem())},
    )  # fmt: skip
    for form in forms:
        settings = connection(tmp_path, security_protocol="SSL", **form).client_settings()
        assert settings["ssl.ca.pem"] == CA.pem and settings["ssl.key.pem"] == OWN.key_pem()
        assert str(settings["ssl.certificate.pem"]).startswith(OWN.pem)
        AdminClient({**settings, "log_level": 0})


def test_jks_is_refused_with_the_command(tmp_path: Path) -> None:
    """A JKS store is refused with keytool's command that converts it, whatever type is declared."""
    (tmp_path / "trust.jks").write_bytes(b"\xfe\xed\xfe\xed rest")
    said = refused(tmp_path, security_protocol="SSL", ssl_truststore_location="trust.jks", ssl_truststore_type="PKCS12")
    assert "keytool -importkeystore -srckeystore" in said and "-deststoretype PKCS12" in said


def test_token_of_a_file(tmp_path: Path) -> None:
    """A token is read from its file at each login, with the time at which it ends; one that has ended is refused."""
    file, ends_s = tmp_path / "token", int(time.time()) + 60
    file.write_text(token(sub="alice", exp=ends_s) + "\n")
    url = {"sasl_oauthbearer_token_endpoint_url": file.as_uri()}
    found = connection(tmp_path, security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", **url).client_settings()
    ask = found["oauth_cb"]
    assert not isinstance(ask, str) and ask("") == (file.read_text().strip(), ends_s)
    file.write_text(token(exp=1))
    with pytest.raises(UsageError, match="ended 1970-01-01 00:00:01 UTC"):
        ask("")


def test_client_credentials(tmp_path: Path) -> None:
    """Java's client id and secret are those of librdkafka's own way to a token, and it takes them."""
    jaas = f'{OAUTH} required clientId="lab" clientSecret="{WORD}" scope="kafka" extension_logicalCluster="lkc-1";'
    settings = connection(
        tmp_path, security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_jaas_config=jaas,
        sasl_oauthbearer_token_endpoint_url="https://id.example/token",
    ).client_settings()  # fmt: skip
    wanted = {"client.id": "lab", "client.secret": WORD, "scope": "kafka", "extensions": "logicalCluster=lkc-1"}
    assert {name: settings[f"sasl.oauthbearer.{name}"] for name in wanted} == wanted
    assert settings["sasl.oauthbearer.method"] == "oidc"


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    """No text, log or encoding of a connection or its settings shows a secret, and neither can be pickled."""
    found = connection(
        tmp_path, security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_username="alice", sasl_password=WORD,
        **pem_files(tmp_path),
    )  # fmt: skip
    settings, record = found.client_settings(), logging.makeLogRecord({"msg": "%r %s"})
    record.args = (found, found.client_settings())
    shown = f"{found!r} {found} {settings!r} {settings} {vars(found)} {record.getMessage()}"
    assert WORD not in shown and "PRIVATE KEY" not in shown and settings["sasl.password"] == WORD
    for one in (found, settings):
        for how in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="read"):
                how(one)
    for encode in (json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            encode(found)


WRONG = (
    ({"security_protocol": "TLS"}, "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
    ({"bootstrap_servers": "kafka"}, "must be host:port,host:port, and 'kafka' is not one"),
    ({"bootstrap_servers": "PLAINTEXT://kafka:9092"}, "must be host:port"),
    ({"sasl_mechanism": "PLAIN"}, "security.protocol=PLAINTEXT (the default) logs nobody in"),
    ({"security_protocol": "SASL_SSL"}, "not GSSAPI (the default, since sasl.mechanism is not there)"),
    ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "PLAIN needs a user name and a password"),
    ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_jaas_config": f'{SCRAM} required username="a" '
      f'password="{WORD}";'}, "has the ScramLoginModule, which serves SCRAM-SHA-256 and SCRAM-SHA-512"),
    ({"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256",
      "sasl_jaas_config": f'{SCRAM} required username="a" password="{WORD}"'}, "the semicolon at the end"),
    ({"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "OAUTHBEARER needs"),
    ({"security_protcol": "SSL"}, "did you mean security.protocol?"),
    ({"acsk": "all"}, "acsk is no setting; did you mean acks?"),
    ({"node_id": "1"}, "is a broker's file, by node.id"),
    ({"spring_kafka_consumer_group-id": "x"}, "is Spring Boot's"),
    ({"ssl_engine_factory_class": "my.Engine"}, "is code of your program"),
    ({"security_protocol": "SSL", "ssl_ca_location": "none.pem"}, "names 'none.pem', and there is no such file"),
    ({"security_protocol": "SSL", "ssl_ca_pem": "no"}, "holds no certificate in PEM"),
    ({"security_protocol": "SSL", "ssl_certificate_pem": on_one_line(OWN.pem)}, "needs its private key"),
    ({"security_protocol": "SSL", "ssl_certificate_pem": on_one_line(CA.pem),
      "ssl_key_pem": on_one_line(OWN.key_pem())}, "is the key of another certificate"),
    ({"security_protocol": "SSL", "ssl_certificate_pem": on_one_line(OWN.pem),
      "ssl_key_pem": on_one_line(OWN.key_pem(WORD))}, "is a key with a password: give ssl.key.password"),
)  # fmt: skip


@pytest.mark.parametrize(("lines", "said"), WRONG)
def test_wrong(tmp_path: Path, lines: dict[str, str], said: str) -> None:
    """What cannot be used is refused by its name, with the rule or the way out."""
    assert said in refused(tmp_path, **lines)


def test_wrong_password_of_a_store(tmp_path: Path) -> None:
    """A PKCS12 store that its password does not open is refused so, without the password."""
    (tmp_path / "trust.p12").write_bytes(CA.trust_store("another"))
    store = {"ssl_truststore_location": "trust.p12", "ssl_truststore_password": WORD}
    assert "its password does not open" in refused(tmp_path, security_protocol="SSL", **store)


def test_others_are_left_out_by_name(tmp_path: Path) -> None:
    """Keys that say nothing of connecting, of other libraries too, are left out by name."""
    found = connection(tmp_path, acks="all", group_id="x", schema_registry_url="http://registry.example")
    assert found.left_out == ("acks", "group.id", "schema.registry.url")


def test_secret_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password may stand in an environment variable, and an unset one is named."""
    lines = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "alice"}
    monkeypatch.setenv("LAB_WORD", WORD)
    assert connection(tmp_path, **lines, sasl_password="${env:LAB_WORD}").client_settings()["sasl.password"] == WORD
    monkeypatch.delenv("LAB_WORD")
    assert "set the environment variable LAB_WORD" in refused(tmp_path, **lines, sasl_password="${env:LAB_WORD}")


UNDERSTOOD_SETS = {"admin_only", "confluent_cloud_consumer", "confluent_cloud_python", "german", "python_producer"}


@pytest.mark.parametrize("file", sorted(SETS.glob("*.properties")), ids=lambda file: str(file.stem))
def test_files_as_people_have_them(file: Path) -> None:
    """A client's file that names brokers is understood; any other is refused, and shows no secret."""
    try:
        found = read_connection(file)
    except UsageError as error:
        assert file.stem not in UNDERSTOOD_SETS and str(file) in str(error)
        assert "BEGIN" not in str(error) and "fake-" not in str(error)
    else:
        assert found.bootstrap and "fake-" not in f"{found!r} {found} {found.client_settings()!r}"
