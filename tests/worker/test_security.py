"""Security settings: what contradicts itself is refused by name, and no secret is shown anywhere."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from tests.kafka.secure import Authority
from worker import security
from worker.settings import Settings, SettingsError
from worker.tls import CredentialError, Secret, TlsContext, is_loopback
from worker.tokens import Tokens

SECRET = "not-for-eyes-41"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def made(**variables: str) -> Settings:
    return Settings.from_environment({f"MODERATOR_{name}": text for name, text in variables.items()})


def scram(secret: str) -> dict[str, str]:
    return {
        "SECURITY_PROTOCOL": "sasl_ssl",
        "SASL_MECHANISM": "scram-sha-256",
        "SASL_USERNAME": "ann",
        "SASL_PASSWORD_FILE": secret,
    }


def test_plaintext_is_the_default_and_tells_clients_nothing() -> None:
    settings = made()
    assert settings.security_protocol == "PLAINTEXT"
    assert security.for_aiokafka(settings) == security.for_kafka_python(settings) == {}
    assert security.for_faust(settings) is None


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL"),
        ({"SASL_USERNAME": "ann"}, "SASL_USERNAME"),
        ({"SECURITY_PROTOCOL": "SSL", "SASL_MECHANISM": "PLAIN"}, "SASL_MECHANISM"),
        ({"TLS_CA_FILE": "FILE"}, "TLS_CA_FILE"),
        ({"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "TLS_CA_FILE": "FILE"}, "TLS_CA_FILE"),
        ({"SECURITY_PROTOCOL": "SSL", "TLS_KEY_FILE": "FILE"}, "TLS_CERT_FILE"),
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_MECHANISM"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "GSSAPI"}, "SASL_MECHANISM"),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "a"},
            "SASL_PASSWORD_FILE",
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "OAUTH_TOKEN_FILE": "FILE"},
            "OAUTH_TOKEN_FILE",
        ),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "OAUTHBEARER"}, "OAUTH_TOKEN_FILE"),
        (
            {
                "SECURITY_PROTOCOL": "SASL_SSL",
                "SASL_MECHANISM": "OAUTHBEARER",
                "OAUTH_TOKEN_FILE": "FILE",
                "OAUTH_TOKEN_URL": "https://issuer.example/token",
            },
            "OAUTH_TOKEN_URL",
        ),
        (
            {
                "SECURITY_PROTOCOL": "SASL_SSL",
                "SASL_MECHANISM": "OAUTHBEARER",
                "OAUTH_TOKEN_URL": "https://issuer.example/token",
                "OAUTH_CLIENT_ID": "ann",
            },
            "OAUTH_CLIENT_SECRET_FILE",
        ),
        (
            {
                "SECURITY_PROTOCOL": "SASL_SSL",
                "SASL_MECHANISM": "OAUTHBEARER",
                "OAUTH_TOKEN_URL": "http://issuer.example/token",
                "OAUTH_CLIENT_ID": "ann",
                "OAUTH_CLIENT_SECRET_FILE": "FILE",
            },
            "OAUTH_TOKEN_URL",
        ),
    ],
)
def test_contradictions_name_the_variable(variables: dict[str, str], named: str, secret: str) -> None:
    given = {name: secret if text == "FILE" else text for name, text in variables.items()}
    with pytest.raises(SettingsError) as raised:
        made(**given)
    assert str(raised.value).startswith(f"MODERATOR_{named}:")
    assert SECRET not in str(raised.value)


def test_files_that_cannot_be_used_are_named(tmp_path: Path, secret: str, authority: Authority) -> None:
    gone = str(tmp_path / "gone")
    empty = tmp_path / "empty"
    empty.write_text("\n", encoding="utf-8")
    for path, words in ((gone, "cannot be read"), (str(empty), "is empty")):
        with pytest.raises(SettingsError, match=words) as raised:
            made(**scram(path))
        assert path in str(raised.value)
    with pytest.raises(SettingsError, match="not a file of CA certificates") as raised:
        made(**scram(secret), TLS_CA_FILE=secret)
    assert secret in str(raised.value)
    assert SECRET not in str(raised.value)
    locked = authority.issue("locked", password=SECRET)
    mutual = {
        "SECURITY_PROTOCOL": "SSL",
        "TLS_CERT_FILE": str(locked.certificate),
        "TLS_KEY_FILE": str(locked.key),
    }
    assert made(**mutual, TLS_KEY_PASSWORD_FILE=secret).tls_key_password_file == Path(secret)
    with pytest.raises(SettingsError, match="MODERATOR_TLS_CERT_FILE"):
        made(**mutual)  # and nobody is asked on the terminal


def test_no_secret_is_shown(secret: str) -> None:
    settings = made(**scram(secret))
    shown = [settings, settings.to_environment(), security.for_aiokafka(settings), Secret(Path(secret))]
    credentials = security.for_faust(settings)
    shown += [credentials, vars(credentials)]
    assert not [each for each in shown if SECRET in repr(each)]
    assert security.for_kafka_python(settings)["sasl_plain_password"] == SECRET
    assert Settings.from_environment(settings.to_environment()) == settings


def test_what_a_command_needs_is_read_without_the_rest(secret: str) -> None:
    environment = {f"MODERATOR_{name}": text for name, text in scram(secret).items()}
    settings = Settings.of_connection({**environment, "MODERATOR_BATCH": "none"})
    assert settings == made(**scram(secret))


def test_a_token_is_read_from_its_file_each_time(secret: str) -> None:
    settings = made(SECURITY_PROTOCOL="SASL_SSL", SASL_MECHANISM="OAUTHBEARER", OAUTH_TOKEN_FILE=secret)
    tokens = Tokens(settings)
    assert tokens.get() == SECRET
    Path(secret).write_text("another", encoding="utf-8")
    assert tokens.get() == "another"
    assert "another" not in repr(tokens)
    Path(secret).unlink()
    with pytest.raises(CredentialError, match="cannot be read"):
        tokens.get()


def test_a_new_certificate_is_taken_at_the_next_handshake(authority: Authority) -> None:
    first = authority.issue("one")
    server = TlsContext(ssl.PROTOCOL_TLS_SERVER, certificate=first.certificate, key=first.key)
    client = TlsContext(ssl.PROTOCOL_TLS_CLIENT, ca=authority.certificate)
    before = shown_certificate(server, client)
    assert shown_certificate(server, client) == before
    authority.issue("two", file="one")
    for path in (first.certificate, first.key):
        os.utime(path, ns=(1, 1))  # a clock too coarse to tell the two writings apart must not hide it
    after = shown_certificate(server, client)
    assert after != before
    first.key.write_text("half written", encoding="ascii")
    assert shown_certificate(server, client) == after


def shown_certificate(server: TlsContext, client: TlsContext) -> bytes | None:
    """What the server shows in a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    done: set[ssl.SSLObject] = set()
    for _ in range(10):
        for side in {ours, theirs} - done:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            done.add(side)
    assert done == {ours, theirs}
    return ours.getpeercert(binary_form=True)


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("a", False),
    ],
)
def test_loopback(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it
