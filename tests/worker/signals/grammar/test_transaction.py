"""Trade in six languages: what fires each signal, and what only looks like trade."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.measuring import fired, names

FIRES: dict[str, list[tuple[str, str]]] = {
    "transaction.offer": [
        ("en", "Selling two of these, hmu if you need"),
        ("en", "fresh batch just landed, taking orders rn"),
        ("es", "Vendo o cambio, interesados al dm"),
        ("pt", "Vendo, pronta entrega, chama no zap"),
        ("fr", "Nouvel arrivage les gars, commandez maintenant"),
        ("de", "Hab noch was da, schreib mir bei Interesse"),
        ("ar", "متوفر الآن للبيع والكمية محدودة"),
    ],
    "transaction.request": [
        ("en", "anyone know where i can cop? need a plug asap"),
        ("en", "WTB, paying good money"),
        ("es", "alguien vende? pago bien"),
        ("pt", "alguém sabe onde eu consigo? pago bem"),
        ("fr", "qui vend sur Lyon ? je paie cash"),
        ("de", "wer verkauft noch? zahle gut"),
        ("ar", "مين عنده؟ حابب اشتري وادفع كاش"),
    ],
    "transaction.price": [
        ("en", "$40 each, 3 for $100"),
        ("en", "20 bucks a gram, prices in bio"),
        ("es", "a 500 pesos la pieza"),
        ("pt", "R$ 50 cada, preço bom"),
        ("fr", "80 balles, prix à débattre"),
        ("de", "10 € pro Stück, Festpreis"),
        ("ar", "السعر ٥٠ ريال فقط"),
        ("ar", "بسعر 200 جنيه"),
    ],
    "transaction.channel": [
        ("en", "DM me or hit me up on Telegram"),
        ("en", "link in bio 👀"),
        ("es", "mándame dm o al inbox"),
        ("pt", "chama no zap, link na bio"),
        ("fr", "viens en mp ou sur snap"),
        ("de", "schreib mir ne PN, auf Signal bin ich auch"),
        ("ar", "للتواصل على الخاص او واتساب"),
    ],
    "transaction.payment": [
        ("en", "CashApp or Zelle only, no refunds"),
        ("en", "btc accepted"),
        ("es", "pago por adelantado o transferencia"),
        ("pt", "aceito pix, metade antes"),
        ("fr", "paiement en PCS ou transcash"),
        ("de", "nur Vorkasse oder PayPal Freunde"),
        ("ar", "الدفع عند الاستلام او تحويل بنكي"),
    ],
    "transaction.delivery": [
        ("en", "we ship worldwide, tracking provided"),
        ("en", "local pickup or drop off"),
        ("es", "hago envíos a todo el país, entrega en mano"),
        ("pt", "entrego em mãos ou pelos correios"),
        ("fr", "livraison h24 ou remise en main propre"),
        ("de", "Versand möglich, sonst Abholung"),
        ("ar", "التوصيل لباب البيت مجاني"),
    ],
    "transaction.quantity": [
        ("en", "10 pills or half an ounce"),
        ("en", "28g bags, bulk orders welcome"),
        ("es", "tengo 5 gramos y por mayor también"),
        ("pt", "3 comprimidos ou no atacado"),
        ("fr", "une plaquette ou au détail"),
        ("de", "50 Stück, auch in großen Mengen"),
        ("ar", "شريط كامل أو نص كيلو"),
    ],
    "transaction.discretion": [
        ("en", "100% discreet, no questions asked"),
        ("en", "no prescription needed, stealth packaging"),
        ("es", "total discreción, sin preguntas y sin receta"),
        ("pt", "sigilo total, sem receita"),
        ("fr", "discrétion assurée, curieux s'abstenir"),
        ("de", "diskret verpackt, ohne Rezept"),
        ("ar", "السرية تامة وبدون وصفة"),
    ],
}

SILENT: dict[str, list[tuple[str, str]]] = {
    "transaction.offer": [
        ("en", "my comfort show is Selling Sunset, and Mariah is a best-selling artist"),
        ("en", "he was caught selling and got ten years"),
        ("es", "el vendaval se llevó el techo de mi tía"),
        ("pt", "que vendaval foi esse ontem à noite"),
        ("fr", "le vendeur était super aimable hier"),
        ("de", "der Verkäufer war total nett zu mir"),
        ("ar", "البائع في المحل كان محترم جدا"),
    ],
    "transaction.request": [
        ("en", "where are you, I can get there in five"),
        ("en", "looking for my other sock again"),
        ("es", "mi mamá compró pan y leche y se fue"),
        ("pt", "ela comprou pão e leite e foi embora"),
        ("fr", "il a acheté du pain ce matin"),
        ("de", "gestern Brot und Milch gekauft"),
        ("ar", "رحنا السوق أمس وكان زحمة"),
    ],
    "transaction.price": [
        ("en", "we were 40 people and 3 dogs in one bus"),
        ("en", "priceless moment with my niece"),
        ("es", "somos 500 en la marcha"),
        ("fr", "on était 80 dans le bus"),
        ("de", "wir waren zu zehnt im Bus"),
        ("ar", "كنا خمسين واحد في الباص"),
    ],
    "transaction.channel": [
        ("en", "the signal in this train is awful"),
        ("en", "my inbox zero dream died today"),
        ("es", "la escribana me atendió tarde"),
        ("pt", "que zapeada na tv ontem"),
        ("fr", "il écrit des poèmes le soir"),
        ("de", "sie schreibt abends Gedichte"),
        ("ar", "هو يكتب قصائد في المساء"),
    ],
    "transaction.payment": [
        ("en", "pay attention, that was a cash cow joke"),
        ("es", "me paga con sonrisas mi hija"),
        ("pt", "ela me paga com abraço"),
        ("fr", "elle me paie en câlins"),
        ("de", "das zahlt sich bald aus"),
        ("ar", "دفعت ثمن غلطتي غالي"),
    ],
    "transaction.delivery": [
        ("en", "I ship them so hard, best couple ever"),
        ("en", "he delivered an amazing speech"),
        ("es", "el enviado especial habló en la tele"),
        ("pt", "o enviado especial falou na tv"),
        ("fr", "un livre sur les chats et les rois"),
        ("de", "ein Buch über Katzen und Könige"),
        ("ar", "وصلت البيت متأخرة أمس"),
    ],
    "transaction.quantity": [
        ("en", "10 people and 3 cats live here"),
        ("en", "gramps turned 90 today"),
        ("es", "gramática y 20 ejercicios para hoy"),
        ("pt", "gramado verde, 22 homens e uma bola"),
        ("fr", "grammaire et 20 exercices ce soir"),
        ("de", "Grammatik und 20 Übungen für morgen"),
        ("ar", "عشرة اشخاص في السيارة"),
    ],
    "transaction.discretion": [
        ("en", "spoiler discretion is appreciated, folks say"),
        ("en", "I have so many questions about this show"),
        ("es", "seguro que llueve mañana"),
        ("pt", "certeza que chove amanhã"),
        ("fr", "la discussion était longue et sans fin"),
        ("de", "eine lange Diskussion ohne Ende"),
        ("ar", "الأسرار بين الأصدقاء جميلة"),
    ],
}


@pytest.mark.parametrize(("name", "lang", "text"), [(n, *row) for n, rows in FIRES.items() for row in rows])
def test_trade_is_recognised(name: str, lang: str, text: str) -> None:
    assert name in fired("transaction", text, lang)


@pytest.mark.parametrize(("name", "lang", "text"), [(n, *row) for n, rows in SILENT.items() for row in rows])
def test_a_look_alike_is_no_trade(name: str, lang: str, text: str) -> None:
    assert name not in fired("transaction", text, lang)


def test_every_signal_is_tried_in_six_languages() -> None:
    assert set(FIRES) == set(SILENT) == names("transaction")
    assert all(len(rows) >= 6 and len({lang for lang, _ in rows}) == 6 for rows in FIRES.values())
    assert all(len(rows) >= 4 for rows in SILENT.values())
