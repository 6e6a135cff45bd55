"""What the French words around a hit say about its use. Square brackets mark the hit."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import Texts, flags, not_raising, raising
from worker.signals.discourse import LANGUAGES

LANG = "fr"
TEXTS: Texts = {
    "negated": (
        [
            "Je ne vais pas [te tuer]",
            "jamais je [te frapperais]",
            "j'vais pas [te tuer] relax",
            "Personne ne va [te faire du mal] ici",
            "Arrêtez de [menacer les gens]",
            "hors de question de [le frapper]",
        ],
        [
            "Je rigole pas, [je vais te tuer]",
            "C'est pas une blague, [je vais te tuer]",
            "si tu paies pas [je vais te tuer]",
            "personne va m'arrêter, [je vais te tuer]",
            "sans pitié [je vais te tuer]",
            "t'inquiète pas, [je vais te tuer]",
        ],
    ),
    "quoted": (
        [
            "« [Je vais te tuer] » c'était écrit sur le mur",
            "«[je vais te tuer]», rien que ça",
            'Il a mis "[je vais te tuer]" en com',
            "RT @luc: [je vais te tuer]",
            "> [je vais te tuer]\nle niveau",
            "« Bonjour », puis « [je vais te tuer] » et il raccroche",
        ],
        [
            "il est « sympa » mais [je vais te tuer]",
            "« salut » [je vais te tuer] « bisous »",
            "l'autre d'hier, [je vais te tuer]",
            "coucou @luc [je vais te tuer]",
        ],
    ),
    "attributed": (
        [
            "Mon ex m'a dit : [je vais te tuer]",
            "Il disait qu'il allait [me tuer]",
            "j'ai reçu un message : [je vais te tuer]",
            "Selon elle, [ils vont tous mourir]",
            "« [Je vais te tuer] », a-t-il dit",
            "elle menace de [le tuer]",
        ],
        [
            "Je te l'ai dit, [je vais te tuer]",
            "je te jure, [je vais te tuer]",
            "Il m'a dit que j'étais moche et maintenant [je vais te tuer]",
            "je te préviens, [je vais te tuer]",
        ],
    ),
    "reported": (
        [
            "La police a arrêté l'homme qui criait [je vais te tuer]",
            "Mis en examen pour avoir dit [je vais te tuer]",
            "Un homme de 34 ans condamné pour [menaces de mort]",
            "Le suspect aurait crié [je vais te tuer]",
            "Procès de l'agresseur : [je vais te tuer], criait-il",
        ],
        [
            "appelle la police si tu veux, [je vais te tuer]",
            "la police te sauvera pas, [je vais te tuer]",
            "ce soir [je vais te tuer] au foot",
            "même les flics, [je vais te tuer]",
        ],
    ),
    "conditional": (
        [
            "Si tu reviens [je te tue]",
            "s'il la touche [je le tue]",
            "à moins que tu paies [je te tue]",
            "au cas où il parle [on le tue]",
            "j'aurais pu [te tuer]",
        ],
        [
            "Si, [je vais te tuer]",
            "ainsi [je te tue]",
            "moi aussi [je vais te tuer]",
            "presque [tué] hier",
        ],
    ),
    "question": (
        [
            "Qui [va me tuer] ?",
            "tu [vas me frapper]?",
            "Est-ce qu'il [va me tuer]",
            "pourquoi [me tuer] alors",
            "[tu vas me tuer] ?!",
        ],
        [
            "[je vais te tuer].",
            "Ça va ? Bon, [je vais te tuer].",
            "c'est pourquoi [je vais te tuer]",
            "sans question, [je vais te tuer]",
        ],
    ),
    "condemned": (
        [
            "Arrêtez de dire [je vais te tuer] aux journalistes",
            "Quelle honte, écrire [je vais te tuer] à une gamine",
            "dire [je vais te tuer] est inacceptable",
            "Ceux qui disent [je vais te tuer] pour un match…",
            "C'est pas normal de crier [je vais te tuer]",
            "J'ai signalé le compte. Il avait écrit [je vais te tuer]",
            "on a signalé ce compte, signalez aussi : [je vais te tuer]",
        ],
        [
            "il fait beau, c'est normal, [je vais te tuer]",
            "ok, [je vais te tuer]",
            "[je vais te tuer], sale type",
            "c'est bon, [je vais te tuer]",
        ],
    ),
    "hyperbole": (
        [
            "mdrrrr [je vais te tuer]",
            "[je vais te tuer] ptdr",
            "[je vais te tuer] 😂",
            "[je te tue] lol",
            "je rigole, [je vais te tuer]",
            "morte de rire, [je vais te tuer]",
        ],
        [
            "je rigole pas mdr, [je vais te tuer]",
            "c'est pas une blague, [je vais te tuer]",
            "sans rire mdr, [je vais te tuer]",
            "[je vais te tuer] ah",
        ],
    ),
    "fiction": (
        [
            "Dans le film il dit [je vais te tuer]",
            "paroles de la chanson : [je vais te tuer]",
            "sur Valorant [je vais te tuer]",
            "meilleure réplique de la série : [je vais te tuer]",
            "dans l'épisode d'hier [ils le tuent]",
        ],
        [
            "fais pas de cinéma, [je vais te tuer]",
            "dans la rue [je vais te tuer]",
            "l'auteur du post, [je vais te tuer]",
            "au boulot [je vais te tuer]",
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
