"""What a post says of elections and censuses is seen in six languages, and not in talk of something else."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.tables import Texts, fires, languages_missing, rows, too_few

FIRES: Texts = {
    "civic.election": [
        ("en", "the midterms are next week"),
        ("es", "mañana son las elecciones"),
        ("pt", "vem aí o segundo turno"),
        ("fr", "le second tour approche"),
        ("de", "am Sonntag ist Bundestagswahl"),
        ("ar", "موعد الانتخابات قريب"),
    ],
    "civic.vote": [
        ("en", "I voted, here is my sticker"),
        ("es", "ya fui a votar con mi papeleta"),
        ("pt", "eleitor, leve o documento"),
        ("fr", "allez voter dimanche"),
        ("de", "der Stimmzettel war einen Meter lang"),
        ("ar", "اذهبوا إلى التصويت"),
    ],
    "civic.polling-place": [
        ("en", "our polling place is the library"),
        ("es", "el colegio electoral abre a las 9"),
        ("pt", "minha seção eleitoral mudou"),
        ("fr", "le bureau de vote est à l'école"),
        ("de", "das Wahllokal ist in der Schule"),
        ("ar", "مراكز الاقتراع مفتوحة"),
    ],
    "civic.result": [
        ("en", "still waiting for the recount"),
        ("es", "empieza el escrutinio"),
        ("pt", "a apuração começou"),
        ("fr", "le dépouillement continue"),
        ("de", "die Auszählung dauert noch"),
        ("ar", "بدأ فرز الأصوات"),
    ],
    "civic.official": [
        ("en", "poll workers deserve a raise"),
        ("es", "me tocó ser presidente de mesa"),
        ("pt", "fui mesário de novo"),
        ("fr", "je suis assesseur dimanche"),
        ("de", "Wahlhelfer gesucht"),
        ("ar", "أعلنت لجنة الانتخابات القائمة"),
    ],
    "civic.method": [
        ("en", "my absentee ballot came today"),
        ("es", "pedí el voto por correo"),
        ("pt", "existe voto em trânsito?"),
        ("fr", "j'ai fait une procuration"),
        ("de", "Briefwahl ist beantragt"),
        ("ar", "بدأ تصويت المغتربين"),
    ],
    "civic.id": [
        ("en", "check your voter registration"),
        ("es", "consulta el padrón electoral"),
        ("pt", "perdi meu título de eleitor"),
        ("fr", "ma carte électorale est arrivée"),
        ("de", "die Wahlbenachrichtigung ist da"),
        ("ar", "استلمت بطاقة الناخب"),
    ],
}
QUIET: Texts = {
    "civic.election": [
        ("en", "she was elected to nothing"),
        ("de", "die Auswahl ist groß"),
        ("fr", "la sélection est belle"),
    ],
    "civic.vote": [("en", "a devoted friend"), ("es", "un gato devoto"), ("de", "der Motor stimmt")],
    "civic.polling-place": [("en", "he leads in the polls"), ("en", "cops at the precinct")],
    "civic.result": [("en", "I counted nine gardeners"), ("en", "a certified idiot")],
    "civic.official": [("en", "the former secretary of state spoke"), ("en", "a returning guest")],
    "civic.method": [("en", "the mail came in early"), ("de", "der Brief ist da")],
    "civic.id": [("en", "bring your photo album"), ("en", "register for the course")],
}


@pytest.mark.parametrize(("signal", "lang", "text"), rows(FIRES))
def test_fires(signal: str, lang: str, text: str) -> None:
    assert fires(signal, lang, text)


@pytest.mark.parametrize(("signal", "lang", "text"), rows(QUIET))
def test_is_quiet(signal: str, lang: str, text: str) -> None:
    assert not fires(signal, lang, text)


def test_every_signal_has_texts_in_every_language() -> None:
    assert too_few(FIRES, "civic", 6) == []
    assert too_few(QUIET, "civic", 2) == []
    assert languages_missing(FIRES) == []
