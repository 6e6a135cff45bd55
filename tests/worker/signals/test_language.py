from __future__ import annotations

import pytest

from worker.signals import language
from worker.signals.language import identify

pytest.importorskip("pycld2", reason="no wheel of pycld2 for this platform")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't believe it's Monday again, who wants coffee", "en"),
        ("no puedo creer que ya sea lunes otra vez, qué pereza", "es"),
        ("não aguento mais essa chuva todo dia, quero praia", "pt"),
        ("j'en peux plus de ce métro, encore en retard ce matin", "fr"),
        ("schon wieder Montag und es regnet, ich will zurück ins Bett", "de"),
        ("صباح الخير يا جماعة كيف حالكم اليوم مع هذا الحر", "ar"),
        ("non ne posso più di questo traffico ogni mattina", "it"),
        ("今日はとても疲れました。早く家に帰ってラーメンが食べたいです。", "ja"),
        ("как же я устал сегодня на работе, скорее бы домой", "ru"),
    ],
)
def test_a_sentence_tells_its_language(text: str, expected: str) -> None:
    assert identify(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lol kys",
        "😂😂😂 🔥🔥",
        "12345 67890 12345 67890 12345",
        "Wat time u comin sia, wan makan anot",  # Singlish
        "#tbt #fbf #nofilter",
        "hello \ud800 world this is something else",
        "control \x00 characters \x07 in a longer text",
    ],
)
def test_doubt_is_no_language(text: str) -> None:
    assert identify(text) in {None, "en"}


def test_a_long_text_is_read_only_at_its_head() -> None:
    assert identify("this is plainly an English sentence " * 10_000) == "en"


def test_without_the_detector_every_language_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_detector", lambda: None)
    assert identify("this is plainly an English sentence") is None
