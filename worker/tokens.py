"""OAuth tokens for Kafka's OAUTHBEARER: from a file, or from the endpoint of an issuer (client credentials)."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from worker.tls import CredentialError, Secret

if TYPE_CHECKING:
    from worker.settings import Settings

_MAX_ANSWER_BYTES = 64 * 1024
_TOKEN_SECONDS = 10.0  # the token endpoint may take as long
_TOKEN_MARGIN = 0.8  # of a token's life after which the next one is fetched
_TOKEN_LIFE_SECONDS = 300.0  # of a token whose endpoint does not say


class Tokens:
    """Where OAUTHBEARER tokens come from: a file that somebody else renews, or the endpoint of an issuer."""

    def __init__(self, settings: Settings) -> None:
        self._file = Secret(settings.oauth_token_file) if settings.oauth_token_file else None
        self._url = settings.oauth_token_url
        self._client_id = settings.oauth_client_id
        self._scope = settings.oauth_scope
        self._secret = (
            Secret(settings.oauth_client_secret_file) if settings.oauth_client_secret_file else None
        )
        self._guard = threading.Lock()
        self._token, self._until = "", 0.0

    def __repr__(self) -> str:
        return f"Tokens({self._file or self._url!r})"

    def get(self) -> str:
        """A token for one connection; takes up to ten seconds when the endpoint is asked.

        Raises:
            CredentialError: there is none now.
        """
        if self._file is not None:
            return self._file.read().strip()
        with self._guard:
            if time.monotonic() >= self._until:
                self._token, life = self._fetch()
                self._until = time.monotonic() + life * _TOKEN_MARGIN
            return self._token

    def _fetch(self) -> tuple[str, float]:
        assert self._secret is not None
        fields = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        quoted = [urllib.parse.quote(each, safe="") for each in (self._client_id, self._secret.read())]
        request = urllib.request.Request(  # noqa: S310 - http and https only, checked with the settings
            self._url,
            data=urllib.parse.urlencode(fields).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(":".join(quoted).encode()).decode(),
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
        )
        host = urllib.parse.urlsplit(self._url).hostname
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TOKEN_SECONDS) as answer:
                body = json.loads(answer.read(_MAX_ANSWER_BYTES))
            token, life = body["access_token"], float(body.get("expires_in", _TOKEN_LIFE_SECONDS))
        except urllib.error.HTTPError as error:
            error.close()
            raise CredentialError(f"the token endpoint at {host} answered {error.code}") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CredentialError(f"no token from the endpoint at {host} ({type(error).__name__})") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise CredentialError(f"the token endpoint at {host} gave no token")
        return token, life


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the client's secret to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
