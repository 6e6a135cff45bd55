"""Secrets and TLS from files, read again when they change, so that a certificate or a password can be rotated."""

from __future__ import annotations

import ipaddress
import logging
import ssl
import threading
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_MAX_SECRET_BYTES = 64 * 1024


class CredentialError(OSError):
    """A secret cannot be had now; the message names the file or the endpoint and never holds the secret.

    An OSError, for the Kafka clients treat those as a connection that failed, and try again.
    """


class Secret:
    """A secret in a file, read at each use. Two of one file are equal; `repr` shows the path only."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """The file's text without the line break at its end.

        Raises:
            CredentialError: it cannot be read, is empty, too long or no UTF-8.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(_MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise CredentialError(f"{self.path}: cannot be read ({error.strerror})") from None
        try:
            text = content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise CredentialError(f"{self.path}: is not UTF-8 text") from None
        if not text or len(content) > _MAX_SECRET_BYTES:
            raise CredentialError(f"{self.path}: is {'too long' if text else 'empty'}")
        return text

    def __repr__(self) -> str:
        return f"Secret({str(self.path)!r})"


class TlsContext(ssl.SSLContext):
    """A client's or a server's TLS context that reads its files again before a handshake when they changed.

    An authority that left the CA file is trusted until the process ends: OpenSSL only adds.
    """

    def __new__(cls, protocol: int, **files: Path | None) -> TlsContext:
        return super().__new__(cls, protocol)

    def __init__(
        self,
        protocol: int,
        *,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        key_password: Path | None = None,
    ) -> None:
        """Loads the files; without `ca` a client trusts what the system trusts.

        Raises:
            CredentialError: one of them cannot be used; the message names it.
        """
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self._ca, self._certificate, self._key, self._key_password = ca, certificate, key, key_password
        self._guard = threading.Lock()
        self._loaded = self._marks()
        self._load()

    def _load(self) -> None:
        if self._ca is not None:
            try:
                self.load_verify_locations(cafile=self._ca)
            except (OSError, ValueError) as error:
                raise CredentialError(
                    f"{self._ca}: not a file of CA certificates in PEM ({_why(error)})"
                ) from None
        elif self.verify_mode is ssl.CERT_REQUIRED:
            self.load_default_certs()
        if self._certificate is not None:
            # Always a function: without one OpenSSL would ask for a password on the terminal.
            password = Secret(self._key_password).read if self._key_password is not None else str
            try:
                self.load_cert_chain(self._certificate, self._key, password=password)
            except CredentialError:
                raise
            except (OSError, ValueError) as error:
                names = ", ".join(str(path) for path in (self._certificate, self._key) if path is not None)
                raise CredentialError(
                    f"{names}: not a certificate and its key in PEM, or another password ({_why(error)})"
                ) from None

    def _marks(self) -> tuple[tuple[int, int, int] | None, ...]:
        marks: list[tuple[int, int, int] | None] = []
        for path in (self._ca, self._certificate, self._key):
            try:
                found = path.stat() if path is not None else None
            except OSError:
                found = None
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino) if found else None)
        return tuple(marks)

    def _refresh(self) -> None:
        with self._guard:
            if (marks := self._marks()) == self._loaded:
                return
            try:
                self._load()
                self._loaded = marks
            except CredentialError as error:  # half written: the next handshake looks again
                log.warning("TLS files changed and cannot be used yet: %s", error)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """As the base class, with the files as they are now."""
        self._refresh()
        return super().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As the base class, with the files as they are now."""
        self._refresh()
        return super().wrap_bio(*args, **kwargs)


def _why(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or "unreadable").lower()


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
