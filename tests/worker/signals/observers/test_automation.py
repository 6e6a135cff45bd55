"""Who posts by machine and says so is known; who says the opposite, or merely has the word in a name, is not."""

from __future__ import annotations

from datetime import date

import pytest

from tests.worker.signals.observers.helpers import observe, post
from worker.engine.facts import Automaton, Facts, load_facts
from worker.engine.registry import DEFAULT_PACK
from worker.engine.tomlfile import Problem
from worker.signals.observers.automation import OBSERVER


def pack_facts() -> Facts:
    problems: list[Problem] = []
    facts = load_facts(DEFAULT_PACK / "facts", problems)
    assert not problems
    return facts


@pytest.mark.parametrize(
    ("author", "automated"),
    [
        ({"bio": "I am a bot. Readings of the old weir."}, True),
        ({"bio": "AUTOMATED ACCOUNT: departures from platform 3"}, True),
        ({"bio": "Soy un bot que cuenta trenes"}, True),
        ({"bio": "Cuenta automatizada del Ayuntamiento"}, True),
        ({"display_name": "Quakes (official bot)"}, True),
        ({"handle": "quakes_bot"}, True),
        ({"handle": "QUAKES_BOT"}, True),
        ({"bio": "I hate bots. Not a bot, promise"}, False),
        ({"handle": "abbot"}, False),
        ({"handle": "robotics"}, False),
        ({"bio": "gardener, father, chess"}, False),
        ({}, False),
    ],
)
def test_an_account_is_known_by_what_it_says_of_itself(author: dict[str, str], automated: bool) -> None:
    hits = observe(OBSERVER, post("x", author=author), pack_facts())
    assert [hit.signal for hit in hits] == (["author.automated"] if automated else [])


def test_the_operators_list_goes_by_the_accounts_id() -> None:
    known = Automaton(
        account_id="a1", name="Weir", purpose="water levels", source="us", read_at=date(2026, 11, 23)
    )
    facts = Facts(automata=(known,))
    hits = observe(OBSERVER, post("x", author_id="a1"), facts)
    assert {hit.signal for hit in hits} == {"author.automated", "author.declared-automation"}
    assert {hit.detail for hit in hits} == {"declared: water levels"}
    assert not observe(OBSERVER, post("x", author_id="a2"), facts)
