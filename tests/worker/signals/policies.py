"""Small policies for the tests of the signals."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from worker.engine.contract import Subject
from worker.engine.policy import Expressions, Policy, PolicyAction, Review, Rung, Source, Terms
from worker.signals.bank import BankSource

SOURCE = "written for the tests"


def policy(
    *,
    terms: tuple[Terms, ...] = (),
    expressions: tuple[Expressions, ...] = (),
    fragments: dict[str, str] | None = None,
    languages: tuple[str, ...] = ("*",),
) -> Policy:
    """A policy with these signals and nothing else of interest."""
    return Policy(
        id="violence",
        version=1,
        status="enforce",
        title="Test",
        clause="You may not.",
        dsa_category="STATEMENT_CATEGORY_VIOLENCE",
        source=Source(url="https://example.com/rules", read=date(2026, 11, 23)),
        summary="A policy for tests.",
        languages=languages,
        known_false_positives=("none",),
        threshold=0.8,
        review=Review(score=0.5),
        ladder=(Rung(score=0.8, actions=(PolicyAction(kind="remove"),)),),
        terms=terms,
        expressions=expressions,
        fragments=fragments or {},
    )


def words(name: str, *terms: str, match: str = "word", **more: object) -> Terms:
    """A word list."""
    return Terms.model_validate({"name": name, "terms": terms, "match": match, "source": SOURCE, **more})


def patterns(name: str, *found: str, **more: object) -> Expressions:
    """A list of expressions."""
    return Expressions.model_validate({"name": name, "patterns": found, "source": SOURCE, **more})


def source(made: Policy, folder: Path = Path("nowhere")) -> BankSource:
    """The policy as a bank takes it."""
    return BankSource(made, folder)


def post(text: str, lang: str | None = None, **fields: str) -> Subject:
    """A post with this text and further fields."""
    return Subject("post", "1", "u1", {"text": text, **fields}, lang)
