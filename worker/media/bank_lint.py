"""Looks for what is wrong or doubtful in hash banks, with file and line."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import re2

from worker.engine.tomlfile import Problem
from worker.media.bank_files import (
    HASHES_ONLY,
    INFO,
    KINDS,
    PICTURES,
    BankInfo,
    Kind,
    bank_folders,
    entry_id,
    file_of,
    hash_lines,
    read_info,
    usable,
    video_lines,
)
from worker.signals.hashes import PDQ_QUALITY

_PLAIN_BITS = (
    96,
    160,
)  # half of a PDQ hash's bits are set, but of pictures in which many waves are equal: plain ones
_OPAQUE = re2.compile(r"(?:[A-Za-z]{1,4}[:_.-]?)?[0-9a-fA-F:._-]+\z")


def judged_policies(pack: Path) -> frozenset[str]:
    """The policies of a pack that have a finding for what a bank holds: a bank of another one changes nothing.

    Raises:
        OSError, tomllib.TOMLDecodeError: the pack cannot be read.
    """
    judged = set()
    for file in pack.glob("*/policy.toml"):
        policy = tomllib.loads(file.read_text(encoding="utf-8"))
        anchors = {anchor for finding in policy.get("findings", ()) for anchor in finding.get("anchor", ())}
        if (name := str(policy.get("id"))) and f"hash.{name}" in anchors:
            judged.add(name)
    return frozenset(judged)


def lint(folder: Path, judged: Collection[str] | None = None) -> list[Problem]:
    """Everything in a folder of banks that is wrong or doubtful, with file and line. Raises OSError.

    `judged` are the policies that read banks, as `judged_policies` gives them; None: not asked.
    """
    problems: list[Problem] = []
    for path in bank_folders(folder):
        problems += _lint_bank(path, judged)
    for file in sorted(folder.iterdir()):
        if file.is_file() and not file.name.startswith((".", "README")):
            problems.append(Problem(file, None, "is in no bank"))
    return problems


def _lint_bank(path: Path, judged: Collection[str] | None) -> list[Problem]:
    problems: list[Problem] = []
    info = read_info(path, problems)
    if info is not None:
        if info.opinion == "confirmed" and info.reviewed_at is None:
            reason = "its matches decide by themselves: say in reviewed_at when somebody checked its entries"
            problems.append(Problem(path / INFO, None, reason))
        if judged is not None and info.policy not in judged:
            reason = f"nothing follows from its matches: the pack's {info.policy} has no finding hash.{info.policy}"
            problems.append(Problem(path / INFO, None, reason))
        if info.read_at is None:
            problems.append(Problem(path / INFO, None, "read_at is missing: when was its source read?"))
    held = 0
    named: set[str] = set()
    for kind in KINDS:
        file = file_of(path, kind)
        if file.exists():
            held += _lint_file(file, kind, info, named, problems)
    if not held:
        problems.append(Problem(path, None, "holds no hashes"))
    known = {INFO, PICTURES, *(file_of(path, kind).name for kind in KINDS)}
    for file in sorted(path.iterdir()):
        if file.name not in known and not file.name.startswith((".", "README")):
            problems.append(Problem(file, None, "is no file of a bank"))
    if (path / PICTURES).is_dir() and (info is None or info.policy not in HASHES_ONLY):
        for file in sorted((path / PICTURES).iterdir()):
            if file.suffix != ".jpg" or file.stem not in named:
                problems.append(Problem(file, None, "is no picture of an entry"))
    return problems


def _lint_file(
    file: Path, kind: Kind, info: BankInfo | None, named: set[str], problems: list[Problem]
) -> int:
    seen: dict[str, int] = {}

    def note(number: int, value: str, entry: str | None, reasons: Sequence[str]) -> None:
        if value in seen:
            problems.append(Problem(file, number, f"is on line {seen[value]} already"))
        seen.setdefault(value, number)
        named.update((value, entry_id(kind, value).replace(":", "-"), (entry or value).replace(":", "-")))
        problems.extend(Problem(file, number, reason) for reason in reasons)
        if entry and info is not None and info.policy in HASHES_ONLY and not is_opaque(entry):
            problems.append(Problem(file, number, "the entry's id must be a number or hash and tell nothing"))

    if kind == "vpdq":
        for number, entry, _, frames in video_lines(file, problems):
            few = [] if len(usable(frames)) else [f"no frame has a quality of {PDQ_QUALITY} and more"]
            note(number, entry, entry, few)
    else:
        for number, value, line in hash_lines(file, kind, problems):
            note(number, value, line.entry, doubts(kind, value, line.quality))
    return len(seen)


def is_opaque(entry: str) -> bool:
    """Whether an entry's id tells nothing: a number, a hash or a UUID, perhaps after some letters; no name of anybody."""
    return bool(_OPAQUE.match(entry)) and any(character.isdigit() for character in entry)


def doubts(kind: Kind, value: str, quality: int | None) -> list[str]:
    if kind != "pdq":
        return ["is the hash of nothing"] if value in _EMPTY else []
    doubts = []
    if quality is not None and quality < PDQ_QUALITY:
        doubts.append(
            f"a quality below {PDQ_QUALITY} matches nothing: the hash is near those of many pictures"
        )
    low, high = _PLAIN_BITS
    if not low <= int(value, 16).bit_count() <= high:
        doubts.append("is the hash of a plain picture, and near those of many others")
    return doubts


# Of no bytes at all: every empty file has them.
_EMPTY = frozenset((hashlib.sha256(b"").hexdigest(), hashlib.md5(b"", usedforsecurity=False).hexdigest()))


def counts(folder: Path) -> dict[str, Counter[str]]:
    """How many lines of hashes each bank has, by kind; faulty lines do not count. Raises OSError."""
    every: dict[str, Counter[str]] = {}
    for path in bank_folders(folder):
        found: Counter[str] = Counter()
        for kind in KINDS:
            file = file_of(path, kind)
            if file.exists():
                lines = video_lines(file, []) if kind == "vpdq" else hash_lines(file, kind, [])
                found[kind] = sum(1 for _ in lines)
        every[path.name] = found
    return every
