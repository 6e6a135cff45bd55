"""Finds the parts of the pipeline that are modules of a folder: adding one is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any


def load_parts(package: str, path: Iterable[str], attribute: str) -> tuple[Any, ...]:
    """The `attribute` of each module of a package that has it, in the order of the modules' names.

    Each has `names`, the signals that it may report.

    Raises:
        ValueError: two of them report the same signal.
    """
    parts: list[Any] = []
    owner: dict[str, str] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(path)):
        part = getattr(importlib.import_module(f"{package}.{module}"), attribute, None)
        if part is None:
            continue
        for name in sorted(part.names):
            if name in owner:
                kind = attribute.lower()
                raise ValueError(f"signal {name} is reported by {kind} {owner[name]} and by {module}")
            owner[name] = module
        parts.append(part)
    return tuple(parts)
