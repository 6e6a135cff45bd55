"""What the simulated people write: authored lines with slots, filled by a seeded chance."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, NamedTuple

_LEET = str.maketrans({"i": "1", "e": "3", "o": "0", "a": "@"})
_TAGS = (
    "TidewaterFinale", "NightFerry", "SaveOurLido", "DerbyDay", "MarketMonday", "ElmParkFair", "RainAgain",
    "BakeTogether", "LongLadder", "QuizNight", "FerryStrike", "HarbourLights",
)  # fmt: skip


class Written(NamedTuple):
    """A text and the truth about it: the policy that it breaks, or None."""

    text: str
    policy: str | None
    lang: str


@cache
def lines() -> dict[str, Any]:
    """The authored lines, as `texts.toml` has them."""
    return tomllib.loads(files("worker.simulation").joinpath("texts.toml").read_text("utf-8"))


class Writer:
    """Writes posts from the authored lines. The same chance writes the same."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._slots: Mapping[str, list[str]] = lines()["slots"]

    def ordinary(self, lang: str, tag: str | None = None) -> Written:
        """A post about nothing much, hardly ever the same twice."""
        parts = lines()["ordinary"][lang]
        text = " ".join(self._fill(self._chance.choice(parts[name])) for name in ("open", "middle", "close"))
        if tag is not None:
            text += f" #{tag}"
        return Written(text.strip(), None, lang)

    def line(self, name: str, **given: str) -> Written:
        """A line of the set `group.name`; `given` fills slots that are the author's own."""
        group, _, which = name.partition(".")
        found = lines()[group][which]
        return Written(self._fill(self._chance.choice(found["lines"]), given), found.get("policy"), "en")

    def fixed(self, name: str, number: int, **given: str) -> Written:
        """The same line of a set whoever writes it: what a campaign's accounts have been handed."""
        group, _, which = name.partition(".")
        found = lines()[group][which]
        return Written(
            self._fill(found["lines"][number % len(found["lines"])], given), found.get("policy"), "en"
        )

    def statement(self, honest: bool) -> str:
        """What an appeal says."""
        return str(self._chance.choice(lines()["appeals"]["honest" if honest else "guilty"]))

    def disguised(self, written: Written) -> Written:
        """The same with letters swapped for figures, as who was removed before writes it."""
        words = written.text.split(" ")
        for number, word in enumerate(words):
            if not word.startswith(("@", "http")) and self._chance.random() < 0.3:
                words[number] = word.translate(_LEET)
        return written._replace(text=" ".join(words))

    def code(self) -> str:
        """A random word, as in links and user names."""
        return "".join(self._chance.choices("abcdefghkmnprstuvwxyz23456789", k=7))

    def tags(self, count: int) -> list[str]:
        """Hashtags that trend."""
        return self._chance.sample(_TAGS, count)

    def _fill(self, line: str, given: Mapping[str, str] | None = None) -> str:
        filled: list[str] = []
        for words, name, _, _ in Formatter().parse(line):
            filled.append(words)
            if name is not None:
                filled.append(given[name] if given and name in given else self._word(name))
        return "".join(filled)

    def _word(self, name: str) -> str:
        chance = self._chance
        if name in self._slots:
            return chance.choice(self._slots[name])
        if name.startswith("tag"):
            return chance.choice(_TAGS)
        if name == "hour":
            return f"{chance.randrange(24):02d}"
        return str(chance.randrange(2, 60) if name in {"n", "m"} else chance.randrange(1, 10))
