"""Finds, reads and cross-checks a policy pack; any fault stops the start, with file, line and reason."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import tomllib
import traceback
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.engine.contract import RuleProcessor
from worker.engine.policy import POLICY_IDS, Policy
from worker.signals.bank import PatternError, SignalBank
from worker.signals.scanner import Backend

M = TypeVar("M", bound=BaseModel)
DEFAULT_PACK = Path(__file__).resolve().parent.parent / "policies"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a pack. `line` is 1-based, None when it has no place in the file."""

    file: Path
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{place}: {self.reason}"


class PackError(Exception):
    """A pack that cannot be used; `problems` names every fault found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy with its rule, ready to judge. `gate` holds the signals without which the rule is not asked."""

    policy: Policy
    rule: RuleProcessor
    folder: Path
    gate: frozenset[str]

    @property
    def cases_path(self) -> Path:
        """The labelled posts that prove the policy."""
        return self.folder / "cases.toml"


@dataclass(frozen=True, slots=True)
class Pack:
    """A policy pack in force: `policies` in the contract's order, `sha256` over all its files."""

    id: str
    sha256: str
    rules_date: date
    policies: tuple[LoadedPolicy, ...]
    signals: SignalBank
    folder: Path


class _PackFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    rules_date: date


def load_pack(
    path: Path | None = None,
    *,
    cache_dir: Path | None = None,
    backend: Backend = "auto",
    extra_terms: Sequence[tuple[str, Sequence[str]]] = (),
) -> Pack:
    """Loads the pack in a folder (default: the one that ships with the worker).

    A pack is `pack.toml` and a folder for each policy. A rule is the `rule.py` in the policy's folder, or,
    when a pack has only data, the one that ships with the worker. `cache_dir` keeps compiled expressions;
    `backend` is `auto`, `hyperscan` or `re2`. `extra_terms` are further lists, `(signal name, terms)`.

    Raises:
      PackError: with every problem found; nothing is half loaded.
    """
    root = (path or DEFAULT_PACK).resolve()
    problems: list[Problem] = []
    about = read_toml(root / "pack.toml", _PackFile, problems)
    folders = sorted(p.parent for p in root.glob("*/policy.toml")) if root.is_dir() else []
    if root.is_dir():
        for folder in sorted(p.parent for p in root.glob("*/rule.py") if p.parent not in folders):
            problems.append(Problem(folder / "policy.toml", None, "is missing, but the folder has a rule.py"))
    if not folders and not problems:
        problems.append(Problem(root, None, "holds no policy: expected folders with a policy.toml"))
    found: dict[str, LoadedPolicy] = {}
    for folder in folders:
        loaded = _load_policy(folder, problems)
        if loaded is not None:
            found[loaded.policy.id] = loaded
    policies = tuple(found[policy_id] for policy_id in POLICY_IDS if policy_id in found)
    bank = None
    if not problems:
        try:
            bank = SignalBank(
                policies,
                extra_terms=extra_terms,
                cache_dir=cache_dir,
                backend=backend,
                needs=frozenset().union(*(loaded.rule.needs for loaded in policies)),
                gates=frozenset().union(*(loaded.gate for loaded in policies)),
            )
        except PatternError as error:
            problems.append(Problem(error.path, error.line, error.reason))
    if bank is not None:
        for loaded in policies:
            for name in sorted(loaded.rule.needs - bank.names):
                file = loaded.folder / "rule.py"
                line = _line_of(file, f'"{name}"') if file.exists() else None
                problems.append(Problem(file, line, f'needs the signal "{name}", which nothing measures'))
    if problems or bank is None or about is None:
        raise PackError(problems)
    return Pack(about.id, _sha256(root), about.rules_date, policies, bank, root)


def _load_policy(folder: Path, problems: list[Problem]) -> LoadedPolicy | None:
    file = folder / "policy.toml"
    policy = read_toml(file, Policy, problems)
    if policy is None:
        return None
    if policy.id.replace("-", "_") != folder.name:
        expected = policy.id.replace("-", "_")
        problems.append(
            Problem(
                file,
                _line_of(file, policy.id),
                f'the folder of policy "{policy.id}" must be called {expected}',
            )
        )
        return None
    try:
        rule = _rule_class(folder)(policy)
    except Exception as error:  # noqa: BLE001  # a rule is foreign code: its fault is a problem of the pack
        reason = f"the rule cannot be made: {type(error).__name__}: {error}"
        problems.append(Problem(folder / "rule.py", _line_of_error(folder / "rule.py", error), reason))
        return None
    needs = getattr(rule, "needs", None)
    gate = getattr(rule, "gate", needs)
    if not isinstance(needs, Set) or not isinstance(gate, Set) or not gate or not gate <= needs:
        problems.append(
            Problem(
                folder / "rule.py", None, "Rule.needs must be a set of signal names, Rule.gate a part of it"
            )
        )
        return None
    return LoadedPolicy(policy, rule, folder, frozenset(gate))


def _rule_class(folder: Path) -> type[RuleProcessor]:
    file = folder / "rule.py"
    if folder.parent == DEFAULT_PACK or not file.exists():
        module = importlib.import_module(f"worker.policies.{folder.name}.rule")
    else:
        # An operator's own pack: named by its folder, so that two packs' rules do not share a module.
        name = f"_pack_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}_rule"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot import {file}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up by name
        spec.loader.exec_module(module)
    return cast(type[RuleProcessor], module.Rule)


def read_toml(file: Path, model: type[M], problems: list[Problem]) -> M | None:
    """Reads a TOML file into a model, or notes what is wrong with it, where."""
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
        return model.model_validate(data)
    except OSError as error:
        problems.append(Problem(file, None, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(file, None, "is not UTF-8"))
    except tomllib.TOMLDecodeError as error:
        message, line = _toml_place(str(error))
        problems.append(Problem(file, line, f"not valid TOML: {message}"))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        places = [fault["loc"] for fault in faults]
        for fault in faults:
            if any(place[: len(fault["loc"])] == fault["loc"] != place for place in places):
                continue  # only follows from a fault inside: "too short", of a list whose one item is wrong
            path = ".".join(str(part) for part in fault["loc"])
            problems.append(
                Problem(file, _line_of_path(text, data, fault["loc"]), f"{path or 'file'}: {fault['msg']}")
            )
    return None


def _toml_place(message: str) -> tuple[str, int | None]:
    """Splits "Expected '=' (at line 3, column 5)" into its message and line."""
    head, found, tail = message.partition(" (at line ")
    number = tail.partition(",")[0]
    return (head, int(number)) if found and number.isdigit() else (message, None)


def _line_of(file: Path, needle: str) -> int | None:
    return next(
        (n for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if needle in line), None
    )


def _line_of_error(file: Path, error: Exception) -> int | None:
    """The line of a rule's file at which it cannot be read, or from which it raised."""
    if isinstance(error, SyntaxError):
        return error.lineno
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return lines[-1] if lines else None


def _line_of_path(text: str, data: object, path: tuple[int | str, ...]) -> int | None:
    """The line on which a key of a parsed TOML file stands, as well as a line search can tell.

    Walks the path: a table or array-of-tables header moves the start, the last key is looked for from there.
    """
    lines = text.splitlines()
    start, last, prefix = 0, None, ""
    for part in path:
        if isinstance(part, int):
            header = f"[[{prefix}]]"
            places = [n for n, line in enumerate(lines) if line.strip().startswith(header)]
            if part < len(places):
                start = last = places[part]
            continue
        prefix = f"{prefix}.{part}" if prefix else part
        for n in range(start, len(lines)):
            stripped = lines[n].strip()
            if stripped.startswith((f"{part} ", f"{part}=", f"[{prefix}]", f"[[{prefix}]]", f'"{part}"')):
                start = last = n
                break
    return last + 1 if last is not None else None


def _sha256(root: Path) -> str:
    """One hash over the relative path and content of every file of the pack, in path order."""
    total = hashlib.sha256()
    for file in sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    return total.hexdigest()
