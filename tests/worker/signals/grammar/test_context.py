"""What a post is about, in six languages: what fires each signal, and its hard look-alikes."""

from __future__ import annotations

import pytest

from tests.worker.signals.grammar.measuring import fired, names

LANGUAGES = ("en", "es", "pt", "fr", "de", "ar")

# One text for each language, in the order of LANGUAGES.
FIRES: dict[str, tuple[str, str, str, str, str, str]] = {
    "context.news": (
        "BREAKING: police seized 2 kg at the port, officials said",
        "Última hora: incautan 2 kilos en el puerto",
        "Polícia apreende 2 kg no porto, veja a reportagem",
        "Saisie record au port selon les autorités",
        "Razzia im Hafen, laut Polizei wurde ein Mann festgenommen",
        "عاجل: القبض على شخصين في الميناء",
    ),
    "context.law": (
        "he was sentenced to ten years, the judge was harsh",
        "el juez lo condenó, es un delito grave",
        "foi condenado pelo juiz, é crime",
        "le tribunal l'a condamné hier",
        "das Gericht hat ihn verurteilt, ist strafbar",
        "المحكمة حكمت عليه بالسجن والقانون واضح",
    ),
    "context.fiction": (
        "that scene in episode 4 when the villain pulls it out",
        "la escena del capítulo 4 con el villano",
        "a cena do episódio 4 com o vilão",
        "la scène de l'épisode 4 avec le méchant",
        "die Szene in Folge 4 mit dem Bösewicht",
        "مشهد الحلقة الرابعة مع الشرير",
    ),
    "context.game": (
        "headshot from across the map in Warzone",
        "me mataron en la partida de Free Fire",
        "morri na partida de Free Fire",
        "je suis mort en ranked sur Valorant",
        "beim Zocken in Fortnite gestorben",
        "متت في ببجي واللوبي كله ضحك",
    ),
    "context.sport": (
        "they got destroyed in the second half, what a goal",
        "los mataron en el partido, qué golazo del delantero",
        "foi um massacre, o time perdeu de 5, cadê o goleiro",
        "ils se sont fait tuer, l'arbitre était nul",
        "die Mannschaft wurde vernichtet, was für ein Tor",
        "ذبحناهم في المباراة والحكم ظالم",
    ),
    "context.music": (
        "these lyrics hit different, on repeat all day",
        "qué letra tiene ese corrido, en bucle en spotify",
        "a letra da música é pesada, funk proibidão",
        "les paroles du rap de Booba",
        "der Songtext von dem Lied ist hart",
        "كلمات الأغنية قوية، الراب غير",
    ),
    "context.education": (
        "my students have an exam on this next week",
        "mis alumnos tienen examen de esto",
        "meus alunos têm prova sobre isso na faculdade",
        "mes élèves ont un exposé dessus",
        "meine Schüler schreiben darüber eine Klausur",
        "شرح الدرس لطلابي قبل الاختبار",
    ),
    "context.research": (
        "a new peer-reviewed study with 2000 participants",
        "un estudio de investigadores publicado en Nature",
        "pesquisadores publicaram um estudo com dados de 2000 pessoas",
        "une étude de chercheurs du CNRS",
        "eine Studie von Forschern der Uni",
        "دراسة حديثة لباحثين نشرت في مجلة علمية",
    ),
    "context.medicine": (
        "my doctor prescribed it after surgery",
        "me lo recetó el médico después de la cirugía",
        "o médico me receitou depois da cirurgia",
        "mon médecin me l'a prescrit après l'opération",
        "hat mir mein Arzt nach der OP verschrieben",
        "الطبيب كتب لي وصفة بعد العملية وخذت الدواء من الصيدلية",
    ),
    "context.history": (
        "on this day in 1944, the massacre of a whole village in WW2",
        "aniversario de la masacre durante la dictadura",
        "nunca mais: memória dos desaparecidos na ditadura",
        "devoir de mémoire, la Shoah et la déportation",
        "Stolpersteine putzen, nie wieder Auschwitz",
        "في ذكرى النكبة قرأت عن تاريخ القرية",
    ),
    "context.help": (
        "if you're struggling please reach out, call 988",
        "no estás sola, llama a la línea de la vida",
        "você não está sozinho, ligue 188",
        "tu n'es pas seule, appelle le 3114",
        "du bist nicht allein, Telefonseelsorge ist 24h da",
        "لست وحدك، اطلب المساعدة من خط المساندة والدعم النفسي",
    ),
    "context.survivor": (
        "I was groomed at that age, my abuser is free",
        "mi agresor sigue libre, yo sobreviví",
        "fui abusada e sobrevivi, meu agressor tá solto",
        "j'ai été victime, mon agresseur est libre",
        "ich wurde bedroht, mein Peiniger ist frei",
        "تعرضت للتحرش وأنا ناجية",
    ),
    "context.protection": (
        "scam alert! report and block, never share your pin",
        "alerta de estafa, no compartas tus datos, denuncia en la app",
        "cuidado com esse golpe, denuncie e não clique",
        "attention arnaque, signalez ce compte",
        "Vorsicht Betrug, bitte melden und nicht anklicken",
        "احذروا هذا نصب، بلغوا عن الحساب",
    ),
    "context.satire": (
        "satire, people. this is parody",
        "es broma, sátira pura de El Mundo Today",
        "contém ironia, é zoeira gente",
        "c'est du second degré, le Gorafi quoi",
        "Satire vom Postillon, nur Spaß",
        "حساب ساخر ومجرد مزحة",
    ),
    "context.reclaim": (
        "as a gay man I get to say it",
        "como lesbiana me apropio, bollera y orgullosa",
        "sou sapatão e com orgulho de ser",
        "je suis lesbienne, on se réapproprie le mot",
        "ich bin schwul und darf das sagen",
        "أنا كردي وفخور بكوني كذا",
    ),
    "context.official": (
        "official statement from the city of Springfield",
        "comunicado oficial del ayuntamiento",
        "nota oficial da prefeitura",
        "communiqué de la préfecture",
        "amtliche Bekanntmachung des Rathauses: wir informieren",
        "بيان رسمي من وزارة الصحة",
    ),
    "context.food": (
        "best brownies recipe, so much chocolate",
        "receta de galletas con harina y azúcar",
        "bolo de chocolate no forno, delícia",
        "recette de gâteau au chocolat, miam",
        "Kuchen gebacken, so lecker",
        "طبخت كبسة دجاج مع بهارات",
    ),
    "context.pets": (
        "the vet says my puppy is fine",
        "mi perrito está en el veterinario",
        "meu cachorro foi no veterinário",
        "mon chaton est chez le véto",
        "mein Hund war beim Tierarzt",
        "قطتي عند الدكتور البيطري",
    ),
    "context.review": (
        "honest review: bought this last week, 8/10, would recommend",
        "mi reseña: lo compré, vale la pena",
        "resenha: comprei e super recomendo",
        "mon avis : j'ai testé, je recommande",
        "meine Bewertung: getestet, sehr zu empfehlen",
        "تجربتي مع المنتج: جودة ممتازة وأنصح به",
    ),
    "context.advice": (
        "what should i do? is it legal? please help",
        "qué hago? a quién le aviso? necesito consejo",
        "o que eu faço? alguém pode me ajudar?",
        "je fais quoi ? quelqu'un peut m'aider ?",
        "was soll ich tun? kann mir jemand helfen?",
        "وش الحل؟ محتاج نصيحة، مش عارف اعمل ايه",
    ),
    "context.commerce-legal": (
        "licensed dealer, FFL transfer, background check required",
        "distribuidor autorizado, con factura y garantía",
        "revendedor autorizado, com nota fiscal",
        "armurerie, revendeur agréé, facture fournie",
        "Fachhändler, nur mit WBK, Rechnung inkl. MwSt",
        "وكيل معتمد، ضمان سنتين وفاتورة ضريبية",
    ),
}

SILENT: dict[str, list[tuple[str, str]]] = {
    "context.news": [
        ("en", "my heart is breaking, selling 2 kg tonight"),
        ("es", "te cuento todo por privado"),
        ("fr", "je te raconte tout ce soir"),
        ("de", "erzähl ich dir später alles"),
    ],
    "context.law": [
        ("en", "selling in the outlaw gang, hit me up"),
        ("es", "vendo barato hoy mismo"),
        ("pt", "vendo barato hoje mesmo"),
        ("ar", "عندي بضاعة حلوة اليوم"),
    ],
    "context.fiction": [
        ("en", "I will find you tonight and you know it"),
        ("es", "te voy a encontrar esta noche"),
        ("de", "ich finde dich heute nacht"),
        ("ar", "راح ألاقيك الليلة"),
    ],
    "context.game": [
        ("en", "I know where you live, bring it on"),
        ("es", "sé dónde vives, ven si puedes"),
        ("pt", "sei onde você mora, vem se puder"),
        ("de", "ich weiß wo du wohnst"),
    ],
    "context.sport": [
        ("en", "going to hurt you bad at school tomorrow"),
        ("es", "mañana te agarro en la escuela"),
        ("fr", "demain je t'attrape à l'école"),
        ("de", "morgen erwisch ich dich in der Schule"),
    ],
    "context.music": [
        ("en", "I will hang you from that tree"),
        ("es", "te cuelgo de ese árbol"),
        ("fr", "je te pends à cet arbre"),
        ("ar", "بعلقك على الشجرة"),
    ],
    "context.education": [
        ("en", "I'll get you after work, you clown"),
        ("es", "te espero a la salida del trabajo"),
        ("pt", "te espero na saída do trampo"),
        ("de", "ich warte nach der Arbeit auf dich"),
    ],
    "context.research": [
        ("en", "got those pills, pure and cheap"),
        ("es", "tengo pastillas puras y baratas"),
        ("fr", "j'ai des cachets purs et pas chers"),
        ("ar", "عندي حبوب أصلية ورخيصة"),
    ],
    "context.medicine": [
        ("en", "got percs and xans, hit my line"),
        ("es", "hay de la buena, al privado"),
        ("fr", "j'ai de la frappe, viens mp"),
        ("de", "hab gutes Zeug da, meld dich"),
    ],
    "context.history": [
        ("en", "we will hunt them down one by one"),
        ("es", "los vamos a cazar uno por uno"),
        ("pt", "vamos caçar um por um"),
        ("de", "wir jagen sie einen nach dem anderen"),
    ],
    "context.help": [
        ("en", "just do it already, nobody would miss you"),
        ("es", "hazlo ya, nadie te va a extrañar"),
        ("fr", "fais-le, tu manqueras à personne"),
        ("de", "mach's doch, keiner wird dich vermissen"),
    ],
    "context.survivor": [
        ("en", "I will make you suffer, just wait"),
        ("es", "te voy a hacer sufrir"),
        ("pt", "vou te fazer sofrer"),
        ("ar", "بخليك تتعذب"),
    ],
    "context.protection": [
        ("en", "easy money, dm me for the method"),
        ("es", "dinero fácil, te explico por dm"),
        ("pt", "dinheiro fácil, te passo o método"),
        ("fr", "argent facile, je t'explique en dm"),
    ],
    "context.satire": [
        ("en", "this is a fact and they hide it"),
        ("es", "esto es real y lo esconden"),
        ("fr", "c'est la vérité et ils la cachent"),
        ("de", "das ist die Wahrheit und sie verstecken sie"),
    ],
    "context.reclaim": [
        ("en", "he acts as if he were gay, gross"),
        ("en", "get out of my country"),
        ("es", "váyanse de mi país"),
        ("de", "raus aus meinem Land"),
    ],
    "context.official": [
        ("en", "trust me bro, my cousin counted them himself"),
        ("es", "créeme, mi primo los contó"),
        ("pt", "confia, meu primo que contou"),
        ("ar", "صدقني ابن عمي عدهم بنفسه"),
    ],
    "context.food": [
        ("en", "got that gas, pull up"),
        ("es", "hay gas, caigan"),
        ("fr", "j'ai du lourd, passez"),
        ("de", "hab was Starkes, komm vorbei"),
    ],
    "context.pets": [
        ("en", "you all should be put down"),
        ("es", "a todos los deberían dormir"),
        ("pt", "vocês todos deviam sumir"),
        ("fr", "on devrait tous vous piquer"),
    ],
    "context.review": [
        ("en", "I got them in stock, tap in"),
        ("es", "tengo en stock, escribe"),
        ("pt", "tenho aqui, chama"),
        ("de", "hab welche da, schreib"),
    ],
    "context.advice": [
        ("en", "hit me up, best prices in town"),
        ("es", "escríbeme, los mejores precios"),
        ("fr", "viens dm, meilleurs prix"),
        ("ar", "كلمني، عندي أحسن شي"),
    ],
    "context.commerce-legal": [
        ("en", "no id, no papers, just cash"),
        ("es", "sin papeles, puro efectivo"),
        ("pt", "sem papel nenhum, só dinheiro"),
        ("de", "ohne Papiere, nur bar"),
    ],
}


@pytest.mark.parametrize(
    ("name", "lang", "text"),
    [(name, *row) for name, texts in FIRES.items() for row in zip(LANGUAGES, texts, strict=True)],
)
def test_a_context_is_recognised(name: str, lang: str, text: str) -> None:
    assert name in fired("context", text, lang)


@pytest.mark.parametrize(("name", "lang", "text"), [(n, *row) for n, rows in SILENT.items() for row in rows])
def test_a_look_alike_is_no_such_context(name: str, lang: str, text: str) -> None:
    assert name not in fired("context", text, lang)


def test_every_signal_is_tried() -> None:
    assert set(FIRES) == set(SILENT) == names("context")
    assert all(len(rows) >= 4 for rows in SILENT.values())
