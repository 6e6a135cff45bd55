"""What the Portuguese words around a hit say about its use. Square brackets mark the hit."""

from __future__ import annotations

import pytest

from tests.worker.signals.discourses import Texts, flags, not_raising, raising
from worker.signals.discourse import LANGUAGES

LANG = "pt"
TEXTS: Texts = {
    "negated": (
        [
            "Eu nunca [ia te bater]",
            "não [vou te matar], calma",
            "Ninguém [vai te machucar] aqui",
            "jamais [bateria em mulher]",
            "Parem de [ameaçar os outros]",
            "n [vou te bater] n relaxa",
        ],
        [
            "Não é brincadeira, [vou te matar]",
            "Não, [vou te matar]",
            "se você não pagar [vou te matar]",
            "não tenho medo de nada, [vou te matar]",
            "ninguém vai me parar, [vou te matar]",
            "sem dó, [vou te matar]",
        ],
    ),
    "quoted": (
        [
            "“[vou te matar]” estava escrito no muro",
            'Ele mandou "[vou te matar]" no zap',
            "«[vou matar-te]» era o recado",
            "RT @ze: [vou te matar]",
            "> [vou te matar]\nolha o nível",
        ],
        [
            'ele é "legal" mas [vou te matar]',
            '"oi" [vou te matar] "tchau"',
            "d'água e tudo, [vou te matar]",
            "fala @ze [vou te matar]",
        ],
    ),
    "attributed": (
        [
            "Meu ex disse que [ia me matar]",
            "Segundo ela, [vão matar todo mundo]",
            "recebi uma mensagem: [vou te matar]",
            "O vizinho gritou que [ia matar o cachorro]",
            "[vou te matar], ele falou",
            "ela ameaçou me [matar]",
        ],
        [
            "Eu já disse, [vou te matar]",
            "juro que [vou te matar]",
            "Ele falou que sou feio e agora [vou te matar]",
            "tô te avisando: [vou te matar]",
        ],
    ),
    "reported": (
        [
            "A polícia prendeu o homem que escreveu [vou te matar]",
            "Preso em flagrante após [ameaçar matar] a vizinha",
            "Suspeito de [ameaçar matar] a esposa se entrega",
            "Condenado a 5 anos por [ameaças] à juíza",
            "URGENTE: homem [ameaça matar] a família",
        ],
        [
            "a polícia não vai te salvar, [vou te matar]",
            "pode chamar a polícia, [vou te matar]",
            "hoje [vou te matar] na pelada",
            "nem Deus nem a PM, [vou te matar]",
        ],
    ),
    "conditional": (
        [
            "Se você voltar aqui [eu te mato]",
            "se eu te pegar [te mato]",
            "a menos que pague [vou te matar]",
            "caso ele apareça [eu mato]",
            "se encostar na minha filha [eu te mato]",
        ],
        [
            "Sim, [vou te matar]",
            "quase [te mato] ontem",
            "assim [eu te mato]",
            "desse jeito [vou te matar]",
        ],
    ),
    "question": (
        [
            "quem [vai me matar]?",
            "você [vai me bater]?",
            "será que minha mãe [vai me matar]",
            "[vai me matar] é?!",
            "por que [querem me matar]?",
        ],
        [
            "[vou te matar].",
            "Tudo bem? Olha, [vou te matar].",
            "porque eu quero [te matar]",
            "que pergunta, [vou te matar]",
        ],
    ),
    "condemned": (
        [
            "Parem de falar [vou te matar] pra jornalista",
            "Que nojo, mandar [vou te matar] pra uma criança",
            "falar [vou te matar] é inaceitável",
            "Quem fala [vou te matar] por causa de jogo é doente",
            "Não é normal gritar [vou te matar]",
            "Denunciei o perfil que postou [vou te matar]",
            "Chega de violência. [vou te matar] não é opinião",
        ],
        [
            "o tempo está ok, [vou te matar]",
            "tá bom, [vou te matar]",
            "é tarde, [vou te matar]",
            "[vou te matar], nojento",
        ],
    ),
    "hyperbole": (
        [
            "kkkkkkk [vou te matar]",
            "[vou te matar] rsrs",
            "[vou te matar] 😂",
            "[te mato] hahaha",
            "[vou te matar]. brincadeira",
            "morri de rir, [vou te matar]",
        ],
        [
            "[vou te matar], não é brincadeira",
            "não tô brincando, [vou te matar]",
            "falo sério, [vou te matar] kkk",
            "[vou te matar] k",
        ],
    ),
    "fiction": (
        [
            "No filme ele fala [vou te matar]",
            "letra da música: [vou te matar]",
            "jogando Free Fire [vou te matar]",
            "melhor cena da série: [vou te matar]",
            "na novela de hoje [matam o vilão]",
        ],
        [
            "vai ver se tô na esquina, [vou te matar]",
            "isso não é teatro, [vou te matar]",
            "no serviço [vou te matar]",
            "o autor do post, [vou te matar]",
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
