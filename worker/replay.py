"""Runs a file of records through the whole engine with its state, without a broker.

The records of one partition go through one `PartitionJudge` in their order. They are judged in batches for
speed; where a batch ends never shows in the output, because a timer that would fire between two records
ends the batch before the second.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

from schemas.decode import DecodeError, decode
from worker.adapters.exchange import LOOPED
from worker.engine.intake import ACCOUNT_OF
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import Pack
from worker.engine.state import Account
from worker.topics import BY_NAME, JUDGED, Direction

BATCH = 1000  # records judged together
UNKNOWN_TOPIC = "replay"  # the dead letters of lines that name no topic: their offset is the line's, from 0
_INPUTS = frozenset((*JUDGED, "policies"))
_TIME_FIELDS = ("created_at", "updated_at", "observed_at", "published_at")
_TO_PARTITION = b"partition:"  # what begins the key of a finding for a partition, not for an account
_GIVEN = ("model:", "pack:")  # findings that nothing in a file of records leads to
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000


class BadLineError(ValueError):
    """A line that is no record. `reason` is the dead letter's."""

    def __init__(self, reason: str, detail: str, topic: str = UNKNOWN_TOPIC, partition: int = 0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.topic = topic
        self.partition = partition
        self.offset: int | None = None  # the record's own or ordinal one, once it is known


class UnknownPackError(LookupError):
    """The lines switch to a pack that is not among those given; holds its SHA-256."""


@dataclass(frozen=True, slots=True)
class _Line:
    record: Record
    time: int | None  # the record's own time in milliseconds, None when it has none or cannot be judged


class Replay:
    """Feeds lines to the engine. `records` and `bad_lines` count what was read, `outputs` what was written.

    With `loop` the records that workers write for each other (`observations`, `findings`) are judged right after the
    record that caused them: partition 0 owns all features, and findings go to the partition where the account was
    seen. Without it they are taken from the lines alone, as they were recorded: see `is_recording`. `partitions` share
    the caps of breakers; None: each partition has all of them. `packs` are those that the lines may switch to, by
    SHA-256.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        publish_all: bool = False,
        internal: bool = False,
        statements: bool = False,
        batch: int = BATCH,
        loop: bool = True,
        partitions: int | None = None,
        packs: Mapping[str, Pack] | None = None,
    ) -> None:
        self._pack = pack
        self._packs = packs or {}
        self._loop = loop
        self._partitions = partitions
        self._publish_all = publish_all
        self._internal = internal
        self._statements = statements
        # State is written once a batch: judged one by one, what changed stands behind the record that changed it.
        self._batch_size = 1 if internal else batch
        self._shortest = _shortest_action(pack)
        self._judges: dict[int, PartitionJudge] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._pending: list[Record] = []
        self._horizon: int | None = None  # no record of this time or later may join the pending batch
        self._last_time = 0
        self.records = 0
        self.bad_lines = 0
        self.outputs: dict[str, int] = {}

    def feed(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Output lines for these input lines, as they fall due; more may come from `finish`."""
        for line in lines:
            self.records += 1
            try:
                parsed = self._parse(line)
            except BadLineError as error:
                yield from self._flush()
                yield from self._reject(line, error)
                continue
            if self._must_flush(parsed):
                yield from self._flush()
                yield from self._expire(parsed)
            self._pending.append(parsed.record)
            if parsed.time is not None:
                self._last_time = max(self._last_time, parsed.time)
                if self._shortest is not None:
                    horizon = parsed.time + self._shortest
                    self._horizon = horizon if self._horizon is None else min(self._horizon, horizon)

    def finish(self, until: datetime | None = None) -> Iterator[bytes]:
        """What is left, and what the timers owe up to `until`, by partition."""
        yield from self._flush()
        if until is not None:
            for _, judge in sorted(self._judges.items()):
                yield from self._written(judge.expire(until))

    def account(self, partition: int, account_id: str) -> Account | None:
        """An account's record as it stands after what was judged so far, None when it was never heard of."""
        judge = self._judges.get(partition)
        if judge is None or account_id not in judge.accounts:
            return None
        return judge.accounts.get(account_id)

    def _pack_of(self, sha256: str) -> Pack:
        pack = self._packs.get(sha256.lower())
        if pack is None:
            raise UnknownPackError(sha256)
        return pack

    def _judge(self, partition: int) -> PartitionJudge:
        judge = self._judges.get(partition)
        if judge is None:
            judge = PartitionJudge(
                self._pack,
                partition,
                publish_all=self._publish_all,
                statements=self._statements,
                sharing=self._partitions,
                pack_of=self._pack_of,
            )
            self._judges[partition] = judge
        return judge

    def _must_flush(self, line: _Line) -> bool:
        pending = self._pending
        if not pending or len(pending) >= self._batch_size or pending[0].partition != line.record.partition:
            return True
        if _switches(line.record) or _switches(pending[-1]):
            return True  # a batch is measured by one pack
        if line.time is None:
            return False
        if self._horizon is not None and line.time >= self._horizon:
            return True
        due = (
            self._judges[line.record.partition].ledger.next_due
            if line.record.partition in self._judges
            else None
        )
        return due is not None and line.time >= due

    def _flush(self) -> Iterator[bytes]:
        if self._pending:
            judge = self._judge(self._pending[0].partition)
            judged = judge.judge(self._pending, _Loop(self) if self._loop else None)
            self._pending = []
            self._horizon = None
            yield from self._written(judged)

    def _answer(self, output: Output) -> Judged:
        """Judges what one worker wrote for another; timers that its time has passed go first, as for any record."""
        partition = self._place(output)
        judge = self._judge(partition)
        value = output.value
        time = _own_time(output.topic, output.key, value)
        offset = self._next(output.topic, partition)
        stamp = self._last_time if time is None else time
        record = Record(output.topic, partition, offset, stamp, output.key, value)
        due = judge.ledger.next_due
        judged = Judged()
        if time is not None and due is not None and due <= time:
            judged.add(judge.expire(_EPOCH + timedelta(milliseconds=time)))
        judged.add(judge.judge([record]))
        return judged

    def _place(self, output: Output) -> int:
        """The partition that judges what one worker wrote for another."""
        if output.topic == "observations":
            return 0
        if output.key.startswith(_TO_PARTITION):
            return output.partition or 0
        account_id = output.key.decode()
        seen = (number for number, judge in sorted(self._judges.items()) if account_id in judge.accounts)
        return next(seen, 0)

    def _expire(self, line: _Line) -> Iterator[bytes]:
        """Fires what this record's time has passed on its own partition, as its worker would have."""
        if line.time is not None:
            yield from self._written(
                self._judge(line.record.partition).expire(_EPOCH + timedelta(milliseconds=line.time))
            )

    def _reject(self, line: bytes, error: BadLineError) -> Iterator[bytes]:
        self.bad_lines += 1
        offset = error.offset
        if offset is None:
            # Of a line that names a topic the offset is the topic's next: no other line gets the same.
            offset = (
                self.records - 1 if error.topic == UNKNOWN_TOPIC else self._next(error.topic, error.partition)
            )
        record = Record(error.topic, error.partition, offset, self._last_time, None, line)
        detail = f"line {self.records}: {error.detail}"
        yield from self._written(self._judge(error.partition).dead_letter(record, error.reason, detail))

    def _written(self, judged: Judged) -> Iterator[bytes]:
        for output in judged.outputs:
            if self._internal or BY_NAME[output.topic].direction is not Direction.INTERNAL:
                yield self._line(output.topic, output.key, output.value)
        if self._internal:
            for key, value in judged.state.items():
                yield self._line("state", key, value)

    def _line(self, topic: str, key: bytes, value: bytes | None) -> bytes:
        self.outputs[topic] = self.outputs.get(topic, 0) + 1
        name = to_json(key.decode("utf-8", "replace"))
        return b'{"topic":"%s","key":%s,"value":%s}\n' % (
            topic.encode(),
            name,
            b"null" if value is None else value,
        )

    def _parse(self, line: bytes) -> _Line:
        data = _object(line)
        topic = data.get("topic")
        if not isinstance(topic, str):
            raise BadLineError("invalid", 'no "topic"')
        if topic not in _INPUTS:
            known = "an output of the worker" if topic in BY_NAME else "no topic of the contract"
            raise BadLineError("invalid", f"its topic is {known}")
        partition = _number(data, "partition", 0, topic)
        offset = _number(data, "offset", -1, topic, partition)
        offset = self._next(topic, partition, None if offset < 0 else offset)
        try:
            return self._line_of(data, topic, partition, offset)
        except BadLineError as error:
            error.offset = offset
            raise

    def _next(self, topic: str, partition: int, given: int | None = None) -> int:
        """The offset of a line: the given one, or the one after the highest so far."""
        free = self._offsets.get((topic, partition), 0)
        offset = free if given is None else given
        self._offsets[topic, partition] = max(free, offset + 1)
        return offset

    def _line_of(self, data: Mapping[str, Any], topic: str, partition: int, offset: int) -> _Line:
        key = data.get("key")
        if key is not None and not isinstance(key, str):
            raise BadLineError("invalid", "key: expected a string", topic, partition)
        try:
            encoded = None if key is None else key.encode()
        except UnicodeEncodeError:
            raise BadLineError("invalid", "key: half of a surrogate pair", topic, partition) from None
        value = _value(data, topic, partition)
        time = _own_time(topic, encoded, value)
        timestamp = _number(data, "timestamp", self._last_time if time is None else time, topic, partition)
        return _Line(Record(topic, partition, offset, timestamp, encoded, value), time)


class _Loop:
    """Called after each record of a batch: has judged what follows from it, until nothing does."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._done = 0

    def __call__(self, judged: Judged) -> None:
        while self._done < len(judged.outputs):
            output = judged.outputs[self._done]
            self._done += 1
            if output.topic in LOOPED:
                judged.add(self._replay._answer(output))


def _switches(record: Record) -> bool:
    return record.topic == "findings" and b'"switch":{' in (record.value or b"")


def is_recording(lines: Iterable[bytes]) -> bool:
    """Whether the lines hold what workers wrote for each other, so that nothing is to be made up for it.

    What an operator's own model said, and which packs were published, is no sign of that: it cannot be made up.
    """
    return any(_is_internal(line) for line in lines if b'"observations"' in line or b'"findings"' in line)


def _is_internal(line: bytes) -> bool:
    try:
        data = _object(line)
    except BadLineError:
        return False
    if data.get("topic") == "observations":
        return True
    if data.get("topic") != "findings":
        return False
    value = data.get("value")
    feature = value.get("feature") if isinstance(value, dict) else None
    return not (isinstance(feature, str) and feature.startswith(_GIVEN))


def _object(line: bytes) -> dict[str, Any]:
    try:
        data = from_json(line)
    except ValueError:
        data = _object_slowly(line)
    if not isinstance(data, dict):
        raise BadLineError("invalid", 'expected an object {"topic", "value"}')
    return data


def _object_slowly(line: bytes) -> Any:
    """What the fast parser refuses: half surrogates, which the record's own reader must see, and real faults."""
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadLineError("bad_utf8", f"no UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadLineError("bad_json", f"{error.msg} at column {error.colno}") from None
    except RecursionError:
        raise BadLineError("too_deep", "objects and arrays too deep within each other") from None
    except ValueError:
        raise BadLineError("invalid", "a number with too many digits") from None


def _number(data: Mapping[str, Any], name: str, default: int, topic: str, partition: int = 0) -> int:
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise BadLineError("invalid", f"{name}: expected a whole number, 0 or more", topic, partition)
    return value


def _value(data: Mapping[str, Any], topic: str, partition: int) -> bytes | None:
    """The record's bytes, None for a tombstone."""
    if data.get("value_base64") is not None:
        try:
            return base64.b64decode(data["value_base64"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise BadLineError("invalid", "value_base64: not base64", topic, partition) from None
    if "value" not in data and "value_base64" not in data:
        raise BadLineError("invalid", 'neither "value" nor "value_base64"', topic, partition)
    content = data.get("value")
    if content is None:
        return None
    try:
        return to_json(content, inf_nan_mode="constants")
    except ValueError:  # half surrogates and deep nesting: as escapes they reach the record's own reader
        try:
            return json.dumps(content, separators=(",", ":")).encode()
        except RecursionError:
            raise BadLineError(
                "too_deep", "objects and arrays too deep within each other", topic, partition
            ) from None


def _own_time(topic: str, key: bytes | None, value: bytes | None) -> int | None:
    """The record's own time in milliseconds, None when it has none.

    What becomes a dead letter has none either, whatever it claims: no worker's clock follows it.
    """
    try:
        model = decode(topic, value, key).model
    except DecodeError:
        return None
    owner = ACCOUNT_OF.get(topic)
    if owner is not None and key is not None and key != getattr(model, owner).encode():
        return None  # misrouted
    for name in _TIME_FIELDS:
        time = getattr(model, name, None)
        if time is not None:
            return int((time - _EPOCH) // timedelta(milliseconds=1))
    return None


def _shortest_action(pack: Pack) -> int | None:
    """The shortest time in which an action of this pack can end, in milliseconds; None when none ends."""
    hours = [
        action.duration_hours
        for loaded in pack.policies
        for rung in loaded.policy.ladder
        for action in rung.actions
        if action.duration_hours is not None
    ]
    return min(hours) * _HOUR_MS if hours else None
