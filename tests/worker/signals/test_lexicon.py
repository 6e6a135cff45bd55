"""Which languages a text is read in."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files

import pytest

from tests.worker.signals.discourses import flags
from worker.signals.discourse.lexicon import LANGUAGES, lexicons_for, likely_language
from worker.signals.view import Discourse


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("i will see you at the station", "en"),
        ("nos vemos en el parque con los perros", "es"),
        ("eu nao vou com voce pra festa", "pt"),
        ("je vais pas dans la rue avec lui", "fr"),
        ("ich habe das nicht mit dir gemacht", "de"),
        ("انا رايح على البيت", "ar"),
        ("lol", "en"),
        ("", "en"),
        ("😂😂", "en"),
    ],
)
def test_a_text_without_a_language_is_guessed(text: str, lang: str) -> None:
    assert likely_language(text) == lang


def test_a_known_language_is_read_alone_and_any_other_beside_english() -> None:
    text = "no se lo que dijo el"
    english, spanish = lexicons_for(text, None)
    assert lexicons_for(text, "es") == (spanish,)
    assert lexicons_for(text, "en") == (english,)
    assert lexicons_for(text, "it") == lexicons_for(text, "und") == (english, spanish)
    assert lexicons_for("what he said is true", None) == (english,)


@pytest.mark.parametrize("lang", [None, "it", "es"])
def test_a_spanish_cue_counts_where_spanish_may_be_meant(lang: str | None) -> None:
    assert "negated" in flags("nunca en la vida [te voy a pegar]", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_laughter_needs_no_language(lang: str) -> None:
    assert "hyperbole" in flags("[xyz] 😂", lang)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_long_text_is_read_in_every_language(lang: str) -> None:
    assert "reported" not in flags(("a " * 20_000) + "[xyz]" + (" b" * 20_000), lang)


def test_every_flag_was_read_for_its_precision() -> None:
    text = files("worker.signals.discourse").joinpath("en.toml").read_text("utf-8")
    figures = tomllib.loads(text)["precision"]
    assert set(figures) == {field.name for field in dataclasses.fields(Discourse)}
    assert all(0 <= figure["right"] <= figure["judged"] for figure in figures.values())
