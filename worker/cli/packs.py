"""Loading the policy pack for a command, with the load shown and its faults explained."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from worker.cli.errors import CommandError
from worker.cli.output import say, stderr
from worker.cli.settings import settings
from worker.embedded import user_cache_directory
from worker.engine.registry import Pack, UnknownPolicyError, load_pack
from worker.engine.tomlfile import PackError


def pattern_cache() -> Path:
    """Where compiled patterns are kept between runs; compiling takes seconds, loading milliseconds."""
    return settings().cache_dir or user_cache_directory() / "patterns"


def load_part(path: Path | None, only: Collection[str], *, models: bool = True) -> Pack:
    """These policies of a pack alone, for whoever works on them, edit by edit: RE2 needs no compiling to speak of.

    Raises:
        CommandError: the pack holds no such policy.
        PackError: the pack has faults.
    """
    try:
        return load_pack(path, backend="re2", only=only, models=models)
    except UnknownPolicyError as error:
        raise CommandError(
            str(error), hint="'moderator policies list' shows the policies of a pack; --only takes their ids."
        ) from error


def load(path: Path | None, only: Collection[str] = (), *, models: bool = True) -> Pack:
    """The pack in this folder, or the bundled one; with `only` no more of it than these policies.

    Without `models` the rules judge alone.

    Raises:
        CommandError: the folder is missing, holds no such policy, or the pack has faults (each with file, line
            and reason).
    """
    if path is not None and not path.is_dir():
        raise CommandError(
            f"{path}: no such folder", hint="--policies names a folder with one folder per policy in it."
        )
    try:
        pack = load_part(path, only, models=models) if only else _load_all(path, models)
    except PackError as error:
        raise CommandError(
            f"the policy pack cannot be loaded:\n{error}",
            hint="Correct the files named above; 'moderator policies lint' checks a pack without running it.",
        ) from error
    if pack.models.warning is not None:
        say(pack.models.warning)
    return pack


def _load_all(path: Path | None, models: bool) -> Pack:
    if not sys.stderr.isatty():
        return load_pack(path, cache_dir=pattern_cache(), models=models)
    with stderr().status("Loading policies and compiling their patterns"):
        return load_pack(path, cache_dir=pattern_cache(), models=models)
