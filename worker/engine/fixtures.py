"""Test-only stand-ins of a policy's cases: invented terms and facts that only these cases see."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from worker.engine.facts import Bank, Consent, Event, Fact, Facts, Identity, Print
from worker.engine.policy import SignalName


class Fixtures(Fact):
    """The `[fixtures]` of a `cases.toml`; the tables are those of the pack's facts.

    `terms` are further terms, whole words in any language, by the signal that they fire.
    """

    terms: Mapping[SignalName, tuple[str, ...]] = Field(default_factory=dict)
    event: tuple[Event, ...] = ()
    identity: tuple[Identity, ...] = ()
    consent: tuple[Consent, ...] = ()
    bank: tuple[Bank, ...] = ()
    print: tuple[Print, ...] = ()


def merge(facts: Facts, fixtures: Fixtures) -> Facts:
    """The pack's facts with the fixtures after them; the same object where there are none."""
    added = (fixtures.event, fixtures.identity, fixtures.consent, fixtures.bank, fixtures.print)
    if not any(added):
        return facts
    return Facts(
        facts.calendar + fixtures.event,
        facts.identities + fixtures.identity,
        facts.consents + fixtures.consent,
        facts.banks + fixtures.bank,
        facts.prints + fixtures.print,
        domains=facts.domains,
        automata=facts.automata,
        says_automated=facts.says_automated,
        automated_handles=facts.automated_handles,
    )
