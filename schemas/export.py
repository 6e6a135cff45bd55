"""Writes the models as JSON Schema (2020-12) and as one AsyncAPI 3 document.

`python -m schemas.export` writes the files beside this module; with `--check` it only says which of
them differ from the models and exits with 1 when any does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from schemas.accounts import AccountRecord
from schemas.appeals import Appeal
from schemas.base import SCHEMA_VERSION, Wire
from schemas.coordination import Finding, Observation
from schemas.dead_letters import DeadLetter
from schemas.decisions import Decision
from schemas.decode import MAX_DEPTH, MAX_RECORD_BYTES
from schemas.enforcement import Enforcement
from schemas.media_signals import MediaSignals
from schemas.notices import Notice
from schemas.policies import PolicyCurrent, PolicyFile
from schemas.posts import Post
from schemas.queue import QueueItem
from schemas.reports import Report
from schemas.reviews import Review
from schemas.statements import Statement

FOLDER: Final = Path(__file__).parent
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

NAMES: Final[dict[type[Wire], str]] = {
    Post: "post",
    AccountRecord: "account",
    Report: "report",
    Appeal: "appeal",
    Review: "review",
    MediaSignals: "media-signals",
    PolicyFile: "policy-file",
    PolicyCurrent: "policy-current",
    Enforcement: "enforcement",
    QueueItem: "queue-item",
    Notice: "notice",
    Decision: "decision",
    Statement: "statement",
    DeadLetter: "dead-letter",
    Observation: "observation",
    Finding: "finding",
}
"""Name of each record, in file names and in the AsyncAPI document."""

INPUTS: Final = (Post, AccountRecord, Report, Appeal, Review, MediaSignals, PolicyFile, PolicyCurrent)
"""Records that others write; of all others every field is always there."""

Way = Literal["receive", "send"]


class Channel(NamedTuple):
    """One topic as the AsyncAPI document describes it; the ways are the worker's."""

    ways: tuple[Way, ...]
    key: str
    models: tuple[type[Wire], ...]
    description: str


_ACCOUNT: Final = "Id of the account that the record concerns."
CHANNELS: Final[dict[str, Channel]] = {
    "posts": Channel(("receive",), _ACCOUNT, (Post,), "New posts, edits, and deletions by their authors."),
    "accounts": Channel(
        ("receive",), _ACCOUNT, (AccountRecord,), "New accounts and changed profiles, as full snapshots."
    ),
    "reports": Channel(("receive",), _ACCOUNT, (Report,), "What people report."),
    "appeals": Channel(("receive",), _ACCOUNT, (Appeal,), "Accounts that contest an action."),
    "reviews": Channel(("receive",), _ACCOUNT, (Review,), "What moderators decided."),
    "media.signals": Channel(
        ("receive",), _ACCOUNT, (MediaSignals,), "What was found in a media item after its post was judged."
    ),
    "policies": Channel(
        ("receive", "send"),
        "`<pack>/<path>/<n>` for a piece of a file; `current`, written last, for the pointer to the pack in force.",
        (PolicyFile, PolicyCurrent),
        "Published policy packs; compacted, one partition.",
    ),
    "enforcement.label": Channel(("send",), _ACCOUNT, (Enforcement,), "Labels applied and taken back."),
    "enforcement.remove": Channel(("send",), _ACCOUNT, (Enforcement,), "Removals applied and taken back."),
    "enforcement.suspend": Channel(
        ("send",), _ACCOUNT, (Enforcement,), "Suspensions applied and taken back."
    ),
    "review.queue": Channel(("send",), _ACCOUNT, (QueueItem,), "What a person must look at."),
    "notices": Channel(("send",), _ACCOUNT, (Notice,), "What the affected account is told."),
    "decisions": Channel(("send",), _ACCOUNT, (Decision,), "Audit records of what was judged."),
    "statements": Channel(
        ("send",),
        _ACCOUNT,
        (Statement,),
        "Statements of reasons for the DSA transparency database; off by default.",
    ),
    "dead-letter": Channel(
        ("send",),
        "Key of the record that could not be judged.",
        (DeadLetter,),
        "Records that could not be judged.",
    ),
    "observations": Channel(
        ("receive", "send"),
        "The feature that was seen.",
        (Observation,),
        "Internal: features seen, gathered by feature.",
    ),
    "findings": Channel(
        ("receive", "send"),
        _ACCOUNT,
        (Finding,),
        "Internal: what follows from shared features for an account.",
    ),
    "state": Channel(
        ("receive", "send"),
        "`a:<account>`, `x:<action_id>`, `f:<feature>` or `p:<partition>`.",
        (),
        "Internal, compacted: the worker's own state, in a format that may change with any release.",
    ),
}
"""Every topic of the contract, in its order."""


def json_schema(model: type[Wire]) -> dict[str, Any]:
    """The JSON Schema of a record.

    For an input it accepts what `schemas.decode` accepts, a null for a missing field included. For an
    output it promises what `schemas.base.encode` writes: every field.
    """
    is_input = model in INPUTS
    schema = model.model_json_schema(mode="validation" if is_input else "serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        for field in part["properties"].values():
            field.pop("title", None)  # the field's name in other letters
    if is_input:
        _accept_nulls(model, schema, schema.get("$defs", {}))
    name = NAMES[model]
    return {"$schema": DIALECT, "$id": f"urn:moderator:{name}:{SCHEMA_VERSION}", **schema}


def _accept_nulls(
    model: type[Wire], schema: dict[str, Any], definitions: Mapping[str, dict[str, Any]]
) -> None:
    for name in model.never_null:
        field = schema["properties"][name]
        if {"type": "null"} in field.get("anyOf", ()):
            return  # this model was here before
        about = {key: field.pop(key) for key in ("description", "default") if key in field}
        schema["properties"][name] = {"anyOf": [field, {"type": "null"}], **about}
    for _, inner in model.nested:
        _accept_nulls(inner, definitions[inner.__name__], definitions)


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document of all topics; `receive` and `send` are what the worker does."""
    messages = {
        NAMES[model]: {
            "name": NAMES[model],
            "title": model.__name__,
            "summary": (model.__doc__ or "").strip().splitlines()[0],
            "contentType": "application/json",
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": f"./json/{NAMES[model]}.schema.json"},
            },
        }
        for model in NAMES
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "moderator",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": (
                "A worker that judges posts by the Twitter Rules and publishes enforcement actions. "
                "Values are UTF-8 JSON objects; unknown fields are ignored and counted. Times are RFC 3339 with an "
                "offset. Spans are half-open, in Unicode code points of the named field as received. The partition of a "
                "record is murmur2(key) mod the number of partitions, which all topics but `policies` share. "
                f"Values of more than {MAX_RECORD_BYTES} bytes and values nested deeper than {MAX_DEPTH} levels are not judged."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, channel) for topic, channel in CHANNELS.items()},
        "operations": {
            f"{way}.{topic}": {
                "action": way,
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [
                    {"$ref": f"#/channels/{topic}/messages/{NAMES[model]}"} for model in channel.models
                ],
            }
            for topic, channel in CHANNELS.items()
            for way in channel.ways
            if channel.models
        },
        "components": {"messages": messages},
    }


def _channel(topic: str, channel: Channel) -> dict[str, Any]:
    document: dict[str, Any] = {
        "address": f"{{prefix}}{topic}",
        "description": f"{channel.description} Key: {channel.key}",
        "parameters": {
            "prefix": {
                "description": "`MODERATOR_TOPIC_PREFIX`, the same for all topics; none by default.",
                "default": "",
            }
        },
    }
    if channel.models:
        document["messages"] = {
            NAMES[model]: {"$ref": f"#/components/messages/{NAMES[model]}"} for model in channel.models
        }
    return document


def documents() -> dict[str, str]:
    """The text of every exported file by its path below `schemas/`."""
    files = {f"json/{name}.schema.json": json_schema(model) for model, name in NAMES.items()}
    files["asyncapi.json"] = asyncapi()
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in files.items()}


def differing(folder: Path = FOLDER) -> list[str]:
    """Paths below the folder that are missing, are not what the models say, or should not be there."""
    expected = documents()
    found = {f"json/{file.name}": file for file in (folder / "json").glob("*")}
    found["asyncapi.json"] = folder / "asyncapi.json"
    wrong = {path for path in expected if path not in found or _read(found[path]) != expected[path]}
    return sorted(wrong | (found.keys() - expected.keys()))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes or checks the files; the exit code is 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m schemas.export", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit with 1 when a file is not up to date"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where the files lie (default: beside the models)"
    )
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    wrong = differing(folder)
    if options.check:
        for path in wrong:
            sys.stderr.write(f"{path} is not what the models say; run: python -m schemas.export\n")
        return 1 if wrong else 0
    (folder / "json").mkdir(parents=True, exist_ok=True)
    expected = documents()
    for path in wrong:
        if path in expected:
            (folder / path).write_text(expected[path], encoding="utf-8", newline="\n")
        else:
            (folder / path).unlink()
        sys.stderr.write(f"{'wrote' if path in expected else 'removed'} {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
