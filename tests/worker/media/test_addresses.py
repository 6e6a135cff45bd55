"""Whoever writes an address into a post cannot make the worker ask a network that is not public, or a host that is not listed."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.media.addresses import may_connect, resolve
from worker.media.fetching import Deadline, Fetcher, Target, parse_target
from worker.media.item import Limits, Refusal, RefusedError
from worker.media.loading import Loader, Sources

LIMITS = Limits(file_bytes=100_000, load_seconds=2.0)
INSIDE = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.168.0.1", "100.100.100.200")


def test_every_way_to_write_an_address_inside_is_inside() -> None:
    for text in INSIDE:
        number = int(IPv4Address(text))
        written = (
            text,
            f"::ffff:{text}",
            f"::{text}",
            f"::ffff:0:{text}",
            f"64:ff9b::{text}",
            f"64:ff9b:1::{text}",
            str(IPv6Address((0x2002 << 112) | (number << 80))),
            str(IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF))),
            str(IPv6Address((0x2606_4700 << 96) | (0x5EFE << 32) | number)),
            str(IPv6Address((0x2606_4700 << 96) | (0x0200_5EFE << 32) | number)),
        )
        assert not [address for address in written if may_connect(address)]


@pytest.mark.parametrize(
    "address", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.01", "1.2.3", "", "localhost", "::1%lo", "[::1]", " 8.8.8.8"]
)  # fmt: skip
def test_what_is_no_plain_address_is_never_connected_to(address) -> None:
    assert not may_connect(address, allow_private=True)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "fe80::a9fe:a9fe"])  # fmt: skip
def test_metadata_services_are_closed_whatever_is_allowed(address) -> None:
    assert not may_connect(address, allow_private=True)


@given(st.integers(0, 2**32 - 1))
def test_an_address_in_an_address_is_judged_as_it_is(number) -> None:
    plain = str(IPv4Address(number))
    assert may_connect(f"::ffff:{plain}") == may_connect(plain) == may_connect(f"64:ff9b::{plain}")
    assert not may_connect(plain) or IPv4Address(number).is_global


@given(st.integers(0, 2**128 - 1))
def test_no_address_counts_as_public_that_is_not(number) -> None:
    address = IPv6Address(number)
    assert not may_connect(str(address)) or address.is_global


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0"])
def test_the_systems_own_ways_to_write_loopback_lead_nowhere(host) -> None:
    with pytest.raises(RefusedError) as told:
        resolve(host, 80)
    assert told.value.reason in {Refusal.PRIVATE_ADDRESS, Refusal.UNREACHABLE}


class Counter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    location = ""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        moved = self.server.moved.get(self.path)  # type: ignore[attr-defined]
        body = b"" if moved else b"a file"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", moved)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    made.asked, made.moved = [], {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def loader_for(*hosts: str, resolver=None, private: bool = True) -> Loader:
    sources = Sources(schemes=frozenset({"http", "https"}), hosts=frozenset(hosts), allow_private=private)
    return Loader(sources, LIMITS, fetcher=Fetcher(allow_private=private, resolver=resolver))


def refusal(loader: Loader, uri: str, folder: Path) -> Refusal:
    with pytest.raises(RefusedError) as told:
        loader.load(uri, folder)
    assert not list(folder.iterdir())
    return told.value.reason


def test_a_name_that_changes_its_address_is_asked_for_once(server, tmp_path) -> None:
    """DNS rebinding: the address that was judged is the one that is connected to, also after a redirect."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    server.moved["/first"] = "/second"
    port = server.server_port
    loader = loader_for(f"cdn.example.com:{port}", resolver=resolver)
    assert loader.load(f"http://cdn.example.com:{port}/first", tmp_path).path.read_bytes() == b"a file"
    assert asked == ["cdn.example.com"]
    assert [host for host, _ in server.asked] == [f"cdn.example.com:{port}"] * 2


def test_a_name_with_a_public_and_a_private_address_is_not_asked(server, tmp_path) -> None:
    port = server.server_port
    for addresses in (
        ["93.184.216.34", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["0.0.0.0"],
        ["not an address"],
    ):
        loader = loader_for(
            f"cdn.example.com:{port}", resolver=lambda host, port, told=addresses: told, private=False
        )
        assert refusal(loader, f"http://cdn.example.com:{port}/", tmp_path) is Refusal.PRIVATE_ADDRESS
    assert server.asked == []


@pytest.mark.parametrize(
    "error", [OSError(), UnicodeError(), ValueError("embedded null character"), KeyError()]
)
def test_a_resolver_that_fails_makes_the_host_unreachable_at_once(tmp_path, error) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise error

    target = Target("http", "cdn.example.com", 80, "/")
    with pytest.raises(RefusedError) as told:
        list(Fetcher(resolver=resolver).fetch(target, 10, Deadline(2.0)))
    assert told.value.reason is Refusal.UNREACHABLE


@pytest.mark.parametrize(
    "uri",
    [
        "http://cdn.example.com@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@cdn.example.com/",
        "http://127.0.0.1:{port}\\@cdn.example.com/", "http://cdn.example.com:80@127.0.0.1:{port}/",
        "http://user:password@cdn.example.com/", "http://cdn.example.com.:{port}/", "http://cdn.example.com.evil.example/",
        "http://evil.example/cdn.example.com", "http://cdn%2eexample%2ecom/", "http://cdn。example。com/",
        "http://ｃdn.example.com/", "http://сdn.example.com/", "http://xn--dn-xlc.example.com/", "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/", "http://0x7f.1:{port}/", "http://0:{port}/",
        "http:///cdn.example.com/", "http:cdn.example.com", "http://:80/", "http://cdn.example.com:99999/",
        "http://cdn.example.com:80a/", "http://cdn.example.com:22/", "http://cdn.example.com:{port}\t/", "http://cdn.exa\nmple.com/",
        "http://cdn.example.com\u0000/", "http://[cdn.example.com]/", "http://cdn.example.com\ud800/", "http://[/",
    ],
)  # fmt: skip
def test_a_host_in_disguise_is_not_the_one_that_is_listed(server, tmp_path, uri) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError("nobody is asked for")

    loader = loader_for("cdn.example.com", resolver=resolver)
    assert refusal(loader, uri.replace("{port}", str(server.server_port)), tmp_path) is Refusal.HOST
    assert server.asked == []


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/", "https://cdn.example.com:{port}/", "http://cdn.example.com/", "http://cdn.example.com:1/",
        "//evil.example/", "http://evil.example:{port}/", "file:///etc/passwd", "gopher://cdn.example.com:{port}/",
        "http://a@cdn.example.com:{port}/", "http://cdn.example.com:{port}@evil.example/", "http://[/", "javascript:1", "\\\\evil.example\\a",
    ],
)  # fmt: skip
def test_no_redirect_leads_to_another_place(server, tmp_path, location) -> None:
    port = server.server_port
    server.moved["/first"] = location.replace("{port}", str(port))
    loader = loader_for(f"cdn.example.com:{port}", resolver=lambda host, port: ["127.0.0.1"])
    if location.startswith("\\"):  # a path on the same host, to whoever does not take it for a share
        assert loader.load(f"http://cdn.example.com:{port}/first", tmp_path).bytes == 6
    else:
        assert refusal(loader, f"http://cdn.example.com:{port}/first", tmp_path) is Refusal.REDIRECT
    assert {host for host, _ in server.asked} == {f"cdn.example.com:{port}"}


@pytest.mark.parametrize("path", ["/a b", "/a%0d%0aX: y", "/..%2f..%2fetc", "/ä", "/?a=%00", "/a//b"])
def test_what_stands_in_a_path_stays_in_the_path(path) -> None:
    target = parse_target("http://cdn.example.com" + path)
    assert target.host == "cdn.example.com"
    assert target.path.isascii()
    assert not set(target.path) & set(" \r\n\0")


# --- files


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    return folder


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def file_loader(*folders: Path) -> Loader:
    return Loader(Sources(schemes=frozenset({"file"}), folders=folders), LIMITS)


def test_what_is_no_file_is_not_read(shelf, inbox) -> None:
    os.mkfifo(shelf / "pipe")
    (shelf / "zero").symlink_to("/dev/zero")
    (shelf / "loop").symlink_to(shelf / "loop")
    (shelf / "folder").mkdir()
    loader = file_loader(shelf, Path("/dev"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(shelf / "socket"))
        for name in ("pipe", "zero", "loop", "folder", "socket"):
            assert refusal(loader, f"file://{shelf}/{name}", inbox) is Refusal.UNSUPPORTED, name
    for device in ("zero", "random", "tty", "full"):
        assert refusal(loader, f"file:///dev/{device}", inbox) in {Refusal.UNSUPPORTED, Refusal.NOT_FOUND}


@pytest.mark.parametrize(
    "path",
    ["/..%2fsecret", "/%2e%2e%2fsecret", "/./../secret", "//../secret", "/a/../../secret", "/link/secret", "/\ud800", "/a%00b", "\\..\\secret"],
)  # fmt: skip
def test_no_path_leaves_the_folder(shelf, inbox, path) -> None:
    (shelf / "link").symlink_to(shelf.parent)
    assert refusal(file_loader(shelf), f"file://{shelf}{path}", inbox) is Refusal.HOST


def test_a_name_that_no_file_can_have_is_not_there(shelf, inbox) -> None:
    for path in ("/" + "x" * 300, "/a" * 2_500, "/x/" + "y" * 300):
        assert refusal(file_loader(shelf), f"file://{shelf}{path}", inbox) is Refusal.NOT_FOUND


@pytest.mark.parametrize("name", ["a\nb", "löwe 🦁", "-rf", "a'b\"c", "%41", "*"])
def test_every_name_that_a_file_can_have_is_found(shelf, inbox, name) -> None:
    (shelf / name).write_bytes(b"x")
    assert file_loader(shelf).load((shelf / name).as_uri(), inbox).bytes == 1


def test_a_file_that_changes_while_it_is_read_is_not_taken_for_one(shelf, inbox, monkeypatch) -> None:
    file = shelf / "file"
    file.write_bytes(b"x" * 1000)
    original, turns = Loader._read, []

    def read(read_some):
        turns.append(1)
        file.write_bytes(b"y" * 1000)
        os.utime(file, (len(turns), len(turns)))
        return original(read_some)

    monkeypatch.setattr(Loader, "_read", staticmethod(read))
    assert refusal(file_loader(shelf), file.as_uri(), inbox) is Refusal.UNREACHABLE


def test_a_file_that_never_stops_growing_is_too_large(shelf, inbox, monkeypatch) -> None:
    file = shelf / "file"
    file.write_bytes(b"x" * 1000)
    original = Loader._read

    def read(read_some):
        with file.open("ab") as more:
            more.write(b"y" * 50_000)
        return original(read_some)

    monkeypatch.setattr(Loader, "_read", staticmethod(read))
    assert refusal(file_loader(shelf), file.as_uri(), inbox) is Refusal.TOO_LARGE


def test_a_file_that_becomes_a_link_to_elsewhere_is_not_read(shelf, inbox, monkeypatch) -> None:
    file = shelf / "file"
    file.write_bytes(b"x")
    inner = shelf / "folder"
    inner.mkdir()
    (inner / "secret").write_text("harmless")
    original = os.open

    def swap_and_open(path, *more, **options):
        if str(path) == str(inner / "secret") and not inner.is_symlink():  # between looking and opening
            (inner / "secret").unlink()
            inner.rmdir()
            inner.symlink_to(shelf.parent)
        return original(path, *more, **options)

    monkeypatch.setattr("worker.media.loading.os.open", swap_and_open)
    assert refusal(file_loader(shelf), (inner / "secret").as_uri(), inbox) is Refusal.HOST


def test_nothing_stays_open_after_many_loads(shelf, inbox) -> None:
    (shelf / "file").write_bytes(b"x" * 1000)
    (shelf / "large").write_bytes(b"x" * 200_000)
    loader = file_loader(shelf)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(1_000):
        loader.load(f"file://{shelf}/file", inbox).path.unlink()
        for name in ("none", "large", "..%2fsecret"):
            assert refusal(loader, f"file://{shelf}/{name}", inbox)
    assert len(os.listdir("/proc/self/fd")) == before
