"""worker.http: the endpoint over real loopback sockets."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import worker.http
from worker.health import Health
from worker.http import Endpoint, PortError
from worker.metrics import Metrics, new_registry


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(["broker"], stall_seconds=10, clock=clock)


@pytest.fixture
def endpoint(health: Health) -> Iterator[Endpoint]:
    registry = new_registry()
    Metrics(registry, strict=True)
    with Endpoint(registry, health, port=0) as running:
        yield running


def get(
    endpoint: Endpoint, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()


def raw(endpoint: Endpoint, data: bytes, *, shut: bool = False) -> bytes:
    """What comes back for these bytes until the server closes."""
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as connection:
        connection.sendall(data)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def test_port_zero_reports_the_chosen_port_on_loopback(endpoint: Endpoint) -> None:
    assert endpoint.port > 0
    assert endpoint.url == f"http://127.0.0.1:{endpoint.port}/metrics"


def test_metrics_are_plain_text_by_default(endpoint: Endpoint) -> None:
    response, body = get(endpoint, "/metrics?name=x")
    assert response.status == 200
    assert (response.getheader("Content-Type") or "").startswith("text/plain; version=0.0.4")
    assert "moderator_build_info" in {
        sample.name for family in parse_text(body.decode()) for sample in family.samples
    }


def test_metrics_are_openmetrics_for_who_accepts_it(endpoint: Endpoint) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    response, body = get(endpoint, "/metrics", Accept=accept)
    assert (response.getheader("Content-Type") or "").startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    assert list(parse_openmetrics(body.decode()))


def test_healthz_turns_503_when_the_loop_hangs(endpoint: Endpoint, health: Health, clock: Clock) -> None:
    response, body = get(endpoint, "/healthz")
    assert (response.status, json.loads(body)["status"]) == (200, "alive")
    clock.now += 11
    response, body = get(endpoint, "/healthz")
    assert response.status == 503
    assert json.loads(body) == {"status": "hung", "beat_age_seconds": 11.0, "stall_seconds": 10}
    health.beat()
    assert get(endpoint, "/healthz")[0].status == 200


def test_readyz_names_what_is_missing(endpoint: Endpoint, health: Health) -> None:
    response, body = get(endpoint, "/readyz")
    assert response.status == 503
    assert json.loads(body) == {
        "status": "not ready",
        "components": {"broker": {"ready": False, "detail": "not reported yet"}},
    }
    health.set_ready("broker", True, "connected")
    response, body = get(endpoint, "/readyz")
    assert response.status == 200
    assert json.loads(body)["components"]["broker"] == {"ready": True, "detail": "connected"}


def test_the_index_links_to_all_pages(endpoint: Endpoint) -> None:
    response, body = get(endpoint, "/")
    assert response.status == 200
    assert all(f'href="{path}"'.encode() in body for path in ("/metrics", "/healthz", "/readyz"))


def test_head_has_the_headers_without_the_body(endpoint: Endpoint) -> None:
    response, body = get(endpoint, "/metrics", method="HEAD")
    assert response.status == 200
    assert int(response.getheader("Content-Length") or 0) > 1000
    assert body == b""


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/../etc/passwd", "*"])
def test_unknown_paths_are_404(endpoint: Endpoint, path: str) -> None:
    assert get(endpoint, path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_only_get_and_head_are_allowed(endpoint: Endpoint, method: str) -> None:
    response, _ = get(endpoint, "/metrics", method=method)
    assert response.status == 405
    assert response.getheader("Allow") == "GET, HEAD"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /metrics HTTP/1.1\n\n", b"200"),
        (b"\xff\xfe\x00 nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", b"431"),
    ],
)
def test_odd_requests_get_a_proper_answer(endpoint: Endpoint, request_bytes: bytes, status: bytes) -> None:
    answer = raw(endpoint, request_bytes)
    assert answer.split(b" ", 2)[1] == status
    assert b"Connection: close" in answer


def test_half_a_request_and_none_at_all_do_no_harm(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    raw(endpoint, b"GET /metrics HT", shut=True)
    raw(endpoint, b"", shut=True)
    assert get(endpoint, "/healthz")[0].status == 200
    assert not caplog.records


def test_a_fault_of_ours_is_logged_without_the_client_and_the_next_scrape_works(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Health) -> bool:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Health, "alive", broken)
        with pytest.raises(http.client.RemoteDisconnected):
            get(endpoint, "/healthz")
    assert get(endpoint, "/healthz")[0].status == 200
    assert "a fault of ours" in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_a_client_that_sends_nothing_is_dropped(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.http, "REQUEST_SECONDS", 0.1)
    assert b" 408 " in raw(endpoint, b"GET /metrics HTTP/1.1\r\n")


def test_idle_connections_cannot_take_all_threads(endpoint: Endpoint) -> None:
    idle = [
        socket.create_connection((endpoint.host, endpoint.port), timeout=5)
        for _ in range(worker.http.MAX_CONNECTIONS)
    ]
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as late:
            assert late.recv(1) == b""  # closed at once
    finally:
        for connection in idle:
            connection.close()


def test_a_port_in_use_is_a_clear_error(endpoint: Endpoint, health: Health) -> None:
    with pytest.raises(PortError, match=r"the port is in use.*--http-port"):
        Endpoint(new_registry(), health, port=endpoint.port)


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_had_is_a_clear_error(health: Health, host: str, port: int) -> None:
    with pytest.raises(PortError, match=f"cannot serve metrics on {host}:{port}"):
        Endpoint(new_registry(), health, host=host, port=port)


def test_close_frees_the_port_and_may_be_called_twice(health: Health) -> None:
    first = Endpoint(new_registry(), health, port=0)
    first.close()
    first.close()
    with Endpoint(new_registry(), health, port=first.port) as second:
        assert second.port == first.port
