"""A broker with TLS and SASL listeners, and the certificates that go with it, made for one test run."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from worker.embedded import EmbeddedKafka
from worker.embedded.settings import HOST

USER = "moderator"
PASSWORD = "orange-Zebra 19 quiet"
_PROTOCOLS = {"SECURE": "SASL_SSL", "MUTUAL": "SSL"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key as PEM files; the key is unencrypted unless a password was given."""

    certificate: Path
    key: Path

    def joined(self) -> Path:
        """Both in one file, as a broker wants them."""
        path = self.key.with_suffix(".both.pem")
        path.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return path


class Authority:
    """A certificate authority of a test, its files in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = folder / f"{name}.pem"
        made = (
            _builder(self._name, self._name, self._key, days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, days: int = 30, password: str = "", file: str = "") -> Certificate:
        """A certificate for a broker on the loopback interface or for a client; negative days: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        made = (
            _builder(_name(name), self._name, key, days=days)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        found = Certificate(self._folder / f"{file or name}.pem", self._folder / f"{file or name}.key")
        found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        found.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        )
        return found


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )


def unsecured_token(subject: str, seconds: float = 3600.0) -> str:
    """A JWT without a signature, as the test listener takes it."""
    now = int(time.time()) - 60
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + 60 + int(seconds)})
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{body}."


@dataclass(frozen=True, slots=True)
class SecureBroker:
    """A running broker: `plain` takes anybody (the test's own clients), `secure` wants SASL, `mutual` a certificate."""

    kafka: EmbeddedKafka
    authority: Authority
    folder: Path

    @property
    def plain(self) -> str:
        return self.kafka.bootstrap

    @property
    def secure(self) -> str:
        return self.kafka.address("SECURE")

    @property
    def mutual(self) -> str:
        return self.kafka.address("MUTUAL")

    @classmethod
    @contextmanager
    def run(cls, folder: Path, config: Mapping[str, str] | None = None, *, days: int = 30) -> Iterator[Self]:
        """Starts one with the user `USER`, whose password is `PASSWORD`; its certificate lasts so many days."""
        authority = Authority(folder / "authority")
        own = authority.issue("broker", days=days)
        scram = [
            f"--add-scram={mechanism}=[name={USER},password={PASSWORD}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]
        settings = {**_listener_settings(own, authority), **(config or {})}
        with EmbeddedKafka(
            folder / "kafka", config=settings, listeners=_PROTOCOLS, format_options=scram
        ) as kafka:
            yield cls(kafka, authority, folder)

    def change_password(self, password: str) -> None:
        """Gives the user `USER` another password for SCRAM-SHA-512, which workers here use by default."""
        from kafka import KafkaAdminClient
        from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.plain)) as admin:
            change = UserScramCredentialUpsertion(USER, ScramMechanism.SCRAM_SHA_512, password)
            assert admin.alter_user_scram_credentials([change]) == {USER: None}

    def file(self, name: str, text: str) -> str:
        """Writes a secret for a worker to read; gives the path."""
        path = self.folder / name
        path.write_text(text + "\n", encoding="utf-8")
        return str(path)

    def scram(self, mechanism: str = "SCRAM-SHA-512", password: str = PASSWORD) -> dict[str, str]:
        """The `MODERATOR_…` variables of a worker that logs in by name and password."""
        return {
            "MODERATOR_SECURITY_PROTOCOL": "SASL_SSL",
            "MODERATOR_SASL_MECHANISM": mechanism,
            "MODERATOR_SASL_USERNAME": USER,
            "MODERATOR_SASL_PASSWORD_FILE": self.file(f"password-{uuid.uuid4().hex}", password),
            "MODERATOR_TLS_CA_FILE": str(self.authority.certificate),
        }

    def oauth(self, token: str) -> dict[str, str]:
        """The variables of a worker with a token in a file."""
        return {
            "MODERATOR_SECURITY_PROTOCOL": "SASL_SSL",
            "MODERATOR_SASL_MECHANISM": "OAUTHBEARER",
            "MODERATOR_OAUTH_TOKEN_FILE": self.file(f"token-{uuid.uuid4().hex}", token),
            "MODERATOR_TLS_CA_FILE": str(self.authority.certificate),
        }

    def certified(self, client: Certificate, password: str = "") -> dict[str, str]:
        """The variables of a worker with a certificate of its own."""
        found = {
            "MODERATOR_SECURITY_PROTOCOL": "SSL",
            "MODERATOR_TLS_CA_FILE": str(self.authority.certificate),
            "MODERATOR_TLS_CERT_FILE": str(client.certificate),
            "MODERATOR_TLS_KEY_FILE": str(client.key),
        }
        if password:
            found["MODERATOR_TLS_KEY_PASSWORD_FILE"] = self.file("key-password", password)
        return found


def _listener_settings(own: Certificate, authority: Authority) -> dict[str, str]:
    stores: dict[str, str] = {}
    for name in ("secure", "mutual"):
        start = f"listener.name.{name}."
        stores |= {
            f"{start}ssl.keystore.type": "PEM",
            f"{start}ssl.keystore.location": str(own.joined()),
            f"{start}ssl.truststore.type": "PEM",
            f"{start}ssl.truststore.location": str(authority.certificate),
        }
    security = "org.apache.kafka.common.security"
    login = "listener.name.secure."
    return {
        **stores,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]*).*$/$1/",
        f"{login}sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER",
        f"{login}scram-sha-256.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
        f"{login}scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
        f"{login}plain.sasl.jaas.config": (
            f'{security}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        ),
        f"{login}oauthbearer.sasl.jaas.config": f"{security}.oauthbearer.OAuthBearerLoginModule required;",
        f"{login}oauthbearer.sasl.server.callback.handler.class": (
            f"{security}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
        ),
    }
