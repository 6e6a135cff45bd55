"""The report is one safe file: nothing is loaded, nothing runs, and texts cannot break out of it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.worker.evaluation.conftest import Evaluate, row
from worker.evaluation.report import html_report, visible

HOSTILE = (
    "<script>alert(1)</script> zonk \u202eevil\u2066 \x1b[31m & \"quoted\" 'x' https://evil.example/x.js"
)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in {"meta", "circle", "rect", "path", "line", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"circle", "rect", "path", "line"}:
            assert self.open.pop() == tag


def _parsed(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


@pytest.fixture
def html(evaluated: Evaluate) -> str:
    return html_report(
        evaluated(
            row(HOSTILE, source="<b>made</b>"),
            row("you zap", "violence"),
            row("a blip", "violence"),
            row("calm", "violence"),
            row("zip", weak=["violence"], source="tweets"),
            evasions=True,
        )
    )


def test_nothing_runs_and_nothing_is_loaded(html: str) -> None:
    tags = _parsed(html)
    assert not tags.seen & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "image",
        "use",
    }
    for name, value in tags.attributes:
        assert not name.startswith("on")
        if name in {"href", "src", "action", "xlink:href"}:
            assert value is not None
            assert value.startswith("#")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html


def test_texts_are_escaped_and_nothing_in_them_is_hidden(html: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;b&gt;made&lt;/b&gt;" in html
    assert not set(html) & set("\u202e\u2066\x1b")
    assert "[U+202E]" in html


def test_it_says_what_was_measured(html: str) -> None:
    for words in (
        "Content warning",
        "AUPRC",
        "<svg",
        "violence: false alarms",
        "violence: misses",
        "recall, flagged",
    ):
        assert words in html
    assert 'class="acted"' in html
    assert 'class="flagged"' in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_without_anything_certain_it_is_still_a_page(evaluated: Evaluate) -> None:
    html = html_report(evaluated(row("hm", covers=())))
    _parsed(html)
    assert "No row says anything certain about: violence" in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", 'a<span class="hidden">[U+202E]</span>b'),
        ("a\u200bb", 'a<span class="hidden">[U+200B]</span>b'),
        ("two\nlines", "two\nlines"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("e" + "\u0301" * 20, "e" + "\u0301" * 3),
        ("\ud800", '<span class="hidden">[U+D800]</span>'),
    ],
)
def test_what_would_hide_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
