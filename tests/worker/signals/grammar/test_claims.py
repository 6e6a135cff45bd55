"""What a post claims about itself is seen, and not the same words said of something else."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.tables import Texts, fires, languages_missing, rows, too_few

FIRES: Texts = {
    "claim.identity": [
        ("en", "official acc"),
        ("en", "OFFICIAL account of the band"),
        ("en", "This is my new official account, please follow"),
        ("en", "Beware of fake accounts, this is my only account"),
        ("en", "hi i'm the real Elon Musk giving back"),
        ("es", "Esta es mi única cuenta oficial"),
        ("pt", "minha nova conta, a antiga foi hackeada"),
        ("fr", "Je suis le vrai, les autres comptes sont des faux"),
        ("de", "Das ist mein neuer Account, der alte ist weg"),
        ("ar", "هذا حسابي الرسمي والحسابات الأخرى مزيفة"),
    ],
    "claim.authority": [
        ("en", "Hi, Sarah from the Twitter support team here"),
        ("en", "This is Amazon customer service, your account is locked"),
        ("en", "This is an alert from PayPal, confirm your password"),
        ("en", "Contact the Chase fraud department now"),
        ("en", "writing on behalf of the school board"),
        ("en", "we are from Twitter support team"),
        ("es", "Le escribimos de su banco por un cargo"),
        ("pt", "aqui é do banco, confirme seus dados"),
        ("fr", "Votre banque vous informe d'un paiement suspect"),
        ("de", "Ihre Bank informiert: bitte bestätigen"),
        ("ar", "نحن من البنك ونطلب تحديث البيانات"),
    ],
    "claim.parody": [
        ("en", "Parody. Not affiliated with the mayor"),
        ("en", "satire account, don't sue"),
        ("es", "cuenta parodia, humor y sátira"),
        ("pt", "perfil de humor, fake assumido"),
        ("fr", "Compte parodique, aucun lien avec la mairie"),
        ("de", "Satire-Account, nicht der echte Minister"),
        ("ar", "حساب ساخر لا يمثل الوزارة"),
    ],
    "claim.fan": [
        ("en", "fan account for updates only"),
        ("en", "stan acc, run by fans"),
        ("es", "Cuenta fan de la banda"),
        ("pt", "fã-clube dedicado à cantora"),
        ("fr", "compte de fans, pas officiel"),
        ("de", "Fanseite, von Fans für Fans"),
        ("ar", "صفحة معجبي الفنان"),
    ],
    "claim.ai-made": [
        ("en", "this pic is AI btw"),
        ("en", "made w/ AI"),
        ("en", "I made this with Midjourney last night"),
        ("en", "that photo is AI generated lol"),
        ("en", "it's a deepfake, look at the hands"),
        ("es", "Imagen generada por IA"),
        ("pt", "isso é IA, olha os dedos"),
        ("fr", "Image générée par IA, regardez les mains"),
        ("de", "Das Bild ist KI-generiert"),
        ("ar", "الصورة بالذكاء الاصطناعي"),
    ],
    "claim.authentic": [
        ("en", "REAL VIDEO watch before they delete it"),
        ("en", "100% real, not edited"),
        ("en", "CCTV footage from the station"),
        ("en", "Here's proof they don't want you to see"),
        ("es", "Video real, no es montaje"),
        ("pt", "não é fake, tá aqui a prova"),
        ("fr", "Voici la preuve en images, ce n'est pas un montage"),
        ("fr", "pas un montage, c'est réel"),
        ("de", "Echte Aufnahmen, das ist kein Fake"),
        ("ar", "فيديو حقيقي بدون تعديل"),
    ],
    "claim.leak": [
        ("en", "link to the leaked vid in bio"),
        ("en", "her dms got leaked"),
        ("en", "full database dump in the thread"),
        ("en", "leaked internal memo shows the plan"),
        ("es", "se filtraron los documentos internos"),
        ("pt", "vazou o vídeo completo"),
        ("fr", "Les documents fuités montrent tout"),
        ("de", "Die geleakten Mails sind echt"),
        ("ar", "تم تسريب المكالمة"),
    ],
}

QUIET: Texts = {
    "claim.identity": [
        ("en", "the official start of summer"),
        ("en", "bank account statements"),
        ("en", "a real treat"),
        ("es", "la cuenta por favor"),
        ("de", "der echte Geschmack"),
    ],
    "claim.authority": [
        ("en", "thanks on behalf of everyone here"),
        ("en", "the team played well"),
        ("en", "i bank at the corner"),
        ("es", "en nombre propio"),
        ("fr", "au nom de l'amour"),
    ],
    "claim.parody": [
        ("en", "not really my thing"),
        ("en", "the party was great"),
        ("es", "la partida fue buena"),
        ("de", "das Parlament tagt"),
    ],
    "claim.fan": [
        ("en", "i am a fan of pizza"),
        ("en", "turn on the fan"),
        ("en", "updates for windows"),
        ("es", "fanfarria en la plaza"),
    ],
    "claim.ai-made": [
        ("en", "aim high"),
        ("en", "he made a table by hand"),
        ("en", "generated a lot of interest"),
        ("es", "hecho a mano"),
        ("fr", "il a fait le repas"),
    ],
    "claim.authentic": [
        ("en", "a real mess"),
        ("en", "proofread your essay"),
        ("en", "get real"),
        ("es", "un caso real"),
    ],
    "claim.leak": [
        ("en", "the roof is leaky"),
        ("en", "bleak weather"),
        ("en", "dump the trash"),
        ("es", "un filtro de café"),
        ("fr", "une fuite d'eau"),
    ],
}


def test_every_signal_is_shown_in_every_language() -> None:
    assert too_few(FIRES, "claim", 6) == []
    assert too_few(QUIET, "claim", 4) == []
    assert languages_missing(FIRES) == []


@pytest.mark.parametrize(("signal", "lang", "text"), rows(FIRES))
def test_it_fires(signal: str, lang: str, text: str) -> None:
    assert fires(signal, lang, text)


@pytest.mark.parametrize(("signal", "lang", "text"), rows(QUIET))
def test_it_stays_quiet(signal: str, lang: str, text: str) -> None:
    assert not fires(signal, lang, text)
