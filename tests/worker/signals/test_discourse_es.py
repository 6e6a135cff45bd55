"""What the Spanish words around a hit say about its use. Square brackets mark the hit."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import Texts, flags, not_raising, raising
from worker.signals.discourse import LANGUAGES

LANG = "es"
TEXTS: Texts = {
    "negated": (
        [
            "Yo nunca [te voy a pegar]",
            "no [te voy a matar], tranquila",
            "Nadie [te va a hacer daño] mientras yo esté",
            "jamás en mi vida [te pegaría]",
            "Dejen de [amenazar a la gente]",
            "me niego a [romperle la cara] a un chamaco",
        ],
        [
            "No es broma, [te voy a matar]",
            "No, [te voy a matar]",
            "si no me pagas [te voy a matar]",
            "No me importa la cárcel, [te voy a matar]",
            "nadie me va a parar, [te voy a matar]",
            "no solo te voy a pegar, [te voy a matar]",
        ],
    ),
    "quoted": (
        [
            "«[te voy a matar]» decía el cartel",
            'Me puso "[te voy a matar]" y ya',
            "“[te voy a romper la cara]” fue lo último que mandó",
            "RT @pepe: [te voy a matar]",
            "> [te voy a matar]\nmenudo imbécil",
            "¿“[te voy a matar]”? en serio escribió eso",
        ],
        [
            'es muy "simpático" pero [te voy a matar]',
            "“hola” [te voy a matar] “adiós”",
            "pa'que sepas, [te voy a matar]",
            "start @pepe [te voy a matar]",
        ],
    ),
    "attributed": (
        [
            "Mi ex me dijo que [me iba a matar]",
            "Según ella, [los van a matar] a todos",
            "me llegó un mensaje: [te voy a matar]",
            "La señora gritaba que [lo iba a matar]",
            "[te voy a matar], me escribió anoche",
            "él amenazó con [matarme]",
        ],
        [
            "Te lo dije, [te voy a matar]",
            "te juro que [te voy a matar]",
            "Me dijo que soy feo y ahora [te voy a matar]",
            "ya te avisé: [te voy a matar]",
        ],
    ),
    "reported": (
        [
            "La policía detuvo a un hombre que dijo [te voy a matar]",
            "Detenido por [amenazar de muerte] a su vecina",
            "Presunto agresor: [te voy a matar] le gritó",
            "Condenado a 5 años por [amenazas] a una jueza",
            "ÚLTIMA HORA: hombre [amenaza con matar] a su familia",
        ],
        [
            "la policía no te va a salvar, [te voy a matar]",
            "ni la policía ni nadie, [te voy a matar]",
            "hoy [te voy a matar] en la cancha",
            "llama a la policía si quieres, [te voy a matar] igual",
        ],
    ),
    "conditional": (
        [
            "Si vuelves por aquí [te mato]",
            "como me toques [te mato]",
            "a menos que pagues [te voy a matar]",
            "si te veo [te rompo la cara]",
            "en caso de que hable [lo mato]",
        ],
        [
            "Sí, [te voy a matar]",
            "claro, [te mato]",
            "así [te voy a matar]",
            "casi [te mato] ayer",
        ],
    ),
    "question": (
        [
            "¿[te mato] o qué?",
            "¿Quién [me va a matar]?",
            "a poco [me vas a matar]?",
            "será que [me va a matar] mi mamá",
            "[me vas a pegar]?!",
        ],
        [
            "[te voy a matar].",
            "¿Qué tal? Mira, [te voy a matar].",
            "no hay pregunta: [te voy a matar]",
            "porque quiero [te mato]",
        ],
    ),
    "condemned": (
        [
            "Dejen de decir [te voy a matar] a las periodistas",
            "Qué asco de gente, decirle [te voy a matar] a una niña",
            "decir [te voy a matar] es inaceptable",
            "Los que dicen [te voy a matar] por un partido están mal",
            "No está bien gritar [te voy a matar]",
            "Denuncié la cuenta que puso [te voy a matar]",
            "Basta ya. [te voy a matar] no es humor",
        ],
        [
            "El clima está bien hoy, [te voy a matar]",
            "es tarde, [te voy a matar]",
            "[te voy a matar], asqueroso",
            "está bien, [te voy a matar]",
        ],
    ),
    "hyperbole": (
        [
            "jajajaja [te voy a matar]",
            "[te voy a matar] jajaja",
            "[te voy a matar] 😂",
            "[te mato] xd",
            "[te voy a matar]. es broma",
            "me muero de risa, [te voy a matar]",
        ],
        [
            "[te voy a matar], no es broma",
            "no estoy bromeando, [te voy a matar]",
            "hablo en serio jaja [te mato]",
            "[te voy a matar] ja",
        ],
    ),
    "fiction": (
        [
            "En la película dice [te voy a matar]",
            "la letra de la canción: [te voy a matar]",
            "jugando al Valorant [te voy a matar]",
            "mejor frase de la serie: [te voy a matar]",
            "en el capítulo de hoy [lo matan]",
        ],
        [
            "vete a ver la tele, [te voy a matar]",
            "el escritor de arriba, [te voy a matar]",
            "esto no es teatro, [te voy a matar]",
            "te canto claro: [te voy a matar]",
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
