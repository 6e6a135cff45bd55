"""What the German words around a hit say about its use. Square brackets mark the hit."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import Texts, flags, not_raising, raising
from worker.signals.discourse import LANGUAGES

LANG = "de"
TEXTS: Texts = {
    "negated": (
        [
            "Ich würde dich nie [umbringen]",
            "ich [schlage] dich nicht",
            "ich will dich nicht [schlagen]",
            "Niemand wird [dir wehtun]",
            "Hört auf, [Leute zu bedrohen]",
            "keiner hat vor, [dich umzubringen]",
        ],
        [
            "Kein Spaß, [ich bring dich um]",
            "Nein, [ich bring dich um]",
            "wenn du nicht zahlst [bring ich dich um]",
            "niemand kann mich aufhalten, [ich bring dich um]",
            "ohne Gnade [bring ich dich um]",
            "nicht nur schlagen, [ich bring dich um]",
        ],
    ),
    "quoted": (
        [
            "„[Ich bring dich um]“, stand an der Tür",
            "»[Ich bring dich um]« stand da",
            'Er schrieb "[ich bring dich um]" drunter',
            "RT @uwe: [ich bring dich um]",
            "> [ich bring dich um]\nwas für ein Typ",
        ],
        [
            "er ist „nett“, aber [ich bring dich um]",
            "„hallo“ [ich bring dich um] „tschüss“",
            "hab 's satt, [ich bring dich um]",
            "na @uwe [ich bring dich um]",
        ],
    ),
    "attributed": (
        [
            "Mein Ex hat gesagt, er [bringt mich um]",
            "Laut ihm [bringen sie alle um]",
            "Ich habe eine Nachricht bekommen: [ich bring dich um]",
            "Der Nachbar schrie, er werde [sie umbringen]",
            "„[Ich bring dich um]“, sagte er",
            "sie droht damit, [ihn umzubringen]",
        ],
        [
            "Ich hab dir gesagt, [ich bring dich um]",
            "ich schwöre, [ich bring dich um]",
            "Er sagt ich bin hässlich und jetzt [bring ich dich um]",
            "ich warne dich, [ich bring dich um]",
        ],
    ),
    "reported": (
        [
            "Die Polizei sucht einen Mann, der [ich bring dich um] rief",
            "Festgenommen, weil er [ich bring dich um] schrieb",
            "34-Jähriger verurteilt wegen [Morddrohung]",
            "Mutmaßlicher Täter rief [ich bring dich um]",
            "Prozess gegen Mann, der [ich bring dich um] gerufen hatte",
        ],
        [
            "ruf doch die Polizei, [ich bring dich um]",
            "auch die Bullen helfen dir nix, [ich bring dich um]",
            "heute [bring ich dich um] beim Kicken",
            "das ist mein Urteilsvermögen, [ich bring dich um]",
        ],
    ),
    "conditional": (
        [
            "Wenn du nochmal kommst [bring ich dich um]",
            "falls er redet [bring ich ihn um]",
            "es sei denn du zahlst, [bring ich dich um]",
            "sobald ich dich sehe [bring ich dich um]",
            "ich hätte ihn [umbringen] können",
        ],
        [
            "Ja, [ich bring dich um]",
            "wenig später [bring ich dich um]",
            "so [bring ich dich um]",
            "fast [umgebracht] gestern",
        ],
    ),
    "question": (
        [
            "Wer [bringt mich um]?",
            "willst du [mich schlagen]?",
            "warum [bringst du mich um]?",
            "[bringst du mich um]?!",
            "ob er [mich umbringt]?",
        ],
        [
            "[ich bring dich um].",
            "Alles gut? Also, [ich bring dich um].",
            "keine Frage, [ich bring dich um]",
            "wie gesagt, [ich bring dich um]",
        ],
    ),
    "condemned": (
        [
            "Hört auf, Journalisten [ich bring dich um] zu schreiben",
            "Schämt euch, einem Kind [ich bring dich um] zu schicken",
            "[ich bring dich um] zu schreiben ist inakzeptabel",
            "Leute, die [ich bring dich um] schreiben, gehören angezeigt. Das ist strafbar",
            "Das ist nicht lustig, [ich bring dich um] zu rufen",
            "Hab den Account gemeldet, der [ich bring dich um] schrieb",
            "Nein zu Hass. [ich bring dich um] ist keine Meinung",
        ],
        [
            "das Wetter ist ok, [ich bring dich um]",
            "schon gut, [ich bring dich um]",
            "es ist spät, [ich bring dich um]",
            "[ich bring dich um], du Ekel",
        ],
    ),
    "hyperbole": (
        [
            "hahaha [ich bring dich um]",
            "[ich bring dich um] lol",
            "[ich bring dich um] 😂",
            "[ich bring dich um] xD",
            "[ich bring dich um]. nur Spaß",
            "ich lach mich tot, [ich bring dich um]",
        ],
        [
            "[ich bring dich um], kein Scherz",
            "das ist kein Spaß haha, [ich bring dich um]",
            "ich mein's ernst lol, [ich bring dich um]",
            "[ich bring dich um] ha",
        ],
    ),
    "fiction": (
        [
            "In dem Film sagt er [ich bring dich um]",
            "Songtext: [ich bring dich um]",
            "in Valorant [bring ich dich um]",
            "beste Szene der Serie: [ich bring dich um]",
            "im Tatort gestern [bringt sie ihn um]",
        ],
        [
            "mach kein Theater, [ich bring dich um]",
            "in der Stadt [bring ich dich um]",
            "der Autor da oben, [ich bring dich um]",
            "auf der Arbeit [bring ich dich um]",
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
