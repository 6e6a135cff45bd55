"""Reads exports of hash exchanges: what ThreatExchange, its Python tools, NCMEC, StopNCII and others write.

The forms are those that python-threatexchange reads and writes (https://github.com/facebook/ThreatExchange at 2026-11-24,
python-threatexchange/threatexchange: exchanges/impl, exchanges/clients, cli/dataset_cmd.py, BSD licence):

- JSON or JSON lines: records of `threat_updates` and threat descriptors, StopNCII's `hashRecords`, Tech Against
  Terrorism's `results`, contents of HMA's banks (`signals`), and plain `{"type", "signal", "opinion", …}`
- CSV of `threatexchange dataset --print-signals --csv` (with its header), and the cache files `simple.<TYPE>.te`
- lines of `<type> <hash>`, as its file exchange has them, or of hashes alone where the type is given
- NCMEC's XML of entries
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError  # only to name them; defusedxml parses

from worker.media.bank_files import ENTRY, KINDS, Kind, Opinion, features, is_hash, summed_up

# Types as the exchanges name them, in small letters and without what they begin with.
_TYPES: dict[str, Kind] = {
    "pdq": "pdq",
    "imagepdq": "pdq",
    "photo_pdq": "pdq",
    "md5": "md5",
    "video_md5": "md5",
    "videomd5": "md5",
    "photo_md5": "md5",
    "sha256": "sha256",
    "video_sha256": "sha256",
    "photo_sha256": "sha256",
    "tlsh": "tlsh",
    "text_tlsh": "tlsh",
    "vpdq": "vpdq",
    "video_pdq": "vpdq",
    "video_vpdq": "vpdq",
}
_OPINIONS: dict[str, Opinion] = {
    "positive_class": "confirmed",
    "malicious": "confirmed",
    "confirmed": "confirmed",
    "blocked": "confirmed",
    "true_positive": "confirmed",
    "negative_class": "negative",
    "non_malicious": "negative",
    "negative": "negative",
    "notblocked": "negative",
    "false_positive": "negative",
    "disputed": "disputed",
}
_GONE = frozenset(("withdrawn", "deleted"))
_LISTS = ("data", "results", "hashRecords", "threat_updates", "entries", "signals", "records")
_LARGEST_FIELD = 64 * 1024 * 1024  # bytes of one field of CSV: a video of some hours has many frames


class ExchangeError(Exception):
    """An export that cannot be read; `line` is 1-based, None where it has no place in the file."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line is not None else reason)
        self.reason = reason
        self.line = line


class Change(NamedTuple):
    """What an export says of one hash: its opinions as one, or that it is to be deleted.

    A deletion without a value is of every hash of its entry, whatever its kind.
    """

    kind: Kind
    value: str  # hex digits in lower case, TLSH without T1; of vPDQ the JSON list of its frames
    entry: str | None = None
    opinion: Opinion | None = None
    quality: int | None = None  # of PDQ, where it is known
    deleted: bool = False


def read_export(path: Path, kind: Kind | None = None, skipped: Counter[str] | None = None) -> list[Change]:
    """All hashes of an export that banks can hold, each once, in the order in which they first come.

    `kind` is that of hashes without a type. What is left out is counted in `skipped`, by reason. A hash of which several
    records speak has their opinions as one; a record that deletes it ends what was said before.

    Raises:
        ExchangeError: the file is none of the forms, or broken.
        OSError: it cannot be read.
    """
    counted: Counter[str] = Counter() if skipped is None else skipped
    held: dict[tuple[Kind, str], Change] = {}
    try:
        for one in _changes(path, kind, counted):
            change = _checked(one, counted)
            if change is None:
                continue
            key = (change.kind, change.value or f"entry {change.entry}")
            before = held.get(key)
            if before is not None and not before.deleted and not change.deleted:
                opinion = summed_up(before.opinion or "seed", change.opinion or "seed")
                change = change._replace(entry=before.entry or change.entry, opinion=opinion)
            held[key] = change
    except UnicodeDecodeError:
        raise ExchangeError("is not UTF-8") from None
    return list(held.values())


def kind_of(name: str) -> Kind | None:
    """The kind of hash that an exchange's name of a type means, such as `HASH_PDQ`; None of what banks do not hold."""
    return _TYPES.get(name.lower().removeprefix("hash_"))


def _checked(change: Change, skipped: Counter[str]) -> Change | None:
    value = change.value.strip()
    if change.deleted and not value and change.entry and ENTRY.match(change.entry):
        return change
    if change.kind == "vpdq":
        try:
            frames = features(json.loads(value))
        except (ValueError, RecursionError):
            skipped["not a hash of its type"] += 1
            return None
        value = json.dumps([f"{frame.pdq},{frame.quality},{frame.at_seconds:.3f}" for frame in frames])
    else:
        value = value.lower()
        if change.kind == "tlsh":
            value = value.removeprefix("t1")
        if not is_hash(change.kind, value):
            skipped["not a hash of its type"] += 1
            return None
    entry = change.entry if change.entry and ENTRY.match(change.entry) else None
    return change._replace(value=value, entry=entry)


def _changes(path: Path, kind: Kind | None, skipped: Counter[str]) -> Iterator[Change]:
    with path.open(encoding="utf-8-sig") as file:
        first = next((line for line in file if line.strip()), "").lstrip()
    if first.startswith("<"):
        yield from _ncmec(path, skipped)
    elif first.startswith(("{", "[")) and kind != "vpdq":
        yield from _json(path, first, skipped)
    elif path.suffix == ".te" or first.lower().startswith(("signal_type,", "indicator,", "type,")):
        yield from _csv(path, skipped)
    else:
        yield from _lines(path, kind, skipped)


def _json(path: Path, first: str, skipped: Counter[str]) -> Iterator[Change]:
    try:
        one = json.loads(first)
        lines = isinstance(one, dict)
    except (ValueError, RecursionError):
        lines = False
    if not lines:
        try:
            every = json.loads(path.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ExchangeError("is no valid JSON", getattr(error, "lineno", None)) from None
        yield from _of_json(every, skipped)
        return
    with path.open(encoding="utf-8-sig") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                try:
                    record = json.loads(text)
                except (ValueError, RecursionError):
                    raise ExchangeError("is no valid JSON", number) from None
                yield from _of_json(record, skipped)


def _of_json(value: Any, skipped: Counter[str]) -> Iterator[Change]:
    """The records of a list, of an object around a list, or of one record."""
    if isinstance(value, list):
        for one in value:
            yield from _of_json(one, skipped)
    elif isinstance(value, dict):
        wrapped = [value[name] for name in _LISTS if isinstance(value.get(name), list)]
        if wrapped and not _type_of(value):
            for one in wrapped:
                yield from _of_json(one, skipped)
        else:
            yield from _of_record(value, skipped)
    else:
        skipped["no record"] += 1


def _type_of(record: Mapping[str, Any]) -> str:
    names = (record.get(name) for name in ("type", "signal_type", "signalType", "algorithm", "kind"))
    return next((name for name in names if isinstance(name, str)), "")


def _of_record(record: Mapping[str, Any], skipped: Counter[str]) -> Iterator[Change]:
    entry = _text(record.get("id")) or _text(record.get("entry"))
    signals = record.get("signals")
    if isinstance(signals, dict):  # a content of an HMA bank: several hashes of the same thing
        enabled = record.get("enabled", True) is not False
        for name, value in signals.items():
            kind = kind_of(name)
            if kind is None or not isinstance(value, str):
                skipped[f"type {_name(name)}"] += 1
            else:
                yield Change(kind, value, entry, _opinion(record), deleted=not enabled)
        return
    kind = kind_of(_type_of(record))
    if kind is None:
        skipped[f"type {_name(_type_of(record))}"] += 1
        return
    fields = (
        "indicator",
        "raw_indicator",
        "signal",
        "signal_str",
        "hash",
        "hashValue",
        "hash_digest",
        "value",
        "frames",
    )
    value = next((record[name] for name in fields if record.get(name)), None)
    if isinstance(value, list):
        value = json.dumps(value)
    if not isinstance(value, str):
        skipped["no hash"] += 1
        return
    quality = record.get("quality", record.get("pdq_quality"))
    known = quality if isinstance(quality, int) and 0 <= quality <= 100 and kind == "pdq" else None
    yield Change(kind, value, entry, _opinion(record), known, _is_gone(record))


def _is_gone(record: Mapping[str, Any]) -> bool:
    if record.get("should_delete") is True or record.get("deleted") is True:
        return True
    if _text(record.get("hashStatus")).lower() in _GONE:
        return True
    # `threat_updates` may leave the descriptors of what is gone out instead of saying that it is.
    return "should_delete" in record and not _listed(record.get("descriptors"))


def _opinion(record: Mapping[str, Any]) -> Opinion:
    """What a record's opinions come to; a seed where none is stated."""
    opinions = list(_opinions(record))
    total = opinions[0] if opinions else "seed"
    for one in opinions[1:]:
        total = summed_up(total, one)
    return total


def _opinions(record: Mapping[str, Any]) -> Iterator[Opinion]:
    for name in ("status", "opinion", "category"):
        if _text(record.get(name)):
            yield _meant(record[name])
    for stated in _listed(record.get("opinions")):
        yield (
            _meant(stated.get("category", stated.get("opinion")))
            if isinstance(stated, dict)
            else _meant(stated)
        )
    feedbacks = [one for one in _listed(record.get("CSPFeedbacks")) if isinstance(one, dict)]
    if "hashValue" in record:
        yield "seed"  # StopNCII: people hand in their own cases, which nobody has looked at
    for one in feedbacks:
        yield _meant(one.get("feedbackValue"))
    yield from _descriptors(record)


def _descriptors(record: Mapping[str, Any]) -> Iterator[Opinion]:
    """What the members of a ThreatExchange say: each by a descriptor of its own, else by a reaction."""
    stated: dict[str, Opinion] = {}
    reacted: dict[str, Opinion] = {}
    own = [record] if "reactions" in record and "descriptors" not in record else []
    for place, descriptor in enumerate((*_listed(record.get("descriptors")), *own)):
        if not isinstance(descriptor, dict):
            continue
        owner = descriptor.get("owner")
        name = _text(owner.get("id")) if isinstance(owner, dict) else _text(owner)
        stated[name or f"#{place}"] = _meant(descriptor.get("status"))
        for reaction in _listed(descriptor.get("reactions")):
            if isinstance(reaction, dict):
                for member in _text(reaction.get("value")).split(","):
                    if reaction.get("key") == "HELPFUL":
                        reacted[member] = "confirmed"
                    elif reaction.get("key") == "DISAGREE_WITH_TAGS":
                        reacted.setdefault(member, "negative")
    yield from stated.values()
    yield from (opinion for member, opinion in reacted.items() if member and member not in stated)


def _meant(value: object) -> Opinion:
    return _OPINIONS.get(_text(value).lower(), "seed")


def _csv(path: Path, skipped: Counter[str]) -> Iterator[Change]:
    csv.field_size_limit(min(_LARGEST_FIELD, sys.maxsize))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        try:
            if path.suffix == ".te":
                yield from _cached(path, rows, skipped)
                return
            header = [name.strip().lower() for name in next(rows)]
            for row in rows:
                if row:
                    record: dict[str, Any] = dict(zip(header, row, strict=False))
                    yield from _of_record(record, skipped)
        except csv.Error as error:
            raise ExchangeError(f"is no valid CSV: {error}", rows.line_num) from None


def _cached(path: Path, rows: Iterable[list[str]], skipped: Counter[str]) -> Iterator[Change]:
    """`simple.<TYPE>.te`: hash, in HMA's form an id, then the first descriptor, when it was added, and its labels."""
    simple, _, named = path.name.removesuffix(".te").partition(".")
    kind = kind_of(named) if simple == "simple" else None
    if kind is None:
        raise ExchangeError("its name does not say which hashes it holds: simple.HASH_PDQ.te")
    for row in rows:
        if len(row) not in (4, 5):
            skipped["no record"] += 1
            continue
        labels = set(row[-1].split())
        stated = [_OPINIONS[label] for label in sorted(labels) if label in _OPINIONS]
        opinion: Opinion = "seed"
        for place, one in enumerate(stated):
            opinion = one if place == 0 else summed_up(opinion, one)
        yield Change(kind, row[0], row[1] or None, opinion)


def _lines(path: Path, kind: Kind | None, skipped: Counter[str]) -> Iterator[Change]:
    with path.open(encoding="utf-8-sig") as file:
        for number, text in enumerate(file, 1):
            line = text.strip()
            if not line or line.startswith("#"):
                continue
            name, space, value = line.partition(" ")
            if kind is not None and (not space or kind == "vpdq"):
                yield Change(kind, line, opinion="seed")
            elif not space:
                raise ExchangeError(f"which hash is it? One of {', '.join(KINDS)} must be named", number)
            elif (known := kind_of(name)) is None:
                skipped[f"type {_name(name)}"] += 1
            else:
                yield Change(known, value, opinion="seed")


def _ncmec(path: Path, skipped: Counter[str]) -> Iterator[Change]:
    """NCMEC's entries: what a member reports is positive, what another one denies of the same hash disputed."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        root = parse(path).getroot()
    except (ParseError, DefusedXmlException) as error:
        raise ExchangeError(f"is no XML that may be read: {type(error).__name__}") from None
    for group in root:
        for element in group:
            name = _tag(element)
            if name.startswith("deleted"):
                gone = next((part.text for part in element if _tag(part) == "id" and part.text), None)
                if gone:
                    yield Change("md5", "", gone.strip(), deleted=True)
            elif name in ("image", "video"):
                yield from _ncmec_entry(element, skipped)


def _ncmec_entry(element: Element, skipped: Counter[str]) -> Iterator[Change]:
    parts = {_tag(part): part for part in element}
    entry = (parts["id"].text or "").strip() if "id" in parts else ""
    denied = {
        (one.get("type") or "").lower()
        for one in parts.get("feedback", ())
        if _tag(one) == "negativeFeedback"
    }
    for one in parts.get("fingerprints", ()):
        kind = kind_of(_tag(one))
        if kind is None or not one.text:
            skipped[f"type {_name(_tag(one))}"] += 1
        else:
            opinion: Opinion = "disputed" if _tag(one).lower() in denied else "confirmed"
            yield Change(kind, one.text, entry or None, opinion)


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _listed(value: Any) -> list[Any]:
    """A list, or the one that a ThreatExchange answer has under `data`."""
    if isinstance(value, dict):
        value = value.get("data")
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _name(value: str) -> str:
    """A type's name, as far as it can be shown: no more than a word."""
    plain = value.replace("_", "").replace("-", "")
    return value if len(value) <= 40 and plain.isascii() and plain.isalnum() else "unknown"
