"""What the English words around a hit say about its use. Square brackets mark the hit."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import Texts, flags, not_raising, raising
from worker.signals.discourse import LANGUAGES

LANG = "en"
TEXTS: Texts = {
    "negated": (
        [
            "I'd never [hit you], you know that",
            "nobody is going to [hurt you] here",
            "he refused to [hit her]",
            "im not gonna [hit you] lol chill",
            "instead of [hitting people] go for a walk",
        ],
        [
            "not joking, I will [hit you]",
            "I can't wait to [hit you]",
            "nobody can stop me, [I'll hit you]",
            "if you don't pay [I'll hit you]",
        ],
    ),
    "quoted": (
        [
            '"[I will hit you]" was on the note',
            "“[I will hit you]” she texted",
            "> [I will hit you]\nwow",
            "RT @joe: [I will hit you]",
            "'[I will hit you]' is a strange caption",
        ],
        [
            'he is "nice" but [I will hit you]',
            '"hey" [I will hit you] "bye"',
            "rock 'n roll [I will hit you]",
            "hey @joe [I will hit you]",
        ],
    ),
    "attributed": (
        [
            "my boss said [he'd hit me]",
            "got a dm: [I will hit you]",
            "according to her [they hit everyone]",
            "[I will hit you], he yelled",
            "they keep telling me [they'll hit me]",
        ],
        [
            "I told you [I will hit you]",
            "I swear [I will hit you]",
            "she told me and [I'll hit you] for it",
            "the teacher said no homework, now I [will hit you]",
        ],
    ),
    "reported": (
        [
            "police said the man [threatened to hit] her",
            "man charged after [threatening] a judge",
            "BREAKING: man [threatens] family",
            "the suspect allegedly shouted [I will hit you]",
            "he was sentenced for [threats]",
        ],
        [
            "call the police, [I will hit you]",
            "break this and [I will hit you]",
            "[I will hit you] tonight",
            "my lawyer loves me, [I will hit you]",
        ],
    ),
    "conditional": (
        [
            "if you come back [I'll hit you]",
            "unless you pay [I'll hit you]",
            "I would have [hit you]",
            "what if he [hits me]",
            "in case he talks, [hit him]",
        ],
        [
            "[I will hit you]",
            "gift or not, [I will hit you]",
            "life is short, [I will hit you]",
            "as it is [I will hit you]",
        ],
    ),
    "question": (
        [
            "will he [hit me]?",
            "did you just [hit me]?!",
            "who [hit you]?",
            "why [hit me] tho?",
            "[hit me]??",
        ],
        [
            "[I will hit you].",
            "you ok? [I will hit you].",
            "no question, [I will hit you]",
            "who knows, [I will hit you]!",
        ],
    ),
    "condemned": (
        [
            'stop telling women "[I will hit you]"',
            '"[I will hit you]" is not ok',
            "it's never okay to say [I will hit you]",
            "people who tweet [I will hit you] are vile",
            "I reported the one who wrote [I will hit you]",
            "how is it ok to say [I will hit you]",
            "shame on whoever wrote [I will hit you]",
        ],
        [
            "the weather is ok. [I will hit you]",
            "is it ok if [I hit you] up later",
            "everything is okay now, [I will hit you]",
            "that is acceptable. [I will hit you]",
            "I'm not ok, [I will hit you]",
        ],
    ),
    "hyperbole": (
        [
            "lol [I will hit you]",
            "[I will hit you] 😂",
            "[I will hit you] hahaha",
            "[I will hit you] /s",
            "just kidding [I will hit you]",
        ],
        [
            "no joke, [I will hit you]",
            "not kidding [I will hit you]",
            "this is not a joke lol [I will hit you]",
            "ha, [I will hit you]",
        ],
    ),
    "fiction": (
        [
            "in the movie he says [I will hit you]",
            "lyrics: [I will hit you]",
            "best line of the show: [I will hit you]",
            "in this game [I will hit you]",
            "a song about how [I will hit you] 🎵",
        ],
        [
            "don't make a scene, [I will hit you]",
            "at work [I will hit you]",
            "the author up there, [I will hit you]",
            "show me, [I will hit you]",
        ],
    ),
}


@pytest.mark.parametrize(("flag", "text"), raising(TEXTS))
def test_a_use_is_recognised(flag: str, text: str) -> None:
    assert flag in flags(text, LANG)


@pytest.mark.parametrize(("flag", "text"), not_raising(TEXTS))
def test_a_look_alike_raises_nothing_of_the_kind(flag: str, text: str) -> None:
    assert flag not in flags(text, LANG)


def test_every_flag_is_tried_often_enough() -> None:
    assert LANG in LANGUAGES
    assert all(len(up) >= 5 and len(down) >= 4 for up, down in TEXTS.values())
