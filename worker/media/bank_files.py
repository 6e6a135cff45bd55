"""Hash banks as folders of plain files: what they hold, how they are read, and every fault named by file and line.

A folder of banks has one folder for each bank, named like it:

    bank.toml    policy, source, opinion, … (`BankInfo`)
    sha256.txt   md5.txt   pdq.txt   tlsh.txt: a hash on each line; after tabs, if need be, the entry's id, its opinion and,
                 of PDQ, its quality; lines that begin with # are comments
    vpdq.jsonl   {"entry": "…", "opinion": "…", "frames": ["<pdq>,<quality>,<seconds>", …]} for each video
    pictures/    <entry or hash>.jpg, shown beside matches; forbidden in banks of `HASHES_ONLY` policies
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
import re2
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from schemas.base import PolicyId
from worker.engine.tomlfile import Problem, read_toml
from worker.signals.hashes import PDQ_QUALITY, Words, words_of

Kind = Literal["sha256", "md5", "pdq", "vpdq", "tlsh"]
Opinion = Literal["seed", "confirmed", "negative", "disputed"]

KINDS: tuple[Kind, ...] = get_args(Kind)
OPINIONS: tuple[Opinion, ...] = get_args(Opinion)
DIGITS: dict[Kind, int] = {"sha256": 64, "md5": 32, "pdq": 64, "tlsh": 70}
"""Hex digits of a hash of each kind but vPDQ."""

HASHES_ONLY = frozenset(("child-sexual-exploitation", "non-consensual-nudity"))
"""Policies whose banks hold hashes and nothing else: no pictures, no names."""

BANK_NAME = re2.compile(r"[a-z0-9][a-z0-9_-]{0,63}\z")
ENTRY = re2.compile(r"[^\s\pZ\pC]{1,128}\z")
PICTURES = "pictures"
INFO = "bank.toml"

_HEX = "0123456789abcdef"
_RANKS: dict[Opinion, int] = {"negative": 0, "seed": 1, "confirmed": 2, "disputed": 3}
_MOST_PROBLEMS = 50  # of a file; more of them say nothing new
_MOST_FRAMES = 20_000  # of a video


class BankInfo(BaseModel):
    """What `bank.toml` says. A bank's name is that of its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: PolicyId
    source: Annotated[
        str, Field(min_length=3, max_length=500)
    ]  # the list or agreement that the hashes are from
    opinion: Literal["seed", "confirmed"]  # the surest that any of its entries can be
    description: Annotated[str, Field(max_length=2_000)] = ""
    read_at: date | None = None  # when the source was read
    reviewed_at: date | None = None  # when somebody checked that the entries are what the policy forbids
    enabled: bool = True
    share: Annotated[float, Field(ge=0, le=1)] = 1.0  # of the entries that match, for a gradual roll-out
    query_frames: Annotated[float, Field(gt=0, le=1)] = (
        0.8  # share of a video's frames that an entry has to have
    )
    entry_frames: Annotated[float, Field(ge=0, le=1)] = (
        0.0  # share of an entry's frames that a video has to have
    )


class BankError(Exception):
    """A bank that cannot be used; `problems` names what is wrong, with file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Line(NamedTuple):
    """What a line says beside its hash; all None: what the bank says of all its entries."""

    entry: str | None = None
    opinion: Opinion | None = None
    quality: int | None = None


class Feature(NamedTuple):
    """A frame of a video in a bank."""

    pdq: str
    quality: int
    at_seconds: float


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of one kind that a bank matches with, in the order of its file."""

    rows: NDArray[np.uint8]  # count x bytes of a hash
    confirmed: NDArray[np.bool_]
    entries: tuple[str | None, ...] | None = None  # None: no line has an id

    def __len__(self) -> int:
        return len(self.rows)

    def digits(self, row: int) -> str:
        """The hash in hex digits."""
        data: bytes = self.rows[row].tobytes()
        return data.hex()

    def some(self, chosen: NDArray[np.bool_]) -> Hashes:
        """Only the chosen ones."""
        if chosen.all():
            return self
        kept = (
            None if self.entries is None else tuple(e for e, c in zip(self.entries, chosen, strict=True) if c)
        )
        return Hashes(self.rows[chosen], self.confirmed[chosen], kept)


@dataclass(frozen=True, slots=True)
class Video:
    """A video of a bank: its frames of good quality, each different one once."""

    entry: str
    confirmed: bool
    frames: Words


@dataclass(frozen=True, slots=True)
class Bank:
    """What one folder holds. Hashes that are negative or disputed are counted and left out."""

    name: str
    info: BankInfo
    hashes: dict[Kind, Hashes]
    videos: tuple[Video, ...] = ()
    refuted: int = 0


def summed_up(first: Opinion, second: Opinion) -> Opinion:
    """Two opinions as one: the surer one, but disputed where one is negative and the other is not.

    As `AggregateSignalOpinionCategory` of python-threatexchange has it
    (https://github.com/facebook/ThreatExchange, exchanges/fetch_state.py, read 2026-11-24).
    """
    low, high = sorted((first, second), key=_RANKS.__getitem__)
    return "disputed" if low == "negative" != high else high


def bank_folders(folder: Path) -> list[Path]:
    """The folders of banks in a folder, by name; hidden ones are none. Raises OSError."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def is_hash(kind: Kind, value: str) -> bool:
    """Whether it is a hash as banks hold them: hex digits in lower case, TLSH without T1."""
    return len(value) == DIGITS[kind] and not value.strip(_HEX)


def entry_id(kind: Kind, value: str) -> str:
    """The id of an entry that has none of its own: it tells hashes apart, and tells none of them.

    What a bank holds is often shared under an agreement, and ids are published with what was found.
    """
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:16]}"


def file_of(bank: Path, kind: Kind) -> Path:
    """Where a bank keeps its hashes of a kind."""
    return bank / ("vpdq.jsonl" if kind == "vpdq" else f"{kind}.txt")


def read_bank(path: Path) -> Bank:
    """Reads one bank.

    Raises:
        BankError: something in it is wrong; then nothing of it is to be used.
    """
    problems: list[Problem] = []
    info = read_info(path, problems)
    known: dict[Kind, Hashes] = {}
    videos: tuple[Video, ...] = ()
    refuted = 0
    if info is not None:
        try:
            for kind in KINDS:
                file = file_of(path, kind)
                if not file.exists():
                    continue
                if kind == "vpdq":
                    videos, left_out = _videos(file, info, problems)
                else:
                    known[kind], left_out = _hashes(file, kind, info, problems)
                refuted += left_out
        except OSError as error:
            problems.append(Problem(path, None, f"cannot be read: {error.strerror}"))
    if problems or info is None:
        raise BankError(problems)
    return Bank(path.name, info, known, videos, refuted)


def read_info(path: Path, problems: list[Problem]) -> BankInfo | None:
    """A bank's `bank.toml`; what is wrong with it, with its name, or with files that must not be there is noted."""
    if not BANK_NAME.match(path.name):
        problems.append(Problem(path, None, "a bank's name is of small letters, digits, - and _, at most 64"))
    info = read_toml(path / INFO, BankInfo, problems)
    if info is not None and info.policy in HASHES_ONLY:
        allowed = {INFO, *(file_of(path, kind).name for kind in KINDS)}
        for file in sorted(path.iterdir()):
            if file.name not in allowed:
                problems.append(Problem(file, None, f"a bank of {info.policy} holds hashes and nothing else"))
    return info


def hash_lines(file: Path, kind: Kind, problems: list[Problem]) -> Iterator[tuple[int, str, Line]]:
    """Number, hash (hex digits in lower case, TLSH without T1) and the rest of each line of a file of hashes.

    Faulty lines are noted and left out. Raises OSError.
    """
    digits, plain, found = DIGITS[kind], Line(), len(problems)
    with file.open(encoding="utf-8-sig", newline=None) as lines:
        try:
            for number, text in enumerate(lines, 1):
                value, _, rest = text.rstrip().partition("\t")
                if len(value) != digits or value.strip(_HEX):
                    value = value.strip()
                    if not value or value[0] == "#":
                        continue
                    value = value.lower()
                    if kind == "tlsh":
                        value = value.removeprefix("t1")
                    if len(value) != digits or value.strip(_HEX):
                        problems.append(Problem(file, number, f"no {kind} hash: {digits} hex digits are"))
                        if len(problems) - found >= _MOST_PROBLEMS:
                            return
                        continue
                if not rest:
                    yield number, value, plain
                    continue
                line = _line(rest, kind)
                if isinstance(line, str):
                    problems.append(Problem(file, number, line))
                    if len(problems) - found >= _MOST_PROBLEMS:
                        return
                else:
                    yield number, value, line
        except UnicodeDecodeError:
            problems.append(Problem(file, None, "is not UTF-8"))


def _line(rest: str, kind: Kind) -> Line | str:
    """What stands after a hash, or what is wrong with it."""
    entry, opinion, quality, *more = (*(part.strip() for part in rest.split("\t")), "", "")
    if any(more) or (quality and kind != "pdq"):
        return "more than a hash, an id, an opinion and, of PDQ, a quality"
    if entry and not ENTRY.match(entry):
        return "an entry's id is of up to 128 characters without spaces"
    if opinion and opinion not in OPINIONS:
        return f"an opinion is one of {', '.join(OPINIONS)}"
    if quality and not (quality.isascii() and quality.isdigit() and int(quality) <= 100):
        return "a quality is a number from 0 to 100"
    stated: Any = opinion or None
    return Line(entry or None, stated, int(quality) if quality else None)


def video_lines(
    file: Path, problems: list[Problem]
) -> Iterator[tuple[int, str, Opinion | None, tuple[Feature, ...]]]:
    """Number, id, opinion and frames of each video of a `vpdq.jsonl`; faulty lines are noted and left out. Raises OSError."""
    found = len(problems)
    with file.open(encoding="utf-8-sig") as lines:
        try:
            for number, text in enumerate(lines, 1):
                if not text.strip() or text.startswith("#"):
                    continue
                if len(problems) - found >= _MOST_PROBLEMS:
                    return
                try:
                    video = json.loads(text)
                    entry, opinion, frames = (
                        video.get("entry"),
                        video.get("opinion"),
                        features(video.get("frames")),
                    )
                except (ValueError, AttributeError, RecursionError) as error:
                    reason = str(error) if type(error) is ValueError else "is no JSON object"
                    problems.append(Problem(file, number, reason))
                    continue
                if not isinstance(entry, str) or not ENTRY.match(entry):
                    problems.append(
                        Problem(file, number, "entry: an id of up to 128 characters without spaces")
                    )
                elif opinion is not None and opinion not in OPINIONS:
                    problems.append(Problem(file, number, f"opinion: one of {', '.join(OPINIONS)}"))
                elif set(video) - {"entry", "opinion", "frames"}:
                    problems.append(Problem(file, number, "has other keys than entry, opinion and frames"))
                else:
                    yield number, entry, opinion, frames
        except UnicodeDecodeError:
            problems.append(Problem(file, None, "is not UTF-8"))


def features(frames: object) -> tuple[Feature, ...]:
    """The frames of a video as vPDQ writes them, `<pdq>,<quality>,<seconds>` each. Raises ValueError."""
    if not isinstance(frames, list) or not frames or len(frames) > _MOST_FRAMES:
        raise ValueError(f"frames: a list of 1 to {_MOST_FRAMES} frames, <pdq>,<quality>,<seconds> each")
    read = []
    for text in frames:
        value, quality, at = (
            text.split(",") if isinstance(text, str) and text.count(",") == 2 else ("", "", "")
        )
        value = value.strip().lower()
        try:
            feature = Feature(value, int(quality), float(at))
        except ValueError:
            feature = Feature("", 0, 0.0)
        if (
            len(value) != 64
            or value.strip(_HEX)
            or not 0 <= feature.quality <= 100
            or not feature.at_seconds >= 0
        ):
            raise ValueError("frames: each is <pdq>,<quality>,<seconds>")
        read.append(feature)
    return tuple(read)


def usable(frames: Iterable[Feature]) -> Words:
    """The hashes of the frames of good quality, each once, as rows of words."""
    return words_of(dict.fromkeys(frame.pdq for frame in frames if frame.quality >= PDQ_QUALITY))


def _hashes(file: Path, kind: Kind, info: BankInfo, problems: list[Problem]) -> tuple[Hashes, int]:
    held: dict[str, Line] = {}
    for _, value, line in hash_lines(file, kind, problems):
        before = held.get(value)
        held[value] = line if before is None else _both(before, line, info)
    refuted = [value for value, line in held.items() if line.opinion in ("negative", "disputed")]
    for value in refuted:
        del held[value]
    if kind == "pdq":
        for value in [
            v for v, line in held.items() if line.quality is not None and line.quality < PDQ_QUALITY
        ]:
            del held[value]  # near the hashes of many other pictures
    rows = np.frombuffer(bytes.fromhex("".join(held)), np.uint8).reshape(len(held), DIGITS[kind] // 2)
    sure = info.opinion == "confirmed"
    confirmed = np.fromiter((sure and line.opinion != "seed" for line in held.values()), np.bool_, len(held))
    named = any(line.entry is not None for line in held.values())
    return Hashes(rows, confirmed, tuple(line.entry for line in held.values()) if named else None), len(
        refuted
    )


def _both(first: Line, second: Line, info: BankInfo) -> Line:
    """Two lines of the same hash as one."""
    opinion = summed_up(first.opinion or info.opinion, second.opinion or info.opinion)
    return Line(
        first.entry or second.entry, opinion, first.quality if second.quality is None else second.quality
    )


def _videos(file: Path, info: BankInfo, problems: list[Problem]) -> tuple[tuple[Video, ...], int]:
    held: dict[str, tuple[Opinion, Words]] = {}
    for number, entry, stated, frames in video_lines(file, problems):
        opinion, words = stated or info.opinion, usable(frames)
        if entry in held:
            before, known = held[entry]
            opinion, words = summed_up(before, opinion), known
        elif not len(words):
            problems.append(Problem(file, number, f"no frame has a quality of {PDQ_QUALITY} and more"))
            continue
        held[entry] = (opinion, words)
    sure = info.opinion == "confirmed"
    videos = tuple(
        Video(entry, sure and opinion == "confirmed", words)
        for entry, (opinion, words) in held.items()
        if opinion in ("seed", "confirmed")
    )
    return videos, len(held) - len(videos)
