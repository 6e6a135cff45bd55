"""Announcements, wishes, orders, calls and duties are told apart from what looks like them."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.tables import Texts, fires, languages_missing, rows, too_few

FIRES: Texts = {
    "mode.intent": [
        ("ar", "والله لأوريك"),
        ("fr", "j'te retrouverai"),
        ("pt", "tô indo aí"),
        ("es", "mañana mismo te denuncio"),
        ("en", "gon get em tonight"),
        ("en", "imma pull up"),
        ("en", "I'm gonna find out who did this"),
        ("en", "imma tell everyone tomorrow"),
        ("en", "We're coming for the title"),
        ("en", "ill get you back for that"),
        ("en", "bout to make some pasta"),
        ("es", "Te voy a buscar a tu casa"),
        ("es", "mañana voy y le digo todo"),
        ("pt", "vou te mandar a foto depois"),
        ("fr", "jvais lui dire ses quatre vérités"),
        ("fr", "Je finirai ce livre ce soir"),
        ("de", "Ich werd das nie vergessen"),
        ("ar", "سوف أعود غدا"),
        ("ar", "سأكتب لك لاحقا"),
        ("ar", "راح اكلمه اليوم"),
    ],
    "mode.wish": [
        ("ar", "الله لا يوفقك"),
        ("fr", "j'espère que tu vas souffrir"),
        ("de", "Ich wünsch dir alles Schlechte"),
        ("pt", "vai morrer sozinho tomara"),
        ("es", "que te atropelle un tren"),
        ("en", "hope u step on lego"),
        ("en", "Hope you get better soon"),
        ("en", "May he rest in peace"),
        ("en", "ugh i wish it was friday"),
        ("en", "RIP king. may god bless your family"),
        ("es", "Ojalá llueva mañana"),
        ("es", "que te vaya bonito"),
        ("pt", "tomara que dê tudo certo"),
        ("fr", "Vivement que ça finisse"),
        ("de", "Hoffentlich bleibt das Wetter so"),
        ("ar", "يا ريت نرجع زي زمان"),
        ("ar", "الله يرحمه ويغفر له"),
    ],
    "mode.order": [
        ("de", "geh zurück in dein Land"),
        ("es", "ándate a tu país"),
        ("en", "delete your account"),
        ("en", "go back where you came from"),
        ("en", "Shut up and sit down"),
        ("en", "@user delete this"),
        ("en", "please send me the link"),
        ("en", "Don't trust anyone there"),
        ("en", "Give it back!"),
        ("es", "Cállate ya, pesado"),
        ("es", "deja el móvil un rato"),
        ("pt", "cala a boca e escuta"),
        ("fr", "Ferme ta gueule"),
        ("fr", "va le chercher"),
        ("de", "Halt die Klappe endlich"),
        ("de", "mach das Fenster zu"),
        ("ar", "اسكت يا أخي"),
        ("ar", "لا تنسوا الاشتراك"),
    ],
    "mode.call": [
        ("pt", "alguém dá um jeito nele"),
        ("en", "who else is going to report him"),
        ("en", "yall need to pull up on him"),
        ("en", "Let's go to the lake"),
        ("en", "someone needs to do something about this"),
        ("en", "can somebody check on him"),
        ("en", "lets burn these calories"),
        ("es", "alguien debería pararlos"),
        ("pt", "bora todo mundo pra rua"),
        ("fr", "il faut que quelqu'un intervienne"),
        ("de", "Lasst uns gemeinsam anpacken"),
        ("ar", "هيا بنا إلى الملعب"),
        ("ar", "لازم كلنا نشارك"),
    ],
    "mode.obligation": [
        ("en", "he shud be fired"),
        ("en", "He has to apologise"),
        ("en", "u gotta see this show"),
        ("en", "you shouldve called"),
        ("en", "they deserve better"),
        ("es", "Deberían bajar los precios"),
        ("pt", "tem que ter paciência"),
        ("fr", "Faut pas exagérer"),
        ("de", "Man sollte mehr schlafen"),
        ("ar", "لازم تنام بدري"),
    ],
}

QUIET: Texts = {
    "mode.intent": [
        ("en", "I feel ill today"),
        ("en", "His will was read in court"),
        ("en", "the iron will of a champion"),
        ("de", "Er ist gestern angekommen"),
        ("es", "Vino la lluvia"),
        ("ar", "سأل المعلم التلاميذ"),
    ],
    "mode.wish": [
        ("en", "The month of May was warm"),
        ("en", "you may leave now"),
        ("en", "In May he moved to Leeds"),
        ("en", "May I come in?"),
        ("en", "a hopeless case"),
        ("de", "Das Brot ist teuer"),
    ],
    "mode.order": [
        ("en", "The stopover was long"),
        ("en", "Going home was lovely"),
        ("en", "a getaway car"),
        ("es", "La puerta está cerrada"),
        ("de", "Das Haus steht am Fluss"),
    ],
    "mode.call": [
        ("en", "She lets him go"),
        ("en", "the outlets are closed"),
        ("en", "a tall order"),
        ("fr", "La pluie tombe"),
        ("es", "El tren sale tarde"),
    ],
    "mode.obligation": [
        ("en", "A mustard sandwich"),
        ("en", "the shoulder hurts"),
        ("en", "devout and quiet"),
        ("es", "El cielo es azul"),
        ("de", "Der Musikant spielt"),
    ],
}


def test_every_signal_is_shown_in_every_language() -> None:
    assert too_few(FIRES, "mode", 6) == []
    assert too_few(QUIET, "mode", 4) == []
    assert languages_missing(FIRES) == []


@pytest.mark.parametrize(("signal", "lang", "text"), rows(FIRES))
def test_it_fires(signal: str, lang: str, text: str) -> None:
    assert fires(signal, lang, text)


@pytest.mark.parametrize(("signal", "lang", "text"), rows(QUIET))
def test_it_stays_quiet(signal: str, lang: str, text: str) -> None:
    assert not fires(signal, lang, text)
