"""worker.logs: text for people, JSON for machines, no floods."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from worker.logs import FloodFilter, JsonFormatter, TextFormatter, TransientFilter, setup


def record(
    name: str = "worker.app", message: str = "hello %s", *args: object, level: int = logging.INFO
) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, args or ("you",), None)


@pytest.fixture
def clean_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_have_the_extra_fields() -> None:
    line = record()
    line.partition = 3
    line.level = "kept as it is"
    data = json.loads(JsonFormatter().format(line))
    assert data["message"] == "hello you"
    assert data["level"] == "info"
    assert data["partition"] == 3
    assert data["time"].endswith("Z")


def test_json_lines_stay_on_one_line_with_exceptions_and_odd_values() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = logging.LogRecord("a", logging.ERROR, __file__, 1, "x\ny", (), sys.exc_info())
    line.thing = object()
    text = JsonFormatter().format(line)
    assert "\n" not in text
    assert "ValueError" in json.loads(text)["exception"]


def test_text_lines_cannot_be_split_by_their_message() -> None:
    line = record(message="one\ntwo %s")
    line.partition = 3
    text = TextFormatter().format(line)
    assert "\n" not in text
    assert text.endswith("worker.app: one\\ntwo you partition=3")
    assert "\x1b[" not in text
    assert "\x1b[36m" in TextFormatter(colour=True).format(line)


def test_floods_are_cut_and_counted() -> None:
    now = [0.0]
    flood = FloodFilter(["aiokafka"], burst=3, window_seconds=60, clock=lambda: now[0])
    passed = [flood.filter(record("aiokafka.client", "no broker %s", n)) for n in range(10)]
    assert passed == [True] * 3 + [False] * 7
    assert flood.filter(record("aiokafka.client", "another message"))
    assert flood.filter(record("aiokafka.client", "no broker %s", 1, level=logging.ERROR))
    now[0] = 61.0
    late = record("aiokafka.client", "no broker %s", 10)
    assert flood.filter(late)
    assert late.suppressed == 7
    assert "suppressed=7" in TextFormatter().format(late)


def test_our_own_messages_are_never_cut() -> None:
    flood = FloodFilter(burst=1)
    assert all(flood.filter(record("worker.app")) for _ in range(20))
    assert all(flood.filter(record("aiokafkaesque")) for _ in range(20))


def test_the_flood_filter_forgets_old_templates() -> None:
    flood = FloodFilter(["faust"], burst=1, keys=2)
    for message in ("a %s", "b %s", "c %s"):
        assert flood.filter(record("faust", message))
    assert flood.filter(record("faust", "a %s"))
    assert not flood.filter(record("faust", "a %s"))


@pytest.mark.usefixtures("clean_root")
def test_setup_replaces_itself() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup("text", "info", stream=first)
    setup("json", "warning", stream=second)
    logging.getLogger("worker.example").info("not shown")
    logging.getLogger("worker.example").warning("shown", extra={"partition": 1})
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["partition"] == 1


def test_a_level_or_format_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="debug, error, info"):
        setup(level="loud")
    with pytest.raises(ValueError, match="json, text"):
        setup("xml")  # type: ignore[arg-type]  # what a user may type


COORDINATOR = "aiokafka.consumer.group_coordinator"


def coordinator_failed(error: Exception, name: str = COORDINATOR) -> logging.LogRecord:
    return record(name, "Group Coordinator Request failed: %s", error, level=logging.ERROR)


@pytest.mark.usefixtures("clean_root")
def test_a_new_clusters_missing_coordinator_is_no_error() -> None:
    stream = io.StringIO()
    handler = setup("json", "info", stream=stream)
    handler.handle(coordinator_failed(GroupCoordinatorNotAvailableError()))
    handler.handle(coordinator_failed(GroupAuthorizationFailedError("g")))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error"]


def test_a_coordinator_that_stays_away_is_an_error() -> None:
    now = [0.0]
    lower = TransientFilter(grace_seconds=30, clock=lambda: now[0])

    def level_at(seconds: float, name: str = COORDINATOR) -> int:
        now[0] = seconds
        line = coordinator_failed(GroupCoordinatorNotAvailableError(), name)
        assert lower.filter(line)
        return line.levelno

    assert [level_at(n) for n in (0, 10, 29)] == [logging.WARNING] * 3
    assert [level_at(n) for n in (30, 50)] == [logging.ERROR] * 2
    assert level_at(81) == logging.WARNING, "after a silence it begins anew"
    assert level_at(82, "worker.app") == logging.ERROR
