"""The writer, the one addressed, others, groups, relatives and offices are told apart."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.tables import Texts, fires, languages_missing, rows, too_few

FIRES: Texts = {
    "who.author": [
        ("en", "honestly i have no clue what happened today"),
        ("en", "Imma be late again smh"),
        ("en", "they came to my house at 3"),
        ("en", "nobody asked us but give us the truth"),
        ("es", "Yo no dije eso, me lo contó mi hermana"),
        ("pt", "a gente vai pra praia no domingo"),
        ("fr", "jsuis trop fatigué pour sortir"),
        ("de", "Hab ich doch gestern schon gesagt, mir egal"),
        ("ar", "أنا ما قلت كذا أبدا"),
    ],
    "who.addressee": [
        ("de", "Sie sind doch krank, Herr Müller"),
        ("pt", "ce ta louco"),
        ("en", "@user u a clown"),
        ("en", "ur mom lol"),
        ("en", "u really thought that was funny??"),
        ("en", "Y'all need to calm down"),
        ("en", "is that yo mama calling"),
        ("en", "what are u doing"),
        ("es", "Oye, contigo quiero hablar"),
        ("es", "¿vos querés venir al asado?"),
        ("pt", "vc é muito chato mano"),
        ("fr", "T'es où là ? on t'attend"),
        ("de", "warum seid ihr alle so gemein? ihr seid doch keine kinder"),
        ("de", "Können Sie mir bitte helfen"),
        ("ar", "أنت تعرف كل شيء"),
        ("ar", "يا محمد وينك"),
    ],
    "who.third": [
        ("en", "somebody stole the bike again"),
        ("en", "she never answers the phone"),
        ("en", "that dude in the red hoodie"),
        ("es", "Nadie me avisó de la reunión"),
        ("pt", "ninguém viu ele sair de casa"),
        ("fr", "Quelqu'un a cassé la vitre"),
        ("de", "irgendjemand hat mein Rad geklaut"),
        ("ar", "محدش شاف حاجة"),
    ],
    "who.group": [
        ("en", "that type of people"),
        ("en", "they're all the same"),
        ("en", "those people never change"),
        ("en", "ppl like you are the problem"),
        ("en", "all of them need to leave the room"),
        ("es", "Esa gentuza otra vez en el parque"),
        ("pt", "esse tipo de gente nem devia entrar"),
        ("fr", "Ces gens-là ne respectent rien"),
        ("de", "Solche Leute brauchen wir hier nicht"),
        ("ar", "هؤلاء الناس لا يفهمون"),
    ],
    "who.kin": [
        ("en", "my lil bro scored twice"),
        ("en", "his wife called the police"),
        ("en", "Grandma made soup for the whole family"),
        ("es", "mi vieja se enojó otra vez"),
        ("pt", "minha mãe fez bolo de fubá"),
        ("fr", "ma daronne va me tuer si je rentre tard"),
        ("de", "Meine Oma ist 94 geworden"),
        ("ar", "أختي نجحت في الامتحان"),
    ],
    "who.role": [
        ("en", "the judge refused to answer the journalists"),
        ("en", "our landlord turned off the heating"),
        ("en", "Some poll workers were harassed"),
        ("es", "La alcaldesa no quiso responder"),
        ("pt", "o deputado sumiu da votação"),
        ("fr", "la prof de maths est absente"),
        ("de", "Die Bürgermeisterin spricht heute Abend"),
        ("ar", "الوزير رفض التعليق"),
        ("ar", "شفت المعلمة اليوم"),
    ],
}

QUIET: Texts = {
    "who.author": [
        ("en", "the i-95 was closed"),
        ("en", "the US Open starts Monday"),
        ("en", "Mining towns are fading"),
        ("es", "La casa es grande"),
        ("fr", "Il fait beau à Paris"),
    ],
    "who.addressee": [
        ("en", "The U.S. economy grew again"),
        ("en", "a tour of the yard"),
        ("de", "Er kauft ein Haus"),
        ("es", "El perro duerme"),
        ("fr", "La maison est grande"),
    ],
    "who.third": [
        ("en", "Lemons and hemlock"),
        ("en", "theory and chess"),
        ("es", "El perro ladra"),
        ("de", "Du und ich"),
    ],
    "who.group": [
        ("en", "people are strange"),
        ("en", "a like would be nice"),
        ("es", "la gente baila en la plaza"),
        ("de", "viele Leute tanzen"),
        ("fr", "les gens dansent"),
    ],
    "who.kin": [
        ("en", "The moment has come"),
        ("en", "personal persons"),
        ("es", "Son las tres de la tarde"),
        ("en", "Wellington sisterhood"),
        ("fr", "le soleil brille"),
    ],
    "who.role": [
        ("en", "judgement day is a movie"),
        ("en", "doctoring the numbers"),
        ("en", "a kingdom of salt"),
        ("es", "la fiscalización sigue"),
        ("de", "das Buch ist alt"),
    ],
}


def test_every_signal_is_shown_in_every_language() -> None:
    assert too_few(FIRES, "who", 6) == []
    assert too_few(QUIET, "who", 4) == []
    assert languages_missing(FIRES) == []


@pytest.mark.parametrize(("signal", "lang", "text"), rows(FIRES))
def test_it_fires(signal: str, lang: str, text: str) -> None:
    assert fires(signal, lang, text)


@pytest.mark.parametrize(("signal", "lang", "text"), rows(QUIET))
def test_it_stays_quiet(signal: str, lang: str, text: str) -> None:
    assert not fires(signal, lang, text)
