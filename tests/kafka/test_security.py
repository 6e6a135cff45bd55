"""Workers and commands at a cluster that wants TLS and SASL: they work, and say in words why they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.kafka.oracle import Oracle
from tests.kafka.secure import PASSWORD, USER, Authority, SecureBroker, unsecured_token
from tests.kafka.traffic import PACK, Traffic, make_posts
from tests.kafka.waiting import wait_until
from tests.kafka.workers import Workers
from worker.admin import create_topics
from worker.embedded import prepare_fast_start

pytestmark = pytest.mark.kafka
# Half a minute or more of every run otherwise, for what differs in little from the tests beside it.
_slow = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_POSTS = 300


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    prepare_fast_start()
    with SecureBroker.run(tmp_path_factory.mktemp("secure")) as broker:
        yield broker


@pytest.fixture
def prefix(secured: SecureBroker) -> str:
    found = f"test-{uuid.uuid4().hex[:10]}."
    create_topics(secured.plain, found, 2)
    return found


def run(*arguments: str, settings: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own, with nothing of this one's environment."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "MODERATOR_POLICIES": str(PACK),
        "MODERATOR_CONNECT_TIMEOUT": "4",
        "MODERATOR_LOG_LEVEL": "debug",
        **settings,
    }
    command = [sys.executable, "-m", "worker.cli", *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def judges_exactly_once(
    secured: SecureBroker, address: str, prefix: str, folder: Path, settings: Mapping[str, str]
) -> str:
    """Streams posts through a worker that connects by these settings; gives what the worker logged, at level debug."""
    posts = list(make_posts(_POSTS))
    with (
        Workers(address, prefix, folder, {**settings, "LOG_LEVEL": "debug"}) as workers,
        Traffic(secured.plain, prefix) as traffic,
        Oracle(secured.plain, prefix) as oracle,
    ):
        worker = workers.start("--decisions", "all").wait_ready()
        traffic.send(posts)
        oracle.wait_for(
            lambda read: sum(each.topic == "decisions" for each in read) >= _POSTS, 40.0, "every decision"
        )
        assert worker.stop() == 0, worker.log()
        oracle.read_to_end()
        logged = worker.log_path.read_text(encoding="utf-8")
    removed = [each.body["post_id"] for each in oracle.records if each.topic == "enforcement.remove"]
    decided = [each.body["decision_id"] for each in oracle.records if each.topic == "decisions"]
    assert sorted(removed) == sorted(post.post_id for post in posts if post.kind == "remove")
    assert len(decided) == len(set(decided)) == _POSTS
    return logged


@pytest.mark.parametrize(
    "mechanism",
    ["SCRAM-SHA-512", pytest.param("SCRAM-SHA-256", marks=_slow), pytest.param("PLAIN", marks=_slow)],
)
def test_a_worker_logs_in_by_password_over_tls(
    secured: SecureBroker, prefix: str, tmp_path: Path, mechanism: str
) -> None:
    logged = judges_exactly_once(secured, secured.secure, prefix, tmp_path, secured.scram(mechanism))
    assert PASSWORD not in logged
    assert b64encode(PASSWORD.encode()).decode() not in logged


@_slow
def test_a_worker_without_transactions_logs_in_too(
    secured: SecureBroker, prefix: str, tmp_path: Path
) -> None:
    settings = {**secured.scram(), "MODERATOR_GUARANTEE": "at-least-once"}
    judges_exactly_once(secured, secured.secure, prefix, tmp_path, settings)


def test_a_worker_logs_in_with_a_token_from_a_file(
    secured: SecureBroker, prefix: str, tmp_path: Path
) -> None:
    token = unsecured_token(USER)
    assert token not in judges_exactly_once(secured, secured.secure, prefix, tmp_path, secured.oauth(token))


def test_a_worker_shows_a_certificate_of_its_own(secured: SecureBroker, prefix: str, tmp_path: Path) -> None:
    client = secured.authority.issue("a-worker", password="of the key")
    settings = secured.certified(client, "of the key")
    assert "of the key" not in judges_exactly_once(secured, secured.mutual, prefix, tmp_path, settings)


@contextmanager
def issuer(secret: str, seen: list[str], status: int = 200) -> Iterator[str]:
    """A token endpoint; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            right = (
                self.headers["Authorization"] == "Basic " + b64encode(f"{USER}:{secret}".encode()).decode()
            )
            body = json.dumps({"access_token": unsecured_token(USER), "expires_in": 300}).encode()
            self.send_response(status if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()


def endpoint_settings(secured: SecureBroker, url: str, secret: str) -> dict[str, str]:
    return {
        "MODERATOR_SECURITY_PROTOCOL": "SASL_SSL",
        "MODERATOR_SASL_MECHANISM": "OAUTHBEARER",
        "MODERATOR_TLS_CA_FILE": str(secured.authority.certificate),
        "MODERATOR_OAUTH_TOKEN_URL": url,
        "MODERATOR_OAUTH_CLIENT_ID": USER,
        "MODERATOR_OAUTH_CLIENT_SECRET_FILE": secured.file("client-secret", secret),
        "MODERATOR_OAUTH_SCOPE": "kafka",
    }


def test_a_worker_gets_its_token_from_an_endpoint(secured: SecureBroker, prefix: str, tmp_path: Path) -> None:
    seen: list[str] = []
    with issuer("s3cret-of-client", seen) as url:
        settings = endpoint_settings(secured, url, "s3cret-of-client")
        logged = judges_exactly_once(secured, secured.secure, prefix, tmp_path, settings)
    assert seen
    assert set(seen) == {"grant_type=client_credentials&scope=kafka"}
    assert "s3cret-of-client" not in logged


def test_commands_connect_by_the_same_settings(secured: SecureBroker, prefix: str, tmp_path: Path) -> None:
    where = ["--broker", secured.secure, "--topic-prefix", prefix]
    for arguments in (
        ["topics", "check", *where],
        ["topics", "create", *where, "--partitions", "2"],
        ["dead-letters", "list", *where],
        ["breakers", "list", *where],
        ["doctor", *where],
    ):
        ran = run(*arguments, settings=secured.scram(), folder=tmp_path)
        assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
        assert PASSWORD not in ran.stdout + ran.stderr


def faults(secured: SecureBroker, folder: Path) -> dict[str, tuple[str, dict[str, str], int, str]]:
    """By name: the address, the settings, the exit code and what is said."""
    certified = secured.certified(secured.authority.issue("whoever"))
    anonymous = {name: value for name, value in certified.items() if "CERT" not in name and "KEY" not in name}
    other = str(Authority(folder / "other", "other").certificate)
    expired = secured.certified(secured.authority.issue("expired", days=-1))
    wrong = "wrong-Secret-77"
    return {
        "password": (secured.secure, secured.scram(password=wrong), 2, "SCRAM-SHA-512 failed"),
        "plain password": (secured.secure, secured.scram("PLAIN", wrong), 2, "PLAIN failed"),
        "token": (secured.secure, secured.oauth(unsecured_token(USER, -600)), 2, "the token is not valid"),
        "authority": (
            secured.secure,
            {**secured.scram(), "MODERATOR_TLS_CA_FILE": other},
            3,
            "certificate that is not trusted",
        ),
        "expired": (secured.mutual, expired, 3, "refuses this client's certificate"),
        "no certificate": (secured.mutual, anonymous, 3, "MODERATOR_TLS_CERT_FILE"),
        "no TLS there": (secured.plain, secured.scram(), 3, "does not agree on TLS"),
        "no SASL here": (secured.secure, {}, 3, "whether it wants TLS or SASL"),
    }


@pytest.mark.parametrize(
    "fault",
    [
        "password",
        pytest.param("plain password", marks=_slow),
        pytest.param("token", marks=_slow),
        "authority",
        pytest.param("expired", marks=_slow),
        "no certificate",
        "no TLS there",
        pytest.param("no SASL here", marks=_slow),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(
    secured: SecureBroker, prefix: str, tmp_path: Path, fault: str
) -> None:
    address, settings, code, words = faults(secured, tmp_path)[fault]
    secrets = [
        Path(path).read_text(encoding="utf-8").strip()
        for name, path in settings.items()
        if name.endswith(("PASSWORD_FILE", "TOKEN_FILE"))
    ]
    where = ["--broker", address, "--topic-prefix", prefix]
    for arguments in (["run", *where, "--http-port", "0"], ["dead-letters", "list", *where]):
        ran = run(*arguments, settings=settings, folder=tmp_path)
        said = ran.stdout + ran.stderr
        assert ran.returncode == code, said
        assert words in said
        assert "Traceback" not in said
        assert not [secret for secret in secrets if secret in said]


def test_an_endpoint_that_refuses_is_named_without_the_secret(
    secured: SecureBroker, prefix: str, tmp_path: Path
) -> None:
    seen: list[str] = []
    with issuer("another", seen) as url:
        settings = endpoint_settings(secured, url, "s3cret-of-client")
        ran = run(
            "run", "--broker", secured.secure, "--topic-prefix", prefix, settings=settings, folder=tmp_path
        )
    assert ran.returncode == 2, ran.stderr
    assert "the token endpoint at 127.0.0.1 answered 401" in ran.stderr
    assert "s3cret-of-client" not in ran.stderr
    assert seen


@_slow
def test_a_brokers_certificate_that_ran_out_is_named(tmp_path: Path) -> None:
    with SecureBroker.run(tmp_path / "old", days=-1) as broker:
        settings = broker.scram()
        ran = run("topics", "check", "--broker", broker.secure, settings=settings, folder=tmp_path)
    assert ran.returncode == 3, ran.stderr
    assert "certificate has expired" in ran.stderr
    assert PASSWORD not in ran.stderr


@_slow
def test_a_new_password_is_taken_without_a_restart(tmp_path: Path) -> None:
    """The broker is killed and comes back, as for a rolling restart; by then name and file have the new password."""
    with SecureBroker.run(tmp_path / "broker") as broker:
        create_topics(broker.plain, "", 2)
        settings = broker.scram()
        with (
            Workers(broker.secure, "", tmp_path, settings) as workers,
            Traffic(broker.plain, "") as traffic,
        ):
            worker = workers.start("--decisions", "all").wait_ready()
            broker.change_password("a-New-one 20")
            Path(settings["MODERATOR_SASL_PASSWORD_FILE"]).write_text("a-New-one 20\n", encoding="utf-8")
            broker.kafka.restart()
            posts = list(make_posts(50))
            traffic.send(posts)
            with Oracle(broker.plain, "") as oracle:
                oracle.wait_for(
                    lambda read: sum(each.topic == "decisions" for each in read) >= 50, 60.0, "all decisions"
                )
            assert worker.is_running
            wait_until(worker.is_ready, 30.0, "the worker to be ready again")
