"""Finds, reads and cross-checks a policy pack; any fault stops the start, with file, line and reason."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from worker.engine.contract import RuleProcessor, Subject
from worker.engine.dsa import COUNTRIES, EU
from worker.engine.facts import Facts, load_facts
from worker.engine.fixtures import Fixtures, merge
from worker.engine.notice_texts import Texts, load_texts
from worker.engine.policy import POLICY_IDS, Policy
from worker.engine.scored import ScoredRule
from worker.engine.tomlfile import PackError, Problem, read_toml
from worker.learned.loading import Declared, Models, load_models
from worker.signals.bank import PatternError, SignalBank
from worker.signals.measured import MeasuredSignals
from worker.signals.scanner import Backend

DEFAULT_PACK = Path(__file__).resolve().parent.parent / "policies"


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


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError(f"{code} is no country of the EU or the EEA, as ISO 3166 writes them")
    return code


class StatementsFile(BaseModel):
    """The table `[statements]` of `pack.toml`: the countries, of the EU and the EEA, in which decisions apply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    territorial_scope: Annotated[
        tuple[Annotated[str, AfterValidator(_country)], ...], Field(min_length=1)
    ] = EU


@dataclass(frozen=True, slots=True)
class Pack:
    """A policy pack in force: `policies` in the contract's order, `facts` that rules ask, `sha256` over all its files.

    `models` are the trained models that it names, as far as they could be loaded. `statements` is what its statements
    of reasons say of the service, `notices` the texts of notices by language, shipped ones where it has none of its own.
    """

    id: str
    sha256: str
    rules_date: date
    policies: tuple[LoadedPolicy, ...]
    signals: SignalBank
    folder: Path
    facts: Facts = field(default_factory=Facts)
    models: Models = field(default_factory=Models)
    statements: StatementsFile = field(default_factory=StatementsFile)
    notices: Texts = field(default_factory=Texts)

    def measure(self, subjects: Sequence[Subject]) -> list[MeasuredSignals]:
        """Everything that is measured on each subject, in order: signals, then the models, as much as they are unsure."""
        measured = self.signals.measure(subjects)
        cascade = self.models.cascade
        if cascade is not None:
            asked = cascade.first(subjects, measured)
            cascade.second(asked)
            cascade.settle(asked)
            cascade.score(asked)
        return measured


class UnknownPolicyError(PackError):
    """A policy was asked for that the pack does not hold; the problem names the nearest that it does."""


class _PackFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    rules_date: date
    models: Declared | None = None
    statements: StatementsFile = StatementsFile()


def load_pack(
    path: Path | None = None,
    *,
    cache_dir: Path | None = None,
    backend: Backend = "auto",
    extra_terms: Sequence[tuple[str, Sequence[str]]] = (),
    only: Collection[str] | None = None,
    fixtures: Fixtures | None = None,
    models: bool = True,
) -> Pack:
    """Loads the pack in a folder (default: the one that ships with the worker).

    A pack is `pack.toml`, a folder for each policy, the folders `facts` and `notices` and the models that it names. A rule is the `rule.py` in the policy's
    folder, or, when a pack has only data, the one that ships with the worker; where there is neither, the
    policy's own `findings` are scored. `cache_dir` keeps compiled expressions; `backend` is `auto`, `hyperscan` or `re2`.
    `extra_terms` are further lists, `(signal name, terms)`. `only` takes these policies alone, by id or by the
    name of their folder, for whoever works on one. `fixtures` are stand-ins that a file of cases adds. Without
    `models` the rules judge alone.

    Raises:
      PackError: with every problem found; nothing is half loaded.
      UnknownPolicyError: `only` names what the pack does not hold.
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
    if only is not None and folders:
        folders = _chosen(root, folders, only)
    facts = load_facts(root / "facts", problems)
    notices = load_texts(DEFAULT_PACK / "notices", problems)
    if root != DEFAULT_PACK:
        notices = load_texts(root / "notices", problems, notices)
    if fixtures is not None:
        facts = merge(facts, fixtures)
        extra_terms = [*extra_terms, *fixtures.terms.items()]
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
                facts=facts,
            )
        except PatternError as error:
            problems.append(Problem(error.path, error.line, error.reason))
    if bank is not None:
        measured = bank.names | {f"learned.{policy_id}" for policy_id in POLICY_IDS}
        # What an account does over time is counted by the engine, with limits from any policy.
        measured |= {limit.name for loaded in policies for limit in loaded.policy.behaviour}
        for loaded in policies:
            for name in sorted(loaded.rule.needs - measured):
                code, data = loaded.folder / "rule.py", loaded.folder / "policy.toml"
                file = code if code.exists() and not _line_of(data, name) else data
                line = _line_of(file, name)
                problems.append(Problem(file, line, f'needs the signal "{name}", which nothing measures'))
    loaded_models = Models()
    if models and not problems and about is not None and about.models is not None:
        loaded_models = load_models(root, about.models, [loaded.policy for loaded in policies], problems)
    if problems or bank is None or about is None:
        raise PackError(problems)
    return Pack(
        about.id,
        _sha256(root),
        about.rules_date,
        policies,
        bank,
        root,
        facts,
        loaded_models,
        about.statements,
        notices,
    )


def _chosen(root: Path, folders: Sequence[Path], only: Collection[str]) -> list[Path]:
    """The folders of these policies."""
    held = {folder.name.replace("_", "-"): folder for folder in folders}
    wanted = dict.fromkeys(name.replace("_", "-") for name in only)
    problems = []
    for name in wanted:
        if name not in held:
            near = get_close_matches(name, held, n=1)
            meant = f'; did you mean "{near[0]}"?' if near else f"; it holds {', '.join(held)}"
            problems.append(Problem(root, None, f'holds no policy "{name}"{meant}'))
    if problems:
        raise UnknownPolicyError(problems)
    return [folder for name, folder in held.items() if name in wanted]


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
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a rule is foreign code: its fault is the pack's
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
        if not (DEFAULT_PACK / folder.name / "rule.py").exists():
            return ScoredRule
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


def _line_of(file: Path, needle: str) -> int | None:
    return next(
        (n for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if needle in line), None
    )


def _line_of_error(file: Path, error: BaseException) -> int | None:
    """The line of a rule's file at which it cannot be read, or from which it raised."""
    if isinstance(error, SyntaxError):
        return error.lineno
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return lines[-1] if lines else None


def _sha256(root: Path) -> str:
    """The hash of the pack in a folder."""
    files = (p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return sha256_of_files(
        (file.relative_to(root).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files
    )


def sha256_of_files(files: Iterable[tuple[str, str]]) -> str:
    """One hash over the relative path and the SHA-256 of every file of a pack, whatever their order."""
    total = hashlib.sha256()
    for path, content in sorted(files, key=lambda file: PurePosixPath(file[0])):
        total.update(f"{path}\0{content}\n".encode())
    return total.hexdigest()
