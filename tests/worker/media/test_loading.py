"""Files come only from where the operator allows it, within limits, and nowhere else is ever asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from worker.media.addresses import may_connect, resolve
from worker.media.item import Limits, Refusal, RefusedError
from worker.media.loading import Loader, Sources
from worker.settings import Settings

CONTENT = bytes(range(256)) * 40
LIMITS = Limits(file_bytes=20_000, load_seconds=2.0)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[str]

    def handle_error(self, request: object, address: object) -> None:
        """Clients that go away are the point of some of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.rpartition("/")[2]
        headers: dict[str, str] = {}
        status, body = 200, CONTENT
        if "list-type=" in self.path:  # a store is asked for a folder of the name where it knows no object
            body = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount></ListBucketResult>'
        elif name == "moved":
            status, headers, body = 302, {"Location": "/a.jpg"}, b""
        elif name == "away":
            status, headers, body = 302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b""
        elif name == "other-port":
            status, headers, body = 302, {"Location": "http://127.0.0.1:1/a.jpg"}, b""
        elif name == "file":
            status, headers, body = 302, {"Location": "file:///etc/passwd"}, b""
        elif name == "loop":
            status, headers, body = 302, {"Location": "/loop"}, b""
        elif name == "gone":
            status, body = 404, b"no"
        elif name == "broken":
            status, body = 503, b"no"
        elif name == "zipped":
            headers = {"Content-Encoding": "gzip"}
        elif name == "big":
            body = b"x" * 20_001
        self.send_response(206 if "Range" in self.headers else status)
        for key, value in headers.items():
            self.send_header(key, value)
        if name == "endless":
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b"x" * 65_536)
            except OSError:
                return
        if name == "slow":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x")
            self.wfile.flush()
            self.server.released.wait(10)  # type: ignore[attr-defined]
            self.close_connection = True
            return
        if name == "short":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 10)
            self.close_connection = True
            return
        if asked_range := self.headers.get("Range"):
            first, last = (int(end) for end in asked_range.removeprefix("bytes=").split("-"))
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            body = body[first : last + 1]
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(OSError):
                self.wfile.write(body)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.asked = []
    made.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.released.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()
    thread.join()


def http_loader(server: Server, **changes: object) -> Loader:
    host = f"127.0.0.1:{server.server_port}"
    sources = Sources(schemes=frozenset({"http"}), hosts=frozenset({host}), allow_private=True)
    limits = Limits(file_bytes=20_000, load_seconds=changes.get("seconds", 2.0))  # type: ignore[arg-type]
    return Loader(sources, limits)


def refusal(loader: Loader, uri: str, folder: Path) -> RefusedError:
    with pytest.raises(RefusedError) as told:
        loader.load(uri, folder)
    assert list(folder.iterdir()) == [], "nothing is left behind"
    assert uri not in told.value.detail
    return told.value


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a b.jpg").write_bytes(CONTENT)
    (folder / "big").write_bytes(b"x" * 20_001)
    (folder / "out").symlink_to("/etc/passwd")
    (tmp_path / "secret").write_text("secret")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def file_loader(shelf: Path) -> Loader:
    return Loader(Sources(schemes=frozenset({"file"}), folders=(shelf,)), LIMITS)


def test_a_file_below_an_allowed_folder_is_copied_with_its_hashes(shelf, inbox) -> None:
    loaded = file_loader(shelf).load(f"file://{shelf}/a%20b.jpg", inbox)
    assert loaded.path.parent == inbox
    assert loaded.path.read_bytes() == CONTENT
    assert (loaded.bytes, loaded.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert loaded.md5 == hashlib.md5(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/out", Refusal.HOST),
        ("/../secret", Refusal.HOST),
        ("/%2e%2e/secret", Refusal.HOST),
        ("/up/secret", Refusal.HOST),
        ("", Refusal.HOST),
        ("/none.jpg", Refusal.NOT_FOUND),
        ("/big", Refusal.TOO_LARGE),
        ("/pipe", Refusal.UNSUPPORTED),
        ("/a%00.jpg", Refusal.HOST),
        ("/a b.jpg", Refusal.HOST),
        ("/a%20b.jpg?x=1", Refusal.HOST),
    ],
)
def test_other_files_are_refused(shelf, inbox, path, reason) -> None:
    assert refusal(file_loader(shelf), f"file://{shelf}{path}", inbox).reason is reason


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("file:///etc/passwd", Refusal.HOST),
        ("file://server/etc/passwd", Refusal.HOST),
        ("http://example.com/a.jpg", Refusal.SCHEME),
        ("gopher://example.com/", Refusal.SCHEME),
        ("data:image/png;base64,AAAA", Refusal.SCHEME),
        ("a.jpg", Refusal.SCHEME),
        ("file://" + "/a" * 5000, Refusal.HOST),
    ],
)
def test_other_places_are_refused(shelf, inbox, uri, reason) -> None:
    assert refusal(file_loader(shelf), uri, inbox).reason is reason


def test_nothing_is_allowed_until_somebody_says_so(inbox) -> None:
    loader = Loader(Sources.from_settings(Settings()), LIMITS)
    for uri in ("file:///etc/passwd", "https://example.com/a.jpg", "s3://bucket/a.jpg"):
        assert refusal(loader, uri, inbox).reason is Refusal.SCHEME


def test_a_file_of_an_allowed_host_is_loaded_over_redirects_on_that_host(server, inbox) -> None:
    loader = http_loader(server)
    for name in ("a.jpg", "moved", "a.jpg?size=large"):
        loaded = loader.load(f"http://127.0.0.1:{server.server_port}/{name}", inbox)
        assert loaded.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("away", Refusal.REDIRECT),
        ("other-port", Refusal.REDIRECT),
        ("file", Refusal.REDIRECT),
        ("loop", Refusal.REDIRECT),
        ("gone", Refusal.NOT_FOUND),
        ("broken", Refusal.UNREACHABLE),
        ("short", Refusal.UNREACHABLE),
        ("zipped", Refusal.UNSUPPORTED),
        ("big", Refusal.TOO_LARGE),
        ("endless", Refusal.TOO_LARGE),
    ],
)
def test_what_a_host_may_not_do_is_refused(server, inbox, name, reason) -> None:
    uri = f"http://127.0.0.1:{server.server_port}/{name}"
    assert refusal(http_loader(server), uri, inbox).reason is reason


def test_a_host_that_dawdles_is_given_up(server, inbox) -> None:
    uri = f"http://127.0.0.1:{server.server_port}/slow"
    assert refusal(http_loader(server, seconds=0.3), uri, inbox).reason is Refusal.TOO_SLOW


def test_a_host_that_is_not_on_the_list_is_never_asked(server, inbox) -> None:
    before = list(server.asked)
    loader = Loader(
        Sources(schemes=frozenset({"http"}), hosts=frozenset({"cdn.example.com"}), allow_private=True), LIMITS
    )
    for host in (f"127.0.0.1:{server.server_port}", f"cdn.example.com@127.0.0.1:{server.server_port}"):
        assert refusal(loader, f"http://{host}/a.jpg", inbox).reason is Refusal.HOST
    assert server.asked == before


def test_a_private_address_behind_an_allowed_name_is_never_asked(server, inbox) -> None:
    before = list(server.asked)
    host = f"127.0.0.1:{server.server_port}"
    loader = Loader(Sources(schemes=frozenset({"http"}), hosts=frozenset({host})), LIMITS)
    assert refusal(loader, f"http://{host}/a.jpg", inbox).reason is Refusal.PRIVATE_ADDRESS
    assert server.asked == before


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "168.63.129.16", "::1", "fe80::1", "fc00::1", "ff02::1", "::",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1%eth0", "x",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_not_connected_to(address) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_public_addresses_are(address) -> None:
    assert may_connect(address)


def test_metadata_services_stay_closed_even_where_private_addresses_are_open() -> None:
    assert may_connect("10.0.0.1", allow_private=True)
    assert not may_connect("169.254.169.254", allow_private=True)


def test_one_private_address_of_a_host_refuses_all_of_it() -> None:
    with pytest.raises(RefusedError) as told:
        resolve("cdn.example.com", 443, resolver=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    assert told.value.reason is Refusal.PRIVATE_ADDRESS


@pytest.fixture
def store(server, monkeypatch) -> Loader:
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("REGION", "eu-west-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    settings = Settings(
        media_schemes=("s3",),
        media_hosts=("s3://pictures",),
        media_s3_endpoint=f"http://127.0.0.1:{server.server_port}",
    )
    return Loader(Sources.from_settings(settings), LIMITS)


def test_an_object_of_an_allowed_bucket_is_loaded(store, server, inbox) -> None:
    assert store.load("s3://pictures/2026/a.jpg", inbox).path.read_bytes() == CONTENT
    assert server.asked[-1].startswith("/pictures/2026/a.jpg")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://other/a.jpg", Refusal.HOST),
        ("s3://pictures/../other/a.jpg", Refusal.HOST),
        ("s3://pictures/", Refusal.HOST),
        ("gs://pictures/a.jpg", Refusal.SCHEME),
        ("s3://pictures/gone", Refusal.NOT_FOUND),
        ("s3://pictures/big", Refusal.TOO_LARGE),
    ],
)
def test_other_objects_are_refused(store, inbox, uri, reason) -> None:
    assert refusal(store, uri, inbox).reason is reason
