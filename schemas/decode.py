"""From a record's bytes to its model, or to the reason why it is a dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.accounts import AccountRecord
from schemas.appeals import Appeal
from schemas.base import SCHEMA_VERSION, Wire
from schemas.coordination import Finding, Observation
from schemas.dead_letters import DeadLetter, DeadLetterReason
from schemas.decisions import Decision
from schemas.enforcement import Enforcement
from schemas.media_signals import MediaSignals
from schemas.notices import Notice
from schemas.policies import CURRENT_KEY, PolicyCurrent, PolicyFile
from schemas.posts import Post
from schemas.queue import QueueItem
from schemas.reports import Report
from schemas.reviews import Review
from schemas.statements import Statement

MAX_RECORD_BYTES: Final = 1024 * 1024
"""Size of the largest value that is judged: Kafka's own default limit."""

MAX_DEPTH: Final = 32
"""Objects and arrays within each other; the contract's own records need seven."""

MAX_DETAIL: Final = 256
"""Code points of `DecodeError.detail`."""

MAX_DIGITS: Final = 4_300
"""Digits of the longest integer, anywhere; Python's own limit, above which conversion takes quadratic time."""

MODELS: Final[dict[str, type[Wire]]] = {
    "posts": Post,
    "accounts": AccountRecord,
    "reports": Report,
    "appeals": Appeal,
    "reviews": Review,
    "media.signals": MediaSignals,
    "policies": PolicyFile,
    "enforcement.label": Enforcement,
    "enforcement.remove": Enforcement,
    "enforcement.suspend": Enforcement,
    "review.queue": QueueItem,
    "notices": Notice,
    "decisions": Decision,
    "statements": Statement,
    "dead-letter": DeadLetter,
    "observations": Observation,
    "findings": Finding,
}
"""Model of each topic's records; `policies` also carries `PolicyCurrent`, told apart by `decode`."""

RECORDS: Final[tuple[type[Wire], ...]] = (*dict.fromkeys(MODELS.values()), PolicyCurrent)
"""Every model that is the value of a record by itself, in the order of the contract's topics."""


class Decoded(NamedTuple):
    """One valid record."""

    model: Wire
    unknown_fields: int  # fields that no model knows, at any depth; what is inside them is not counted


class DecodeError(ValueError):
    """A record that cannot be judged.

    Attributes:
        reason: why, as the contract's dead letters name it.
        detail: where and what, at most `MAX_DETAIL` code points; never anything that the record holds
            besides names of the contract's own fields.
    """

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        self.reason: DeadLetterReason = reason
        self.detail = detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 1] + "…"
        super().__init__(f"{reason}: {self.detail}")


def decode(topic: str, value: bytes | None, key: bytes | None = None) -> Decoded:
    """The record that the bytes hold, and how many fields in it are unknown.

    Of a name that stands twice in an object the last counts. A null where the contract has an optional
    field that cannot be null is the same as no field. `key` only matters for `policies`; without it the
    pointer to the pack in force is told from a file's piece by its fields.

    Args:
        topic: the contract's name, without the prefix.
        value: the record's value as received.
        key: the record's key.

    Raises:
        DecodeError: the record is a dead letter; the caller writes it.
        KeyError: there is no such topic.
    """
    model = MODELS[topic]
    if value is None:
        raise DecodeError("null_value", "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        raise DecodeError("too_large", f"{len(value)} bytes, more than {MAX_RECORD_BYTES}")
    if model is PolicyFile and (key == CURRENT_KEY or (key is None and b'"data_base64"' not in value)):
        model = PolicyCurrent
    try:
        record: Wire = model.__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        record = _recover(model, value, error)
    unknown = count_unknown(record)
    if unknown and _could_hide_faults(value):
        # Only in unknown fields can anything hide that the models do not check themselves.
        _load(value)
    return Decoded(record, unknown)


def count_unknown(model: Wire) -> int:
    """How many fields of the model, and of the models in it, are unknown; forgets them on the way."""
    unknown = 0
    extra = model.__pydantic_extra__
    if extra:
        unknown = len(extra)
        extra.clear()
    fields = model.__dict__
    for name, _ in model.nested:
        value = fields[name]
        if value:
            if value.__class__ is tuple:
                for item in value:
                    unknown += count_unknown(item)
            else:
                unknown += count_unknown(value)
    return unknown


def is_too_deep(value: bytes) -> bool:
    """Whether more than `MAX_DEPTH` objects and arrays lie within each other; linear and without recursion.

    What is no JSON is told by its brackets outside of strings; up to twice the limit passes there.
    """
    unescaped = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(unescaped.split(b'"')[::2]).translate(_AS_SQUARE, delete=_NO_BRACKETS)
    for _ in range(MAX_DEPTH):  # each round takes the innermost level away
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    return b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH


def _could_hide_faults(value: bytes) -> bool:
    return value.count(b"{") + value.count(b"[") > MAX_DEPTH or b"NaN" in value or b"Infinity" in value


def _load(value: bytes) -> Any:
    """The JSON value by the standard library, after every check that does not need a model.

    Raises:
        DecodeError: with reason bad_utf8, too_deep, bad_json or invalid.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("bad_utf8", f"no UTF-8 at byte {error.start}: {error.reason}") from None
    if is_too_deep(value):
        raise DecodeError("too_deep", f"more than {MAX_DEPTH} objects and arrays within each other")
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int)
    except json.JSONDecodeError as error:
        raise DecodeError("bad_json", f"{error.msg} at line {error.lineno} column {error.colno}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise DecodeError("bad_json", f"{name} is no JSON")


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise DecodeError("invalid", f"an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _recover(model: type[Wire], value: bytes, error: ValidationError) -> Wire:
    """Tries again without the nulls that stand for missing fields.

    Raises:
        DecodeError: with the reason, when that does not help.
    """
    tree = _load(value)
    problems = error.errors(include_url=False, include_context=False)
    if problems[0]["type"] == "json_invalid":
        # The grammar allows half of a surrogate pair as an escape, but no Unicode text can hold it.
        raise DecodeError("invalid", "a string holds half of a surrogate pair")
    if not _drop_nulls(model, tree):
        raise _refusal(problems)
    try:
        record: Wire = model.__pydantic_validator__.validate_json(json.dumps(tree))
    except ValidationError as second:
        raise _refusal(second.errors(include_url=False, include_context=False)) from None
    return record


def _drop_nulls(model: type[Wire], tree: Any) -> int:
    """Takes the nulls out that stand for missing fields; how many there were."""
    if not isinstance(tree, dict):
        return 0
    dropped = 0
    for name in model.never_null:
        if name in tree and tree[name] is None:
            del tree[name]
            dropped += 1
    for name, inner in model.nested:
        value = tree.get(name)
        for item in value if isinstance(value, list) else (value,):
            dropped += _drop_nulls(inner, item)
    return dropped


def _refusal(problems: list[ErrorDetails]) -> DecodeError:
    for problem in problems:
        if problem["loc"] == ("schema_version",) and type(problem["input"]) is int:
            return DecodeError("unsupported_version", f"schema_version is not {SCHEMA_VERSION}")
    first = problems[0]
    where = ".".join(
        str(step) if isinstance(step, int) or step in _FIELD_NAMES else "*" for step in first["loc"]
    )
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return DecodeError("invalid", f"{where or 'value'}: {first['msg']}{more}")


def _models(model: type[Wire]) -> Iterator[type[Wire]]:
    yield model
    for _, inner in model.nested:
        yield from _models(inner)


# Keys of free-form objects stand in error locations too, and people can write there what they like.
_FIELD_NAMES: Final = frozenset(
    name for record in RECORDS for model in _models(record) for name in model.model_fields
)
_AS_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"{}[]")
