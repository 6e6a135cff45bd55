"""A plain threat raises no flag in any language, whatever harmless words stand around it."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import flags

PLAIN: dict[str, list[str]] = {
    "es": [
        "[te voy a matar] hijo de puta",
        "mañana a las 8 [te rompo las piernas], ya sé dónde vives",
        "vamos a [quemar tu casa] con todos adentro",
        "no te escondas, [te voy a encontrar]",
        "te juro por mi madre que [te mato]",
        "tu familia la va a pagar, [los voy a matar] a todos",
        "ya no aguanto, [lo voy a matar] hoy mismo",
        "no sabes con quién te metiste, [te voy a matar]",
        "nadie te va a ayudar. [te voy a matar]",
        "maldita vieja, [te voy a cortar la lengua]",
    ],
    "pt": [
        "[vou te matar] seu filho da puta",
        "amanhã às 8 [quebro suas pernas], sei onde você mora",
        "a gente vai [queimar sua casa] com todo mundo dentro",
        "não adianta se esconder, [vou te achar]",
        "juro por Deus que [te mato]",
        "sua família vai pagar, [vou matar] todos",
        "não aguento mais esperar, [vou te pegar]",
        "você não sabe com quem mexeu, [vou te matar]",
        "ninguém vai te ajudar. [vou te matar]",
        "velha maldita, [vou cortar sua língua]",
    ],
    "fr": [
        "[je vais te tuer] fils de pute",
        "demain à 8h [je te casse les jambes], je sais où tu habites",
        "on va [brûler ta maison] avec tout le monde dedans",
        "tu peux courir, [je vais te trouver]",
        "je te jure sur ma mère [je vais te buter]",
        "ta famille va payer, [je vais tous les tuer]",
        "je peux plus attendre, [je vais te planter]",
        "tu sais pas à qui tu parles, [je vais te tuer]",
        "sale chien, [je vais te couper la langue]",
        "prépare-toi, [je vais te tuer] ce soir",
    ],
    "de": [
        "[ich bring dich um] du Hurensohn",
        "morgen um 8 [brech ich dir die Beine], ich weiß wo du wohnst",
        "wir werden [dein Haus anzünden], mit allen drin",
        "du kannst dich verstecken, [ich finde dich]",
        "ich schwöre dir, [ich stech dich ab]",
        "deine Familie wird bezahlen, [ich bring alle um]",
        "kann es kaum erwarten, [dich abzustechen]",
        "du weißt gar nicht mit wem du redest. [ich bring dich um]",
        "elender Hund, [ich schneid dir die Zunge raus]",
        "mach dich bereit, [ich bring dich um] heute Abend",
    ],
    "ar": [
        "[سأقتلك] يا ابن الكلب",
        "بكرا الساعة ثمانية [أكسر رجولك] وأعرف بيتك",
        "راح [نحرق بيتك] باللي فيه",
        "والله العظيم [لأقتلك]",
        "أهلك راح يدفعون الثمن، [بقتلكم] كلكم",
        "استعد، الليلة [هقتلك]",
        "أعرف مدرستك زين، [بذبحك]",
        "يا حقير [بقطع لسانك]",
    ],
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, texts in PLAIN.items() for text in texts])
def test_a_plain_threat_raises_no_flag(lang: str, text: str) -> None:
    assert flags(text, lang) == set()
