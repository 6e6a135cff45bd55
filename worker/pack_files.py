"""The files of a pack as they travel over the `policies` topic: data and models in pieces, never code."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path, PurePosixPath

from schemas.base import encode
from schemas.policies import MAX_PIECE_BYTES, PackFile, PolicyCurrent, PolicyFile
from worker.engine.registry import DEFAULT_PACK, sha256_of_files
from worker.engine.times import EPOCH

MAX_PACK_BYTES = 512 * 1024 * 1024
_SUFFIXES = frozenset((".toml", ".txt", ".npz", ".onnx", ".json", ".md"))


class PackFilesError(ValueError):
    """Files that are no pack that can travel; the message names the file and says why."""


def files_of(folder: Path) -> list[tuple[PackFile, Path]]:
    """What of a pack's folder is published, sorted by path, each file with where it lies.

    Code is not: rules are part of the worker. A `rule.py` that equals the one of the worker is left out.

    Raises:
        PackFilesError: there is code that the workers do not have, or something that is no file of a pack.
        OSError: a file cannot be read.
    """
    found = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if (
            not file.is_file()
            or "__pycache__" in path.parts
            or any(part.startswith(".") for part in path.parts)
        ):
            continue
        if file.suffix == ".py":
            _refuse_own_code(file, path)
            continue
        name = path.as_posix()
        check_path(name)
        data = file.read_bytes()
        found.append((PackFile(path=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)), file))
    found.sort(key=lambda each: each[0].path)
    if sum(file.bytes for file, _ in found) > MAX_PACK_BYTES:
        raise PackFilesError(f"{folder}: more than {MAX_PACK_BYTES} bytes")
    return found


def _refuse_own_code(file: Path, path: Path) -> None:
    shipped = DEFAULT_PACK / path
    if not shipped.is_file() or shipped.read_bytes() != file.read_bytes():
        raise PackFilesError(
            f"{file}: code is not published: rules in Python are part of the worker's image. "
            "Leave the file out, or roll the worker out with the pack in a folder"
        )


def check_path(path: str) -> None:
    """Refuses what is no plain relative path of a pack's data.

    Raises:
        PackFilesError: it leads elsewhere, or names what a pack does not hold.
    """
    pure = PurePosixPath(path)
    plain = not pure.is_absolute() and pure.as_posix() == path and "\\" not in path and "\0" not in path
    if not plain or any(part.startswith(".") for part in pure.parts):
        raise PackFilesError(f"{path!r}: no plain path within the pack")
    if pure.suffix not in _SUFFIXES:
        known = ", ".join(sorted(_SUFFIXES))
        raise PackFilesError(f"{path}: a published pack holds only {known} files")


def version_of(current: PolicyCurrent) -> int:
    """The version of a pointer: milliseconds of its `published_at`."""
    return (current.published_at - EPOCH) // timedelta(milliseconds=1)


def pack_sha256(files: Sequence[PackFile]) -> str:
    """The SHA-256 of a pack, as of the folder that these files make."""
    return sha256_of_files((file.path, file.sha256.lower()) for file in files)


def pieces_of(pack: str, file: PackFile, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each record that carries a file; an empty file has one piece."""
    of = max(1, -(-len(data) // MAX_PIECE_BYTES))
    for n in range(of):
        piece = data[n * MAX_PIECE_BYTES : (n + 1) * MAX_PIECE_BYTES]
        record = PolicyFile(
            schema_version=1,
            path=file.path,
            n=n,
            of=of,
            sha256=hashlib.sha256(piece).hexdigest(),
            data_base64=base64.b64encode(piece).decode(),
        )
        yield key_of(pack, file.path, n), encode(record)


def key_of(pack: str, path: str, n: int) -> bytes:
    """The key of one piece."""
    return f"{pack}/{path}/{n}".encode()


class PieceStore:
    """The pieces that the topic holds, on disk by their SHA-256; only what names them is kept in memory.

    Args:
        folder: where they are kept; it exists, and nobody else writes there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pieces: dict[bytes, tuple[str, int]] = {}  # by key: SHA-256, and of how many it is one

    def put(self, key: bytes, piece: PolicyFile) -> None:
        """Takes one piece.

        Raises:
            PackFilesError: its bytes are not what it says.
        """
        try:
            data = base64.b64decode(piece.data_base64, validate=True)
        except ValueError:
            raise PackFilesError(f"{piece.path}, piece {piece.n}: no base64") from None
        name = hashlib.sha256(data).hexdigest()
        if name != piece.sha256.lower():
            raise PackFilesError(f"{piece.path}, piece {piece.n}: its bytes have another SHA-256")
        (self._folder / name).write_bytes(data)
        self._pieces[key] = (name, piece.of)

    def remove(self, key: bytes) -> None:
        """Forgets a piece; its bytes stay as long as another key names them."""
        name, _ = self._pieces.pop(key, ("", 0))
        if name and all(other != name for other, _ in self._pieces.values()):
            (self._folder / name).unlink(missing_ok=True)

    def unpack(self, pack: str, files: Sequence[PackFile], target: Path) -> None:
        """Puts a pack's files together in a folder that appears whole or not at all.

        Raises:
            PackFilesError: a piece is missing, or a file is not what the pointer names.
            OSError: it cannot be written.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if sum(file.bytes for file in files) > MAX_PACK_BYTES:
            raise PackFilesError(f"the pack has more than {MAX_PACK_BYTES} bytes")
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpacking-"))
        try:
            for file in files:
                check_path(file.path)
                self._unpack_file(pack, file, part / file.path)
            shutil.rmtree(target, ignore_errors=True)
            try:
                os.replace(part, target)
            except OSError:
                if not target.is_dir():  # else another worker of this machine was first
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _unpack_file(self, pack: str, file: PackFile, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        total = hashlib.sha256()
        size = 0
        with place.open("wb") as out:
            for data in self._data(pack, file.path):
                total.update(data)
                size += len(data)
                if size > file.bytes:
                    break
                out.write(data)
        if size != file.bytes or total.hexdigest() != file.sha256.lower():
            raise PackFilesError(f"{file.path}: the pieces are not the file that the pointer names")

    def _data(self, pack: str, path: str) -> Iterator[bytes]:
        n, of = 0, 1
        while n < of:
            name, of = self._pieces.get(key_of(pack, path, n), ("", 0))
            if not name:
                raise PackFilesError(f"{path}: piece {n} is not on the topic")
            yield (self._folder / name).read_bytes()
            n += 1
