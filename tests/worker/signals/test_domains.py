"""Who stands behind a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.engine.facts import load_facts
from worker.engine.registry import DEFAULT_PACK
from worker.engine.tomlfile import Problem
from worker.signals.domains import Domains


@pytest.fixture(scope="module")
def shipped() -> Domains:
    problems: list[Problem] = []
    facts = load_facts(Path(DEFAULT_PACK) / "facts", problems)
    assert not problems
    return facts.links


@pytest.mark.parametrize(
    ("link", "domain"),
    [
        ("https://Deals.Example-Shop.xyz/a?b#c", "example-shop.xyz"),
        ("www.shop.example.co.uk", "example.co.uk"),
        ("http://user:word@deals.example.org:8080/", "example.org"),
        ("https://someone.github.io/page", "someone.github.io"),
        ("https://a.b.someone.blogspot.com", "someone.blogspot.com"),
        ("https://bit.ly/3aBcD?x=1", "bit.ly/3aBcD"),
        ("https://docs.google.com/forms/d/e/1FA", "docs.google.com/forms/d/e/1FA"),
        ("https://www.youtube.com/watch?v=1", None),
        ("https://news.bbc.co.uk/1", None),
        ("https://bit.ly/", None),
        ("https://github.io", None),
        ("https://10.0.0.1/x", None),
        ("https://localhost/x", None),
        ("https://a..b/", None),
        ("", None),
        ("https://" + "a" * 300 + ".com", None),
    ],
)
def test_the_domain_that_a_link_counts_for(shipped: Domains, link: str, domain: str | None) -> None:
    assert shipped.of(link) == domain


def test_without_lists_every_domain_counts() -> None:
    assert Domains().of("https://www.youtube.com/x") == "youtube.com"
