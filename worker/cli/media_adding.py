"""What `moderator media bank add` adds, and how it is written."""

from __future__ import annotations

import base64
import json as jsonlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from worker.cli.errors import CommandError
from worker.cli.media_files import Looked
from worker.cli.output import printable
from worker.engine.policy import POLICY_IDS
from worker.engine.tomlfile import Problem
from worker.media.bank_edit import Edit, add_entries, add_picture, create_bank
from worker.media.bank_files import BANK_NAME, DIGITS, KINDS, BankError, BankInfo, Kind, hash_lines, read_info
from worker.media.exchange_format import Change, ExchangeError, read_export
from worker.media.item import Found


@dataclass(slots=True)
class Wanted:
    """What is to be added."""

    changes: list[Change] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)  # JPEG by the entry's id
    skipped: Counter[str] = field(default_factory=Counter)  # of an export, by reason
    files_refused: list[Looked] = field(default_factory=list)

    def take(self, looked: Looked, entry: str | None) -> None:
        """The hashes of a file, all under one id."""
        found = looked.found
        if found is None or found.sha256 is None:
            self.files_refused.append(looked)
            return
        name = entry or found.sha256[:16]
        self.changes += _of_found(found, name)
        if found.preview is not None:
            self.pictures[name] = base64.b64decode(found.preview)


def _of_found(found: Found, entry: str) -> Iterator[Change]:
    if found.sha256 is not None:
        yield Change("sha256", found.sha256, entry)
    if found.md5 is not None:
        yield Change("md5", found.md5, entry)
    if found.tlsh is not None:
        yield Change("tlsh", found.tlsh.lower().removeprefix("t1"), entry)
    if found.kind == "image" and found.pdq is not None:
        yield Change("pdq", found.pdq, entry, quality=found.pdq_quality)
    frames = [f"{one.pdq},{one.pdq_quality or 0},{one.at_seconds:.3f}" for one in found.frames if one.pdq]
    if frames:
        yield Change("vpdq", jsonlib.dumps(frames), entry)


def known_kind(name: str | None) -> Kind | None:
    if name is not None and name not in KINDS:
        raise CommandError(f"--kind {name!r}: there is no such kind", hint=f"One of: {', '.join(KINDS)}")
    return name


def given_hash(text: str, entry: str | None) -> Change:
    name, _, value = text.partition(":")
    digits = DIGITS.get(cast(Kind, name))
    value = value.strip().lower()
    if name == "tlsh":
        value = value.removeprefix("t1")
    if digits is None or len(value) != digits or set(value) - set("0123456789abcdef"):
        raise CommandError(
            f"--hash {text[:90]!r}: no hash",
            hint="pdq: or sha256: and 64 hex digits, md5: and 32, tlsh: and 70.",
        )
    return Change(cast(Kind, name), value, entry)


def hashes_of_lines(file: Path, kind: Kind) -> list[Change]:
    problems: list[Problem] = []
    try:
        lines = list(hash_lines(file, kind, problems))
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}") from error
    if problems:
        raise CommandError(told(problems), hint="Nothing was added.")
    return [Change(kind, value, line.entry, line.opinion, line.quality) for _, value, line in lines]


def hashes_of_export(file: Path, kind: Kind | None, skipped: Counter[str]) -> list[Change]:
    try:
        return read_export(file, kind, skipped)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}") from error
    except ExchangeError as error:
        raise CommandError(f"{file}: {error}", hint="Nothing was added.") from error


def bank_info(
    folder: Path, bank: str, policy: str | None, opinion: str | None, source: str | None
) -> tuple[BankInfo, bool]:
    """What the bank says of itself, and whether it has yet to be made.

    Raises:
        CommandError: it cannot be used, or what is said of it does not fit or is not enough to make it.
    """
    path = folder / bank
    said = {"policy": policy, "opinion": opinion, "source": source}
    if path.exists():
        problems: list[Problem] = []
        info = read_info(path, problems)
        if info is None or problems:
            raise CommandError(told(problems), hint="See 'moderator media bank lint'.")
        for name, value in said.items():
            if value is not None and value != getattr(info, name):
                raise CommandError(
                    f"--{name}: the bank is there, and its {name} is {getattr(info, name)!r}",
                    hint="Leave it out, or change bank.toml.",
                )
        return info, False
    missing = [f"--{name}" for name, value in said.items() if value is None]
    if missing:
        raise CommandError(
            f"there is no bank {bank!r} in {folder}", hint=f"To make it, give {', '.join(missing)} as well."
        )
    if not BANK_NAME.match(bank):
        raise CommandError(f"{bank!r}: a bank's name is of small letters, digits, - and _, at most 64")
    if policy not in POLICY_IDS:
        raise CommandError(
            f"--policy {policy!r}: there is no such policy", hint=f"One of: {', '.join(POLICY_IDS)}"
        )
    try:
        return BankInfo.model_validate({**said, "read_at": datetime.now(UTC).date()}), True
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise CommandError(f"--{first['loc'][0]}: {first['msg']}") from error


def write(folder: Path, bank: str, info: BankInfo, wanted: Wanted, *, new: bool, dry_run: bool) -> Edit:
    try:
        with _place(folder, bank, dry_run=dry_run) as place:
            if new:
                create_bank(place, bank, info)
            edit = add_entries(place, bank, wanted.changes)
            for name, jpeg in () if dry_run else wanted.pictures.items():
                add_picture(place, bank, name, jpeg)
            return edit
    except BankError as error:
        raise CommandError(told(error.problems), hint="See 'moderator media bank lint'.") from error
    except OSError as error:
        raise CommandError(f"{error.filename or folder}: {error.strerror or error}") from error


@contextmanager
def _place(folder: Path, bank: str, *, dry_run: bool) -> Iterator[Path]:
    """The folder to write to; of a dry run one that is gone afterwards, with links to the bank's files."""
    if not dry_run:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="moderator-bank-") as made:
        aside = Path(made)
        if (folder / bank).is_dir():
            (aside / bank).mkdir()
            for file in (folder / bank).iterdir():
                # Writing puts a new file in a link's place, so the bank itself stays as it is.
                (aside / bank / file.name).symlink_to(file.absolute())
        yield aside


def need_folder(folder: Path) -> None:
    """Raises CommandError where the folder of banks is none."""
    if not folder.is_dir():
        raise CommandError(
            f"--banks {folder}: there is no such folder", hint="Name the folder that holds the banks."
        )


def told(problems: Sequence[Problem]) -> str:
    return "; ".join(printable(str(one)) for one in problems[:5])
