"""Which program generated a file, by the signs that its metadata hold (`generators.toml`).

Signs are formats, compared as strings and JSON: no patterns, nothing that a long text makes slow.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from worker.media.image_metadata import Text
from worker.media.source_types import GENERATED, TRAINED, source_term

LIST: Final = Path(__file__).with_name("generators.toml")
_FIELDS: Final = frozenset(
    [f"exif.{name}" for name in ("ImageDescription", "Make", "Model", "Software", "UserComment")]
    + [f"xmp.{name}" for name in ("CreatorTool", "Credit", "Software", "UserComment", "description", "AIGC")]
    + ["iptc.Credit", "iptc.Program"]
    + [f"png.{name}" for name in ("parameters", "prompt", "workflow", "Software", "Description", "Comment")]
    + [f"png.{name}" for name in ("Dream", "sd-metadata", "invokeai_metadata", "invokeai_graph")]
    + ["png.fooocus_scheme", "png.AIGC", "mp4.tool", "mp4.comment", "mp4.prompt", "mp4.workflow"]
    + ["mp4.parameters", "mp4.AIGC", "mp4.invokeai_metadata"]
)
_KINDS: Final = ("is", "begins", "holds", "uuid_after", "keys", "each", "where")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_UUID: Final = (8, 4, 4, 4, 12)


class Sign(NamedTuple):
    """One sign: in which fields, which kind of comparison, and with what."""

    fields: frozenset[str]
    kind: str
    value: Any

    def matches(self, text: str) -> bool:
        """Whether a field's text bears it."""
        match self.kind:
            case "is":
                return text.strip().casefold() in {word.casefold() for word in self.value}
            case "begins":
                return any(_begins(text, word) for word in self.value)
            case "holds":
                return all(word in text for word in self.value)
            case "uuid_after":
                return _is_uuid(text.rpartition(self.value)[2][:36]) and self.value in text
            case _:
                return _json_matches(text, self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Generator:
    """A program that generates: its name, what it makes (a term of `source_types`), its signs, where they are from."""

    name: str
    source: str
    read: date
    type: str = TRAINED
    signs: tuple[Sign, ...] = ()
    agents: tuple[str, ...] = field(default=())  # in lower case


def find_generator(texts: Iterable[Text]) -> Generator | None:
    """The first generator of the list whose sign one of the fields bears, or None."""
    by_field: dict[str, list[str]] = {}
    for text in texts:
        by_field.setdefault(text.field, []).append(text.value)
    if not by_field:
        return None
    for generator in known_generators():
        for sign in generator.signs:
            for name in sign.fields & by_field.keys():
                if any(sign.matches(value) for value in by_field[name]):
                    return generator
    return None


def name_agent(name: str) -> str | None:
    """The list's name for a program that a C2PA claim or `AISystemUsed` names, or None if it is not on the list."""
    for generator in known_generators():
        if any(_begins(name, agent) for agent in generator.agents):
            return generator.name
    return None


@lru_cache(maxsize=1)
def known_generators() -> tuple[Generator, ...]:
    """The list that comes with the program."""
    return read_generators(tomllib.loads(LIST.read_text(encoding="utf-8")))


def read_generators(document: Mapping[str, Any]) -> tuple[Generator, ...]:
    """The generators of a parsed list, in its order.

    Raises:
        ValueError: An entry has an unknown key, field or kind of sign, no source, or neither signs nor agents.
    """
    return tuple(_generator(entry) for entry in document["generators"])


def _generator(entry: Mapping[str, Any]) -> Generator:
    name = entry.get("name", "")
    if unknown := entry.keys() - {"name", "source", "read", "type", "signs", "agents"}:
        raise ValueError(f"generator {name!r}: unknown keys {sorted(unknown)}")
    if not name or not entry.get("source") or not isinstance(entry.get("read"), date):
        raise ValueError(f"generator {name!r}: name, source and read are needed")
    made = source_term(entry.get("type", TRAINED))
    if made not in GENERATED:
        raise ValueError(f"generator {name!r}: {made} is no term for generated media")
    signs = tuple(_sign(name, sign) for sign in entry.get("signs", ()))
    agents = tuple(agent.lower() for agent in entry.get("agents", ()))
    if not signs and not agents:
        raise ValueError(f"generator {name!r}: neither signs nor agents")
    return Generator(name, entry["source"], entry["read"], made, signs, agents)


def _sign(name: str, sign: Mapping[str, Any]) -> Sign:
    fields = frozenset(sign.get("fields", ()))
    kinds = sign.keys() - {"fields"}
    if not fields or fields - _FIELDS or len(kinds) != 1 or not kinds <= set(_KINDS):
        raise ValueError(f"generator {name!r}: a sign needs known fields and one kind, not {dict(sign)}")
    (kind,) = kinds
    return Sign(fields, kind, sign[kind])


def _begins(text: str, word: str) -> bool:
    """Whether a text begins with a word: `Midjourney 6`, `DALL·E 3`, not `Midjourneyish`."""
    start, rest = text.strip()[: len(word)], text.strip()[len(word) : len(word) + 1]
    return start.casefold() == word.casefold() and (not word[-1:].isalnum() or not rest.isalpha())


def _is_uuid(text: str) -> bool:
    parts = text.split("-")
    return tuple(map(len, parts)) == _UUID and all(set(part) <= _HEX for part in parts)


def _json_matches(text: str, kind: str, value: Any) -> bool:
    start = text.lstrip()[:1]
    if start != "{":
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or not found:
        return False
    if kind == "keys":
        return found.keys() >= set(value)
    if kind == "each":
        return all(isinstance(entry, dict) and entry.keys() >= set(value) for entry in found.values())
    inner = found.get("AIGC")
    return any(
        all(str(place.get(key)) == wanted for key, wanted in value.items())
        for place in (found, inner)
        if isinstance(place, dict)
    )
