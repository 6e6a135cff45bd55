"""Fixtures for every test: the Apache Kafka of this run, and topics that no other test sees."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kafka.brokers import Choice, choose_broker, run_broker

if TYPE_CHECKING:
    from tests.kafka.workers import Workers

_CHOICE = pytest.StashKey[Choice]()


def pytest_configure(config: pytest.Config) -> None:
    """Lets through what third-party modules do on import; all other warnings stay errors."""
    # kafka-python 3.0 reads its message schemas through functions that Python 3.11 and 3.12 call deprecated.
    # This file must not import it: pytest turns warnings into errors before it asks for further filters.
    config.addinivalue_line("filterwarnings", r"ignore:(read|open)_text is deprecated:DeprecationWarning")
    config.stash[_CHOICE] = choose_broker(os.environ)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps each file's tests in one process where several run beside each other, and all that need Kafka in one.

    Those that need Kafka begin, as they take longest.
    """
    items.sort(key=lambda item: item.get_closest_marker("kafka") is None)
    for item in items:
        group = "kafka" if item.get_closest_marker("kafka") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_report_header(config: pytest.Config) -> str:
    """Says which Kafka the tests marked `kafka` run on."""
    return f"kafka broker: {config.stash[_CHOICE].text}"


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a real Apache Kafka, one for the whole run, started when first asked for.

    `MODERATOR_TEST_BROKER` names one that runs already (or says "docker" or "embedded"); else Docker where a
    daemon answers, else the embedded one.
    """
    with run_broker(pytestconfig.stash[_CHOICE], tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture
def topic_prefix(broker: str) -> Iterator[str]:
    """A prefix that no other test has; its topics are deleted afterwards."""
    from worker.cluster import BrokerUnreachable, connect

    prefix = f"test-{uuid.uuid4().hex[:10]}."
    yield prefix
    from kafka.errors import KafkaError

    with contextlib.suppress(BrokerUnreachable, KafkaError), connect(broker, timeout_seconds=5.0) as admin:
        if names := [name for name in admin.list_topics() if name.startswith(prefix)]:
            admin.delete_topics(names, raise_errors=False)


@pytest.fixture
def workers(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Workers]:
    """Starts `moderator run` processes on this test's topics; ends them all afterwards."""
    from tests.kafka.workers import Workers

    with Workers(broker, topic_prefix, tmp_path) as processes:
        yield processes
