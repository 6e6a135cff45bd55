"""Makes and changes hash banks. Files are replaced as a whole, never half-written."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import re2

from worker.engine.tomlfile import Problem
from worker.media.bank_files import (
    BANK_NAME,
    ENTRY,
    HASHES_ONLY,
    INFO,
    KINDS,
    PICTURES,
    BankError,
    BankInfo,
    Kind,
    Line,
    features,
    file_of,
    hash_lines,
    read_info,
    usable,
    video_lines,
)
from worker.media.bank_lint import doubts, is_opaque
from worker.media.exchange_format import Change

_PICTURE_BYTES = 4 * 1024 * 1024
_STEM = re2.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\z")


@dataclass(frozen=True, slots=True)
class Edit:
    """What adding did. `refused` are (hash or entry, reason): they were not added."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Tally:
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def done(self) -> Edit:
        return Edit(self.added, self.changed, self.removed, self.unchanged, tuple(self.refused))


def create_bank(folder: Path, name: str, info: BankInfo) -> Path:
    """Makes an empty bank and returns its folder.

    Raises:
        BankError: there is one of this name, or the name is none.
        OSError: it cannot be written.
    """
    path = folder / name
    if not BANK_NAME.match(name):
        raise BankError(
            [Problem(path, None, "a bank's name is of small letters, digits, - and _, at most 64")]
        )
    if path.exists():
        raise BankError([Problem(path, None, "there is a bank of this name")])
    lines = [f"{key} = {_toml(value)}\n" for key, value in info.model_dump(exclude_defaults=True).items()]
    folder.mkdir(parents=True, exist_ok=True)
    # Made aside: whoever reads the folder meanwhile must not find a bank that says nothing of itself.
    aside = Path(tempfile.mkdtemp(prefix=".", suffix=".new", dir=folder))
    (aside / INFO).write_text("".join(lines), encoding="utf-8")
    aside.chmod(0o755)
    aside.rename(path)
    return path


def add_entries(folder: Path, bank: str, entries: Iterable[Change]) -> Edit:
    """Adds hashes to a bank, changes the opinions of those that it has, and removes those that are deleted.

    The lines of a file that are not concerned stay as they are, comments too. PDQ hashes of low quality, hashes of plain
    pictures and, in banks of hashes only, entries with telling ids are refused; see `Edit.refused`.

    Raises:
        BankError: there is no such bank, or its files have faults.
        OSError: they cannot be read or written.
    """
    path = folder / bank
    problems: list[Problem] = []
    info = read_info(path, problems) if path.is_dir() else None
    if info is None or problems:
        raise BankError(problems or [Problem(path, None, "there is no such bank")])
    tally = _Tally()
    wanted: dict[Kind, dict[str, Change]] = {kind: {} for kind in KINDS}
    gone: set[str] = set()
    for change in entries:
        if change.deleted and not change.value:
            gone.add(change.entry or "")
        elif change.deleted or (reason := _refusal(change, info)) is None:
            wanted[change.kind][_key(change)] = change
        else:
            tally.refused.append((change.entry or change.value[:64], reason))
    with _alone(path):
        for kind in KINDS:
            if wanted[kind] or gone:
                edit = _edit_videos if kind == "vpdq" else _edit_hashes
                edit(file_of(path, kind), kind, info, wanted[kind], gone, tally)
    return tally.done()


def add_picture(folder: Path, bank: str, name: str, jpeg: bytes) -> Path:
    """Keeps a picture of an entry, to be shown beside matches; `name` is the entry's id or its hash.

    Raises:
        BankError: the bank's policy forbids pictures, there is no such bank, or it is no picture's name or data.
        OSError: it cannot be written.
    """
    path = folder / bank
    problems: list[Problem] = []
    info = read_info(path, problems) if path.is_dir() else None
    target = path / PICTURES / _picture_name(name)
    if info is None or problems:
        raise BankError(problems or [Problem(path, None, "there is no such bank")])
    if info.policy in HASHES_ONLY:
        raise BankError([Problem(path, None, f"a bank of {info.policy} holds hashes and nothing else")])
    if target.name == PICTURES or not jpeg.startswith(b"\xff\xd8") or len(jpeg) > _PICTURE_BYTES:
        raise BankError(
            [Problem(path, None, "a picture is a JPEG of up to 4 MiB named by its entry or hash")]
        )
    target.parent.mkdir(exist_ok=True)
    _replace(target, jpeg)
    return target


def picture_of(folder: Path, bank: str, *names: str) -> Path | None:
    """The picture that a bank keeps under one of these names (entry's id, hash); None without, and where it must not."""
    path = folder / bank
    info = read_info(path, []) if BANK_NAME.match(bank) and path.is_dir() else None
    if info is None or info.policy in HASHES_ONLY:
        return None
    files = (path / PICTURES / _picture_name(name) for name in names)
    return next((file for file in files if file.is_file()), None)


def _picture_name(name: str) -> str:
    """The file of an entry's picture; nothing of a name that would lead elsewhere."""
    plain = name.replace(":", "-")
    return f"{plain}.jpg" if _STEM.match(plain) else ""


def _refusal(change: Change, info: BankInfo) -> str | None:
    """Why a hash is not added."""
    if change.entry is not None and not ENTRY.match(change.entry):
        return "an entry's id is of up to 128 characters without spaces"
    if change.entry and info.policy in HASHES_ONLY and not is_opaque(change.entry):
        return f"in a bank of {info.policy} the entry's id must be a number or hash and tell nothing"
    if change.kind == "vpdq":
        try:
            return None if len(usable(features(json.loads(change.value)))) else "no frame of good quality"
        except ValueError as error:
            return str(error)
    return next(iter(doubts(change.kind, change.value, change.quality)), None)


def _key(change: Change) -> str:
    if change.kind != "vpdq":
        return change.value
    return change.entry or hashlib.sha256(change.value.encode()).hexdigest()[:16]


def _edit_hashes(
    file: Path, kind: Kind, info: BankInfo, wanted: dict[str, Change], gone: set[str], tally: _Tally
) -> None:
    problems: list[Problem] = []
    stated = {n: (v, rest) for n, v, rest in hash_lines(file, kind, problems)} if file.exists() else {}
    if problems:
        raise BankError(problems)
    kept: list[str] = []
    pending, dirty = dict(wanted), False
    for number, text in enumerate(_texts(file), 1):
        value, line = stated.get(number, ("", Line()))
        if line.entry in gone and value:
            tally.removed += 1
            dirty = True
            continue
        change = wanted.get(value)
        if change is None:
            kept.append(text)
            continue
        again = value not in pending
        pending.pop(value, None)
        if change.deleted:
            tally.removed += 1
            dirty = True
            continue
        new = _merged(line, change, info)
        if new == line:
            kept.append(text)
            tally.unchanged += not again
        else:
            kept.append(_hash_text(kind, value, new))
            tally.changed += not again
            dirty = True
    for value, change in pending.items():
        if not change.deleted:
            kept.append(_hash_text(kind, value, _merged(Line(), change, info)))
            tally.added += 1
            dirty = True
    if dirty:
        _write(file, (f"{text}\n" for text in kept))


def _texts(file: Path) -> list[str]:
    """The lines of a file, counted as those who iterate over it count them."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8-sig") as lines:
        return [text.removesuffix("\n") for text in lines]


def _merged(line: Line, change: Change, info: BankInfo) -> Line:
    """A line with what is newly said of its hash; the bank's own opinion is not written on every line."""
    opinion = line.opinion if change.opinion is None else change.opinion
    if opinion == info.opinion:
        opinion = None
    return Line(
        line.entry or change.entry, opinion, line.quality if change.quality is None else change.quality
    )


def _hash_text(kind: Kind, value: str, line: Line) -> str:
    written = f"T1{value.upper()}" if kind == "tlsh" else value
    parts = (written, line.entry or "", line.opinion or "", "" if line.quality is None else str(line.quality))
    return "\t".join(parts).rstrip("\t")


def _edit_videos(
    file: Path, kind: Kind, info: BankInfo, wanted: dict[str, Change], gone: set[str], tally: _Tally
) -> None:
    problems: list[Problem] = []
    stated = {n: entry for n, entry, _, _ in video_lines(file, problems)} if file.exists() else {}
    if problems:
        raise BankError(problems)
    kept: list[str] = []
    pending, dirty = dict(wanted), False
    for number, text in enumerate(
        file.read_text(encoding="utf-8-sig").splitlines() if file.exists() else (), 1
    ):
        entry = stated.get(number, "")
        change = pending.pop(entry, None) if entry else None
        if entry in gone or (change is not None and change.deleted):
            tally.removed += 1
            dirty = True
        elif change is None:
            kept.append(text)
        else:
            new = _video_text(entry, change, info)
            same = json.loads(text) == json.loads(new)
            tally.unchanged += same
            tally.changed += not same
            dirty = dirty or not same
            kept.append(text if same else new)
    for entry, change in pending.items():
        if not change.deleted:
            kept.append(_video_text(entry, change, info))
            tally.added += 1
            dirty = True
    if dirty:
        _write(file, (f"{text}\n" for text in kept))


def _video_text(entry: str, change: Change, info: BankInfo) -> str:
    stated = {"opinion": change.opinion} if change.opinion not in (None, info.opinion) else {}
    return json.dumps({"entry": entry, **stated, "frames": json.loads(change.value)}, separators=(",", ":"))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True)  # a TOML string is escaped as one of JSON
    return str(value)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two programs that add to a bank at once do so one after the other. Readers need not wait."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(file: Path, lines: Iterable[str]) -> None:
    _replace(file, "".join(lines).encode())


def _replace(file: Path, data: bytes) -> None:
    """Puts a file in the place of another as a whole: a reader sees the old one or the new one."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=file.parent.parent)
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
