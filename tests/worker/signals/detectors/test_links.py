"""Links are found in every spelling that a reader would follow."""

from __future__ import annotations

import pytest

from tests.worker.signals.policies import post
from worker.signals.bank import SignalBank
from worker.signals.detectors.links import DETECTOR, host_of


@pytest.fixture(scope="module")
def bank() -> SignalBank:
    return SignalBank([], detectors=[DETECTOR], grammar=(), backend="re2")


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (
            "see https://t.co/abc1 and (www.example.org/x).",
            [("https://t.co/abc1", "t.co"), ("www.example.org/x", "www.example.org")],
        ),
        ("example.com rocks", [("example.com", "example.com")]),
        (
            "hxxps://evil[.]example[.]com/a",
            [("hxxps://evil[.]example[.]com/a", "evil.example.com, defanged")],
        ),
        ("visit example(dot)net now", [("example(dot)net", "example.net, defanged")]),
        ("a.example.co.uk:80/x?y=1#z", [("a.example.co.uk:80/x?y=1#z", "a.example.co.uk")]),
        ("http://user:pw@example.io/p", [("http://user:pw@example.io/p", "example.io")]),
        ("пример.com", [("пример.com", "пример.com")]),
        ("go to bit.ly/2ab!", [("bit.ly/2ab", "bit.ly")]),
        ("HTTPS://GOOOOGLE.COM/", [("HTTPS://GOOOOGLE.COM/", "goooogle.com")]),
        ("ＨＴＴＰ：／／example.com", [("ＨＴＴＰ：／／example.com", "example.com")]),
    ],
)
def test_a_link_is_found_whole(bank: SignalBank, text: str, links: list[tuple[str, str]]) -> None:
    (signals,) = bank.measure([post(text)])
    found = [(text[slice(*signals.received_span(hit))], hit.detail) for hit in signals.hits("link.url")]
    assert found == links


@pytest.mark.parametrize(
    "text",
    [
        "mail bob@example.com",
        "e.g. this is.it ok",
        "end.of story",
        "file.py main.rs",
        "1.5 and 3.14",
        "http:// nothing",
    ],
)
def test_what_is_no_link_is_left(bank: SignalBank, text: str) -> None:
    (signals,) = bank.measure([post(text)])
    assert signals.fired == frozenset()


def test_a_link_that_fired_has_a_hit(bank: SignalBank) -> None:
    for text in ("a.io", "http://))", "www.x..", "x t.co."):
        (signals,) = bank.measure([post(text)])
        assert bool(signals.fired) == bool(signals.hits("link.url")), text


@pytest.mark.parametrize(
    ("link", "host"),
    [
        ("https://a.example.com:8080/x", "a.example.com"),
        ("example.com?x", "example.com"),
        ("hxxp://evil[.]com", "evil.com"),
    ],
)
def test_the_host_is_read_from_a_link(link: str, host: str) -> None:
    assert host_of(link) == host
