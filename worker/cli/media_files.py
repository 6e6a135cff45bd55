"""Files given to `moderator media`, and the sandbox that looks at them: no stranger's file is decoded in this process."""

from __future__ import annotations

import importlib.util
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.errors import CommandError
from worker.cli.settings import settings
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.sandbox import Sandbox

INSTALL = "pip install 'moderation-worker[media]'"
_NEEDED = ("PIL", "cv2", "c2pa", "defusedxml", "tinytag")

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Files, and folders whose files are meant, hidden ones not.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="MODERATOR_MEDIA_MODEL",
        metavar="MODEL",
        help="Your own image classifier: a TOML file that describes it, or none.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Looked:
    """A file, and what was found in it or why it was refused."""

    path: Path
    size_bytes: int
    found: Found | None = None
    refused: RefusedError | None = None


class Examining:
    """Looks at files in the sandbox, as the media worker does and within the same limits."""

    def __init__(self, sandbox: Sandbox, limits: Limits, processes: int) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._threads = ThreadPoolExecutor(processes)

    def every(self, paths: Sequence[Path], asked: Asked) -> Iterator[Looked]:
        """All files in their order, several at once."""
        return self._threads.map(lambda path: self.one(path, asked), paths)

    def one(self, path: Path, asked: Asked) -> Looked:
        """One file."""
        size = 0
        try:
            size = path.stat().st_size
            if size > self._limits.file_bytes:
                raise RefusedError(Refusal.TOO_LARGE, f"it has more than {self._limits.file_bytes} bytes")
            return Looked(path, size, self._sandbox.examine(path.absolute(), asked))
        except RefusedError as error:
            return Looked(path, size, refused=error)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Looked(path, size, refused=RefusedError(Refusal.NOT_FOUND, reason))

    def close(self) -> None:
        """Ends the sandbox's processes; what is not looked at yet is refused."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sandbox.close()


@contextmanager
def examining(model: str | None = None) -> Iterator[Examining]:
    """The sandbox with the limits of the settings, closed at the end.

    Raises:
        CommandError: the packages for media are missing, or the classifier cannot be used.
    """
    need_packages()
    from worker.media.run import limits_of, processes_of

    chosen = settings()
    limits, processes = limits_of(chosen), processes_of(chosen)
    choice = None
    if model not in (None, "", "none"):
        from worker.media.classifier import ClassifierError, choose, load_classifier

        try:
            choice = choose(Path(model or ""))
            load_classifier(choice)  # what the sandbox could not load is told here
        except ClassifierError as error:
            raise CommandError(f"--model: {error}", hint="See docs/media/classifier.md.") from error
    made = Examining(Sandbox(limits, processes, choice), limits, processes)
    try:
        yield made
    finally:
        made.close()


def need_packages() -> None:
    """Raises CommandError where packages of the extra `media` are missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(
            f"media files need more packages ({', '.join(missing)})", hint=f"Install them: {INSTALL}"
        )


def gathered(given: Sequence[Path]) -> list[Path]:
    """The files given and those below the folders given, each once.

    Raises:
        CommandError: one is not there or is neither, or there is no file at all.
    """
    files: dict[Path, None] = {}
    for path in given:
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                files.update(dict.fromkeys(_below(path)))
            elif stat.S_ISREG(mode):
                files[path] = None
            else:
                raise CommandError(f"{path}: neither a file nor a folder", hint="Name files or folders.")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}", hint="Name files or folders.") from error
    if not files:
        raise CommandError("no files in the folders given", hint="Hidden files are passed over.")
    return list(files)


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file():
            yield path
