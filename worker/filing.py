"""Files statements of reasons: checks them as the DSA transparency database does, and packs them for sending.

The database takes at most 100 statements at once and refuses all of them when one is wrong, so that what is wrong has
to be found here. Source of the checks: the fields and codes of digital-services-act/transparency-database at commit
69e80a0 of 2026-06-24, read 2026-11-23.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import ValidationError

from schemas.statements import Statement
from worker.engine.dsa import COUNTRIES, KEYWORDS

BATCH = 100  # the most that the database takes at once
_OLDEST_CONTENT = date(2000, 1, 1)
_OLDEST_APPLICATION = date(2020, 1, 1)


class BadStatementError(ValueError):
    """What is no statement that the database would take; the message says why, without repeating anything of it."""


def read_statement(value: Any) -> Statement:
    """The statement in a record of the topic.

    Raises:
        BadStatementError: it is no statement, or one with faults.
    """
    try:
        statement = Statement.model_validate_json(json.dumps(value))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in faults[:5])
        raise BadStatementError(told) from None
    if statement.model_extra:
        raise BadStatementError(f"fields that no statement has: {len(statement.model_extra)}")
    if problems := list(_problems(statement)):
        raise BadStatementError("; ".join(problems))
    return statement


def _problems(statement: Statement) -> Iterator[str]:
    """What the form of the fields alone does not show."""
    yield from _codes(statement)
    yield from _companions(statement)
    yield from _dates(statement)
    if strangers := set(statement.territorial_scope) - COUNTRIES:
        yield f"territorial_scope: no countries of the EU or the EEA: {', '.join(sorted(strangers))}"
    if not (statement.decision_visibility or statement.decision_provision or statement.decision_account):
        yield "no decision: one of decision_visibility, decision_provision and decision_account must be there"


def _codes(statement: Statement) -> Iterator[str]:
    allowed: set[str] = set()
    for category in (statement.category, *statement.category_addition):
        if category not in KEYWORDS:
            yield f"category: the database has no {category}"
        allowed |= KEYWORDS.get(category, frozenset())
    for keyword in statement.category_specification:
        if keyword not in allowed:
            yield f"category_specification: {keyword} does not belong to {statement.category}"


def _companions(statement: Statement) -> Iterator[str]:
    """Fields that must be there, or must not, because of what stands in others."""
    illegal = statement.decision_ground == "DECISION_GROUND_ILLEGAL_CONTENT"
    wanted, unwanted = (
        ("illegal_content", "incompatible_content")
        if illegal
        else ("incompatible_content", "illegal_content")
    )
    for name in (f"{wanted}_legal_ground" if illegal else f"{wanted}_ground", f"{wanted}_explanation"):
        if not getattr(statement, name):
            yield f"{name}: must be there for {statement.decision_ground}"
    for name in ("illegal_content_legal_ground", "incompatible_content_ground", f"{unwanted}_explanation"):
        if name.startswith(unwanted) and getattr(statement, name):
            yield f"{name}: does not go with {statement.decision_ground}"
    others = (
        ("content_type_other", "CONTENT_TYPE_OTHER" in statement.content_type),
        ("decision_visibility_other", "DECISION_VISIBILITY_OTHER" in statement.decision_visibility),
        ("category_specification_other", "KEYWORD_OTHER" in statement.category_specification),
    )
    for name, needed in others:
        if bool(getattr(statement, name)) != needed:
            yield f"{name}: must be there exactly where something else is named"
    if statement.source_identity and statement.source_type == "SOURCE_VOLUNTARY":
        yield "source_identity: the platform's own initiative has none"


def _dates(statement: Statement) -> Iterator[str]:
    if statement.content_date <= _OLDEST_CONTENT:
        yield "content_date: must be after 2000-01-01"
    if statement.application_date <= _OLDEST_APPLICATION:
        yield "application_date: must be after 2020-01-01"
    ends = (
        ("visibility", bool(statement.decision_visibility)),
        ("service", statement.decision_provision is not None),
        ("account", statement.decision_account is not None),
    )
    for kind, decided in ends:
        name = f"end_date_{kind}_restriction"
        end = getattr(statement, name)
        if end is not None and end < statement.application_date:
            yield f"{name}: lies before application_date"
        if end is not None and not decided:
            yield f"{name}: there is no such restriction"


def exported(statement: Statement, key: bytes = b"") -> dict[str, Any]:
    """The statement as the database takes it: its own fields alone, without empty ones.

    With a key the `puid` is a keyed digest of itself: who knows a post and the policies cannot work it out.
    """
    fields = statement.model_dump(mode="json", exclude={"schema_version"}, exclude_none=True)
    if key:
        fields["puid"] = hmac.new(key, statement.puid.encode(), hashlib.sha256).hexdigest()
    return {name: value for name, value in fields.items() if value not in ([], "")}


@dataclass(slots=True)
class Filing:
    """Collects statements: each `puid` once, those between two days (both included).

    `duplicates` counts what came again, `outside` what lies on other days. Of every statement only its bytes are kept.
    """

    since: date | None = None
    until: date | None = None
    key: bytes = b""
    duplicates: int = 0
    outside: int = 0
    _kept: dict[str, tuple[date, bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, value: Any) -> None:
        """Takes the value of one record.

        Raises:
            BadStatementError: the database would refuse it.
        """
        statement = read_statement(value)
        day = statement.application_date
        if (self.since is not None and day < self.since) or (self.until is not None and day > self.until):
            self.outside += 1
        elif statement.puid in self._kept:
            self.duplicates += 1
        else:
            fields = exported(statement, self.key)
            self._kept[statement.puid] = (day, json.dumps(fields, ensure_ascii=False).encode())

    def statements(self) -> Iterator[bytes]:
        """The statements as JSON, by the day of the decision and then by `puid`: the same whatever order they came in."""
        for _, (_, value) in sorted(self._kept.items(), key=lambda kept: (kept[1][0], kept[0])):
            yield value

    def batches(self) -> Iterator[bytes]:
        """The bodies of requests, each with at most 100 statements."""
        batch: list[bytes] = []
        for value in self.statements():
            batch.append(value)
            if len(batch) == BATCH:
                yield _body(batch)
                batch = []
        if batch:
            yield _body(batch)


def _body(batch: list[bytes]) -> bytes:
    return b'{"statements": [\n' + b",\n".join(batch) + b"\n]}\n"
