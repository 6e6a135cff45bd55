"""What differs between two packs: norms, thresholds, ladders, lists, patterns, findings, cases and facts."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from worker.engine.cases import read_cases
from worker.engine.policy import Expressions, Policy, Terms
from worker.engine.registry import DEFAULT_PACK, LoadedPolicy, Pack
from worker.signals.terms import list_terms

_POLICIES = "worker.policies"
_LISTS = frozenset(
    {"terms", "expressions", "findings", "support", "excuses", "groups", "coordination", "returns"}
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise. `policy` is "pack" for what belongs to none.

    `before` None: it was added; `after` None: it was removed.
    """

    policy: str
    what: str
    before: str | None
    after: str | None


def differences(old: Pack, new: Pack) -> list[Difference]:
    """Every difference, pack first, then by policy in the contract's order.

    Raises:
      PackError: a file of cases is missing or malformed.
    """
    found = [
        *_changed(
            "pack",
            {"id": old.id, "rules_date": str(old.rules_date)},
            {"id": new.id, "rules_date": str(new.rules_date)},
        ),
        *_facts(old, new),
        *_models(old, new),
        *_retrained(old, new),
    ]
    before = {loaded.policy.id: loaded for loaded in old.policies}
    after = {loaded.policy.id: loaded for loaded in new.policies}
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(Difference(name, "policy", f"version {before[name].policy.version}", None))
        elif name not in before:
            found.append(Difference(name, "policy", None, f"version {after[name].policy.version}"))
        else:
            found.extend(_policy(before[name], after[name]))
    return found


def unversioned(found: list[Difference], old: Pack, new: Pack) -> list[str]:
    """Policies whose verdicts may have changed although their version did not: their action ids would clash."""
    versions = {loaded.policy.id: loaded.policy.version for loaded in old.policies}
    same = {p.policy.id for p in new.policies if versions.get(p.policy.id) == p.policy.version}
    harmless = ("case ", "title", "summary", "source", "known_false_positives", "clause", "status")
    changed = {d.policy for d in found if not d.what.startswith(harmless)}
    return [loaded.policy.id for loaded in new.policies if loaded.policy.id in same & changed]


def _policy(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Difference]:
    name = new.policy.id
    yield from _changed(name, _head(old.policy), _head(new.policy))
    yield from _changed(name, _terms(old), _terms(new))
    yield from _changed(name, _patterns(old.policy), _patterns(new.policy))
    yield from _changed(name, _scoring(old.policy), _scoring(new.policy))
    yield from _changed(name, _code(old), _code(new))
    yield from _changed(name, _cases(old), _cases(new))


def _head(policy: Policy) -> dict[str, str]:
    """The fields of a policy that are no lists of signals, ladder rungs one by one."""
    data = policy.model_dump(mode="json", exclude=set(_LISTS | {"ladder", "fragments", "parameters"}))
    fields = {key: _short(value) for key, value in data.items()}
    fields |= {f"ladder rung {n}": _short(rung) for n, rung in enumerate(data_list(policy, "ladder"), 1)}
    fields |= {f"parameter {key}": str(value) for key, value in policy.parameters.items()}
    return fields | {f"fragment {key}": value for key, value in policy.fragments.items()}


def data_list(policy: Policy, field: str) -> list[Any]:
    """A list of a policy as plain data."""
    values: list[Any] = policy.model_dump(mode="json", include={field}, exclude_defaults=True).get(field, [])
    return values


def _terms(loaded: LoadedPolicy) -> dict[str, str]:
    file = loaded.folder / "policy.toml"
    text = file.read_text("utf-8")
    return _told(
        (f"term {entry.name} “{term}”", f"{entry.match}, {_entry(entry)}")
        for entry in loaded.policy.terms
        for term in list_terms(entry, file, text)
    )


def _patterns(policy: Policy) -> dict[str, str]:
    return _told(
        (f"pattern {entry.name} {pattern}", _entry(entry))
        for entry in policy.expressions
        for pattern in entry.patterns
    )


def _entry(entry: Terms | Expressions) -> str:
    """What each term or pattern of an entry says where it is found."""
    detail = f", {_short(entry.detail)}" if entry.detail else ""
    return f"score {entry.score}, {entry.languages or 'as the policy'}{detail}"


def _scoring(policy: Policy) -> dict[str, str]:
    parts = [(f"finding {f['name']}", _short(f)) for f in data_list(policy, "findings")]
    for kind in ("support", "excuses", "groups"):
        for entry in data_list(policy, kind):
            name = entry.get("signal") or entry.get("formula") or entry.get("name")
            scope = ",".join(entry.get("findings", ()))
            parts.append((f"{kind} {name} {scope}".rstrip(), _short(entry)))
    for kind in ("coordination", "returns"):
        for number, row in enumerate(data_list(policy, kind), 1):
            parts.append((f"{kind} row {number}, {row['feature']}", _short(row)))
    return _told(parts)


def _told(parts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → value; what is there again under the same name is numbered: a rule may well weigh one signal twice."""
    told: dict[str, str] = {}
    for name, value in parts:
        unique, number = name, 1
        while unique in told:
            number += 1
            unique = f"{name} ({number})"
        told[unique] = value
    return told


def _cases(loaded: LoadedPolicy) -> dict[str, str]:
    return {f"case “{case.name}”": case.expect for case in read_cases(loaded).case}


def _code(loaded: LoadedPolicy) -> dict[str, str]:
    """The files of code that make the rule, by name, each with a hash: `rule.py` and what it imports of the policies."""
    found: dict[str, str] = {}
    waiting = [("rule.py", _file(loaded.folder, f"{loaded.folder.name}.rule"))]
    while waiting:
        name, file = waiting.pop()
        if name in found or file is None:
            continue
        source = file.read_bytes()
        found[name] = f"sha256 {hashlib.sha256(source).hexdigest()[:16]}"
        for module in _imported(source):
            own = module.removeprefix(f"{loaded.folder.name}.")
            waiting.append((f"{own.replace('.', '/')}.py", _file(loaded.folder, module)))
    return found


def _file(folder: Path, module: str) -> Path | None:
    """The file of a module below `worker.policies`: the pack's own, or else the one that ships with the worker."""
    path = Path(*module.split(".")).with_suffix(".py")
    return next((root / path for root in (folder.parent, DEFAULT_PACK) if (root / path).is_file()), None)


def _imported(source: bytes) -> list[str]:
    """The modules below `worker.policies` that a file names in its imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    prefix = f"{_POLICIES}."
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _facts(old: Pack, new: Pack) -> Iterator[Difference]:
    for kind in ("calendar", "identities", "consents", "banks", "prints", "domains"):
        before, after = (
            _told(
                (f"{kind} {_fact_name(fact)}", _short(fact.model_dump(mode="json", exclude_defaults=True)))
                for fact in getattr(pack.facts, kind)
            )
            for pack in (old, new)
        )
        yield from _changed("pack", before, after)


def _models(old: Pack, new: Pack) -> Iterator[Difference]:
    before, after = (
        {f"model file {file}": f"sha256 {sha256[:16]}" for file, sha256 in pack.models.sha256.items()}
        for pack in (old, new)
    )
    yield from _changed("pack", before, after)


def _retrained(old: Pack, new: Pack) -> Iterator[Difference]:
    """Other weights may change the verdicts of every policy that listens to them."""
    before, after = (_fingerprint(pack) for pack in (old, new))
    if before != after:
        for loaded in new.policies:
            if loaded.policy.learned is not None:
                yield Difference(loaded.policy.id, "trained models", before, after)


def _fingerprint(pack: Pack) -> str | None:
    every = "".join(f"{file} {sha256}\n" for file, sha256 in sorted(pack.models.sha256.items()))
    return f"sha256 {hashlib.sha256(every.encode()).hexdigest()[:16]}" if every else None


def _fact_name(fact: BaseModel) -> str:
    named = [
        str(getattr(fact, key, "") or "")
        for key in ("jurisdiction", "name", "subject", "advertiser", "account_id", "opens", "policy")
    ]
    return " ".join(name for name in named if name)


def _changed(policy: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys([*old, *new]):
        if old.get(what) != new.get(what):
            yield Difference(policy, what, old.get(what), new.get(what))


def _short(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items() if item not in (None, [], {}))
    if isinstance(value, list):
        return " + ".join(_short(item) for item in value)
    return " ".join(str(value).split())
