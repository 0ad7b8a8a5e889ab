"""Why a broker could not be reached or does not let one in, in a sentence with the way out."""

from __future__ import annotations

import socket
import ssl

from cryptography import x509
from kafka.errors import InvalidReceiveError, KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError

from factorylab.cluster.connection.connection import Connection
from factorylab.core.errors import UsageError

EXPIRED, NOT_YET, OTHER_NAME, OTHER_ADDRESS = 10, 9, 62, 64  # OpenSSL's X509_V_ERR_…
UNKNOWN_CA = frozenset({2, 18, 19, 20, 21})
OF_CLIENT = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN",
             "HANDSHAKE_FAILURE")  # fmt: skip
"""Alerts of TLS by which a broker refuses the client's certificate, or asks for one."""
LOOK_S = 5.0


def reason(error: Exception, address: str, connection: Connection) -> str:
    """What `error` of a line to `address` means."""
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, InvalidReceiveError):
        return f"what it answers is not Kafka's: {_other_protocol(connection)}"
    if isinstance(error, KafkaError):
        return _of_login(error, connection)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, address)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, connection)
    return _of_network(error, address, connection)


def _of_network(error: Exception, address: str, connection: Connection) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {address.rpartition(':')[0]} is unknown to this machine"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, TimeoutError):
        return "no answer in time: a firewall may drop it, or the broker hangs"
    if isinstance(error, ConnectionResetError):
        return f"it ends the connection at the first request: {_other_protocol(connection)}"
    return str(error) or type(error).__name__


def _other_protocol(connection: Connection) -> str:
    if connection.tls is None:
        return f"is it a listener with TLS? security.protocol is {connection.protocol}"
    if connection.login is None:
        return "does it ask for a login (SASL_SSL), or a certificate of yours?"
    return f"is it another listener? security.protocol is {connection.protocol}"


def _of_login(error: KafkaError, connection: Connection) -> str:
    login = connection.login
    if login and isinstance(error, UnsupportedSaslMechanismError):
        return f"it does not offer {login.mechanism}; it offers {error.args[0]}: set sasl.mechanism"
    if login and isinstance(error, SaslAuthenticationFailedError):
        said = f" ({error.args[0]})" if error.args and error.args[0] else ""
        return f"it refuses the login, {login}{said}: wrong user, password or token"
    return f"{type(error).__name__}: {error}"


def _of_certificate(error: ssl.SSLCertVerificationError, address: str) -> str:
    shown = _shown_by(address)
    if error.verify_code == EXPIRED:
        ended = f", on {shown.not_valid_after_utc:%F %T} UTC" if shown else ""
        return f"its certificate has expired{ended}: the cluster needs a new one"
    if error.verify_code == NOT_YET:
        return "its certificate is not valid yet: is this machine's clock right?"
    if error.verify_code in {OTHER_NAME, OTHER_ADDRESS}:
        names = f" It is for {', '.join(_names(shown))}." if shown else ""
        return (
            f"its certificate is not for {address.rpartition(':')[0]}.{names} Name the broker so in bootstrap.servers; "
            "brokers tell their names in advertised.listeners"
        )
    if error.verify_code in UNKNOWN_CA:
        by = f" ({shown.issuer.rfc4514_string()})" if shown else ""
        return (
            f"nobody whom you trust signed its certificate{by}: name its authority with ssl.truststore.location or "
            "ssl.ca.location"
        )
    return f"its certificate is not trusted: {error.verify_message}"


def _of_tls(error: ssl.SSLError, connection: Connection) -> str:
    alert = error.reason or ""
    if any(alert.endswith(one) for one in OF_CLIENT):
        own = connection.tls and connection.tls.identity
        if not own:
            return (
                "it asks for a certificate of yours: give ssl.keystore.location, or ssl.certificate.location and "
                "ssl.key.location"
            )
        return f"it refuses your certificate ({alert})"
    said = alert or str(error)
    return f"it does not speak TLS as expected ({said}): is security.protocol={connection.protocol} right for it?"


def _shown_by(address: str) -> x509.Certificate | None:
    """The certificate that a broker shows, whoever signed it; None where it shows none."""
    host, _, port = address.rpartition(":")
    try:
        text = ssl.get_server_certificate((host.strip("[]"), int(port)), timeout=LOOK_S)
        return x509.load_pem_x509_certificate(text.encode())
    except (OSError, ValueError):
        return None


def _names(shown: x509.Certificate) -> list[str]:
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [shown.subject.rfc4514_string()]
    return [str(name.value) for name in names]
