"""Texts are known again whatever names, links, numbers and signs are put into them, and others are not."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import combinations

import pytest

from worker.signals.canonical import canonicalise
from worker.signals.measured import MeasuredSignals
from worker.signals.sameness import LONGEST, TextPrint, alike, print_texts

SPAM = (
    "Finally found a trader who keeps every promise, my account doubled within days. "
    "Write to her directly and ask for the starter package before the list closes"
)


def measured(*texts: str) -> list[MeasuredSignals]:
    signals = [MeasuredSignals("en", {"text": canonicalise(text)}) for text in texts]
    print_texts(signals)
    return signals


def print_of(text: str) -> TextPrint:
    known = measured(text)[0].text_print
    assert known is not None
    return known


DISGUISED = {
    "case": SPAM.upper(),
    "mention": f"@ann_22 {SPAM}",
    "many mentions": f"@ann @bob @cleo_x {SPAM} @dora",
    "link": f"{SPAM} https://ex.example/a?b=1&c=d-e",
    "bare link": f"{SPAM} bit.ly/3xYz",
    "bare domain": f"{SPAM} quick-profit.example",
    "numbers": SPAM.replace("Finally", "1) Finally").replace("days", "14 days") + " 99821",
    "serial": f"{SPAM} x7f29a",
    "emoji": SPAM.replace(", ", " 🚀🚀 ") + " 💰",
    "hashtag": SPAM.replace("trader", "#trader"),
    "punctuation": SPAM.replace(" ", "... ").replace(",", " !!!"),
    "homoglyphs": SPAM.replace("a", "а").replace("e", "е").replace("o", "о"),  # Cyrillic
    "fullwidth": "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in SPAM),
    "line breaks": SPAM.replace(" ", "\n"),
}


@pytest.mark.parametrize("way", DISGUISED)
def test_what_carries_no_words_changes_nothing(way: str) -> None:
    plain, disguised = measured(SPAM, DISGUISED[way])
    assert disguised.text_print is not None
    assert disguised.text_print.sketch == plain.text_print.sketch  # type: ignore[union-attr]
    assert disguised.text_print.simhash == plain.text_print.simhash  # type: ignore[union-attr]
    assert disguised.text_hash == plain.text_hash


WORDS = [
    "harbour",
    "lantern",
    "window",
    "quiet",
    "market",
    "river",
    "stone",
    "bridge",
    "captain",
    "letter",
    "garden",
    "engine",
    "silver",
    "winter",
    "yellow",
    "mountain",
    "station",
    "paper",
    "copper",
    "forest",
    "village",
    "morning",
    "candle",
    "pocket",
    "leather",
    "travel",
    "island",
    "kitchen",
    "doctor",
    "teacher",
    "blanket",
    "orchard",
    "thunder",
    "signal",
    "harvest",
    "compass",
    "ribbon",
    "basket",
    "ladder",
    "needle",
    "saddle",
    "tunnel",
    "velvet",
    "wagon",
    "anchor",
]


def changed(rng: random.Random, words: list[str], count: int) -> list[str]:
    copy = list(words)
    for place in rng.sample(range(len(copy)), count):
        copy[place] = rng.choice([word for word in WORDS if word not in words])
    return copy


@pytest.mark.parametrize(("count", "near", "shared"), [(1, 0.97, 0.7), (2, 0.85, 0.5)])
def test_a_word_or_two_of_twenty_leave_most_prints_alike(count: int, near: float, shared: float) -> None:
    rng = random.Random(7)
    before = [[rng.choice(WORDS) for _ in range(20)] for _ in range(300)]
    after = [changed(rng, words, count) for words in before]
    old = measured(*(" ".join(words) for words in before))
    new = measured(*(" ".join(words) for words in after))
    pairs = [(a.text_print, b.text_print) for a, b in zip(old, new, strict=True)]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert len(known) == 300
    assert sum(alike(a.simhash, b.simhash) for a, b in known) >= near * 300
    assert sum(a.sketch == b.sketch for a, b in known) >= shared * 300


def test_texts_that_only_share_their_words_pool_are_not_alike() -> None:
    rng = random.Random(3)
    prints = [one.text_print for one in measured(*(" ".join(rng.sample(WORDS, 14)) for _ in range(120)))]
    pairs = [(a, b) for a, b in combinations(prints, 2) if a is not None and b is not None]
    assert sum(alike(a.simhash, b.simhash) for a, b in pairs) <= len(pairs) // 100
    assert sum(a.sketch == b.sketch for a, b in pairs) <= len(pairs) // 20


OTHERS = {
    "two jokes": (
        "Why did the scarecrow win an award? Because he was outstanding in his field and nobody saw it coming",
        "My wife told me to stop impersonating a flamingo, so I finally had to put my foot down yesterday",
    ),
    "two weather reports": (
        "Berlin tonight: clouds clear from the west, frost in sheltered valleys, wind weak from the south",
        "Berlin tomorrow: heavy showers reach the city by noon, gusts on the lakes, milder air follows later",
    ),
    "two complaints": (
        "The train from Leeds stood outside the station for an hour again and nobody told passengers why",
        "Ordered a kettle from this shop in March, it arrived broken and support never answered my mails",
    ),
    "answer and question": (
        "Which bakery near the old harbour still sells rye bread on Sundays? My aunt asked me again",
        "The one beside the lighthouse opens at seven, they sell rye and walnut bread until noon",
    ),
}


@pytest.mark.parametrize("pair", OTHERS)
def test_different_texts_are_not_alike(pair: str) -> None:
    one, other = (print_of(text) for text in OTHERS[pair])
    assert not alike(one.simhash, other.simhash)
    assert one.sketch != other.sketch


def test_a_form_letter_and_a_quoted_proverb_are_the_same_whoever_writes_them() -> None:
    """What is alike is alike: that it is allowed is for the policy to say, not for the print."""
    letter = "Hello {}, we are sorry for the delay, our colleagues checked your parcel and it leaves the depot shortly"
    one, other = print_of(letter.format("Maria")), print_of(letter.format("Jonathan"))
    assert alike(one.simhash, other.simhash)
    proverb = "the early bird catches the worm but the second mouse gets the cheese"
    assert print_of(f"As grandpa said: {proverb}").sketch == print_of(f"{proverb} lol").sketch


@pytest.mark.parametrize(
    "text",
    [
        "",
        "🎉🎉🎉",
        "12345 67890",
        "@a @b @c https://example.com/x",
        "good morning everyone",
        "Good morning everyone, hope you all have a lovely day and a wonderful weekend!",
        "Happy birthday to you my dear friend, have a great day full of love",
        "Thank you so much for all the birthday wishes, love you all!",
        "Buenos dias a todos, feliz cumpleaños y muchas gracias amigos",
        "Herzlichen Glückwunsch zum Geburtstag, alles Liebe und einen schönen Tag euch allen",
        "صباح الخير كل عام وانتم بخير شكرا جزيلا",
        "お誕生日おめでとうございます！",
        "早上好！祝大家今天开心",
        "this is so true",
        "no no no no no no no no no no no no",
    ],
)
def test_what_everybody_says_has_no_print(text: str) -> None:
    assert measured(text)[0].text_print is None


def test_scripts_without_blanks_are_known_by_their_signs() -> None:
    chinese = "加我微信领取内部消息股票推荐每天稳赚不赔名额有限先到先得请私信老师获取联系方式"
    changed_one = chinese.replace("名额", "位置")
    other = "今天下午我们一家人去公园散步看见湖边有很多野鸭孩子们高兴地喂它们面包屑真是开心"
    assert alike(print_of(chinese).simhash, print_of(changed_one).simhash)
    assert not alike(print_of(chinese).simhash, print_of(other).simhash)
    thai = "สมัครวันนี้รับโบนัสฟรีทันทีฝากถอนรวดเร็วปลอดภัยที่สุดแอดไลน์เพื่อรับสิทธิพิเศษ"
    assert alike(print_of(thai).simhash, print_of(thai + " 555").simhash)


def test_the_hash_tells_order_and_single_words_apart() -> None:
    one, same, other, turned = measured(
        "free crypto here", "FREE crypto, here!", "free crypto there", "here crypto free"
    )
    assert one.text_hash == same.text_hash != 0
    assert len({one.text_hash, other.text_hash, turned.text_hash}) == 3
    assert measured("🙂")[0].text_hash == measured("Thank you so much Tom!")[0].text_hash == 0


def test_a_print_does_not_depend_on_its_batch() -> None:
    rng = random.Random(11)
    texts = [
        *DISGUISED.values(),
        "",
        "hi",
        SPAM * 200,
        "加我微信" * 30,
        "@x",
        "a.b",
        "://",
        ".",
        "@",
        "/" * 9,
        "我",
    ]
    texts += [" ".join(rng.choices(WORDS, k=rng.randint(0, 400))) for _ in range(60)]
    alone = [measured(text)[0] for text in texts]
    together = measured(*texts)
    assert [(m.text_hash, m.text_print) for m in alone] == [(m.text_hash, m.text_print) for m in together]


def test_prints_are_the_same_in_every_process() -> None:
    """Python's own hash is salted for each process; records outlive processes."""
    code = (
        "from tests.worker.signals.test_sameness import SPAM, measured;"
        "m = measured(SPAM)[0]; print(m.text_hash, *m.text_print)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    one = measured(SPAM)[0]
    assert one.text_print is not None
    assert seen == {
        f"{one.text_hash} {one.text_print.simhash} {one.text_print.sketch} {one.text_print.words}\n"
    }


def test_hostile_texts_are_borne() -> None:
    rng = random.Random(5)
    texts = ["".join(chr(rng.choice([0x20, 0x41, 0x2E, 0x40, 0x2F, 0x3042, 0x4E00, 0x1F600, 0x10FFFF, 0xD800]))
                     for _ in range(200)) for _ in range(200)]  # fmt: skip
    texts += ["x" * 25_000, "a " * 12_500, "我" * 25_000, "@" * 25_000, ". " * 12_500, "a." * 12_500]
    for one in measured(*texts):
        assert one.text_print is None or 0 <= one.text_print.simhash < 1 << 64
    long = "word " * LONGEST
    assert measured(long)[0].text_hash == measured(long + "more")[0].text_hash


def test_a_text_of_many_words_is_summed_up_right() -> None:
    """More words than one byte of a sum holds."""
    rng = random.Random(2)
    text = [rng.choice(WORDS) for _ in range(900)]
    one = print_of(" ".join(text))
    for place in range(0, 900, 45):
        text[place] = "elsewhere"
    assert (one.simhash ^ print_of(" ".join(text)).simhash).bit_count() <= 16
    others = [word[::-1] for word in rng.choices(WORDS, k=900)]
    assert (one.simhash ^ print_of(" ".join(others)).simhash).bit_count() > 16
