"""What all records share: the base models, times, ids, limits and the canonical encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema, to_json

SCHEMA_VERSION: Final = 1
MAX_TEXT: Final = 25_000  # code points of a post's text
MAX_EVIDENCE: Final = 32  # items of one action, queue item or verdict
MAX_DETAIL: Final = 256  # code points of an evidence item's detail
MAX_ID: Final = 512  # code points of an id: room for ids that are addresses (ActivityPub, AT Protocol)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)  # whatever is added to a time still is one

# RFC 3339 section 5.6 with the leniencies of its notes (lower-case letters, a space for the T).
# Without it the datetime parser would also take quoted numbers, times without seconds and offsets
# without a colon.
TIME_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


def format_time(time: datetime) -> str:
    """The time as every record of ours writes it: RFC 3339 in UTC, `2026-11-22T09:30:00Z`.

    Microseconds follow, always six digits, only when they are not zero.

    Raises:
        ValueError: the time is naive; a time without an offset has no place on the wire.
    """
    if time.tzinfo is None:
        raise ValueError("a time without an offset cannot be written")
    return time.astimezone(UTC).isoformat()[:-6] + "Z"  # the offset is always +00:00


class _Rfc3339:
    """Annotation that makes a datetime an RFC 3339 time with an offset, written as `format_time` does."""

    def __init__(self, earliest: datetime) -> None:
        self.earliest = earliest

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        limited = core_schema.datetime_schema(tz_constraint="aware", ge=self.earliest, lt=LATEST)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.custom_error_schema(
                core_schema.chain_schema([core_schema.str_schema(pattern=TIME_PATTERN), limited]),
                custom_error_type="rfc3339_time",
                custom_error_message=(
                    f"Input should be an RFC 3339 time with an offset, from year {self.earliest.year} to {LATEST.year - 1}"
                ),
            ),
            python_schema=limited,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_time, return_schema=core_schema.str_schema(), when_used="json-unless-none"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "pattern": TIME_PATTERN}


Time = Annotated[datetime, _Rfc3339(EARLIEST)]
"""A time that is calculated with: from 1970 up to, not including, the year 9000."""

PastTime = Annotated[datetime, _Rfc3339(datetime(1, 1, 1, tzinfo=UTC))]
"""A time that is only compared: some producers write the year 1 for "unknown"."""

SchemaVersion = Annotated[
    StrictInt,
    Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION),
    WithJsonSchema({"type": "integer", "const": SCHEMA_VERSION}),
]
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
SubjectIdText = Annotated[str, Field(min_length=1, max_length=2 * MAX_ID + 1)]  # "<post>/<media>"
Language = Annotated[str, Field(max_length=64)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=2**63 - 1)]
Version = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
Ratio = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(strict=True, ge=0.0, le=1e9)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
TlshDigest = Annotated[str, Field(pattern=r"^(T1)?[0-9a-fA-F]{70}$")]

PolicyId = Literal[
    "violence", "violent-extremism", "child-sexual-exploitation", "abuse-harassment", "hateful-conduct",
    "perpetrators-of-attacks", "suicide-self-harm", "sensitive-media", "illegal-goods", "private-information",
    "non-consensual-nudity", "platform-manipulation", "civic-integrity", "misleading-identities",
    "synthetic-media", "copyright", "trademark", "third-party-ads", "enforcement-circumvention",
]  # fmt: skip
ActionKind = Literal["label", "remove", "suspend"]
Operation = Literal["apply", "reverse"]
LabelName = Literal[
    "sensitive-media",
    "graphic-media",
    "manipulated-media",
    "misleading",
    "limited-visibility",
    "parody",
    "automated",
]
SuspendMode = Literal["read_only", "verify", "edit_required", "suspended"]
SubjectType = Literal["post", "account", "media", "profile_field"]


def _models_in(annotation: Any) -> Iterator[type[Wire]]:
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


class Wire(BaseModel):
    """Base of every record and every part of one: frozen, and a field that it does not know is no error.

    Unknown fields are kept only until `schemas.decode` has counted them. Times in Python are aware
    datetimes with the offset that was received.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )

    nested: ClassVar[tuple[tuple[str, type[Wire]], ...]] = ()
    """The fields that hold another model, alone or in a tuple, and which one."""

    never_null: ClassVar[tuple[str, ...]] = ()
    """The fields that may be missing but hold no null; in what others write, a null there is read as missing."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        fields = cls.model_fields.items()
        cls.nested = tuple((name, model) for name, field in fields for model in _models_in(field.annotation))
        cls.never_null = tuple(
            name
            for name, field in fields
            if not field.is_required() and NoneType not in get_args(field.annotation)
        )


class Record(Wire):
    """Base of what is the value of a record by itself."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    """Version of the record's format; other versions are dead letters with reason `unsupported_version`."""


class InputRecord(Wire):
    """Base of a record that others write: the version has to be there."""

    schema_version: SchemaVersion
    """Version of the record's format; other versions are dead letters with reason `unsupported_version`."""


_Item = TypeVar("_Item")
Many = Annotated[tuple[_Item, ...], FailFast()]
"""Any number of items, in order; a bad record is given up at its first bad item."""


class Subject(Wire):
    """What an action, a report or a decision is about."""

    type: SubjectType
    """What kind of thing it is."""
    id: SubjectIdText
    """Its id; of media `<post>/<media>`, of a profile field `<account>/<field>`."""


class RecordRef(Wire):
    """Where the record stands that something follows from."""

    topic: str
    """Topic, without the prefix."""
    partition: Count
    """Partition number."""
    offset: Count
    """Offset in the partition."""


class EvidenceItem(Wire):
    """Where a signal was seen."""

    signal: str
    """Dotted name of the signal, e.g. `lexicon.threat`."""
    field: str
    """Path of the field in the record, e.g. `text`, `media[0].alt_text`, `profile.bio`."""
    start: Count | None = None
    """First code point of the span in the field as received; null without text."""
    end: Count | None = None
    """Code point after the span's last; null without text."""
    score: Ratio
    """How strong the signal is, 0 to 1."""
    detail: Annotated[str, Field(max_length=MAX_DETAIL)] = ""
    """What was recognised, never the text itself; at most 256 code points."""


Evidence = Annotated[Many[EvidenceItem], Field(max_length=MAX_EVIDENCE)]


def not_always(*names: str) -> Callable[[dict[str, Any]], None]:
    """For the JSON Schema of a model: fields that are left out of records where they say nothing."""

    def relax(schema: dict[str, Any]) -> None:
        if "required" in schema:
            schema["required"] = [name for name in schema["required"] if name not in names]

    return relax


class Strikes(Wire):
    """Counted past violations of the account."""

    model_config = ConfigDict(json_schema_extra=not_always("taken_back"))

    added: Count
    """Strikes that this decision added."""
    active: Count
    """Strikes that have not expired, the added ones included."""
    taken_back: Annotated[Count, Field(exclude_if=lambda weight: not weight)] = 0
    """Strikes that this decision took back; left out when there are none."""


_TIME = TypeAdapter[datetime](Time)


def parse_time(text: str) -> datetime:
    """The time, in UTC, that an RFC 3339 text with an offset names.

    Digits of the fraction after the sixth are cut off.

    Raises:
        ValueError: the text is no such time, has no offset, or lies outside 1970 to 8999.
    """
    try:
        return _TIME.validate_json(to_json(text)).astimezone(UTC)
    except ValidationError as error:
        raise ValueError(f"no RFC 3339 time with an offset: {error.errors()[0]['msg']}") from None


def encode(model: Wire) -> bytes:
    """The record's canonical bytes: compact UTF-8 JSON, fields in the contract's order, nulls included.

    Equal models always give the same bytes.
    """
    return model.__pydantic_serializer__.to_json(model)
