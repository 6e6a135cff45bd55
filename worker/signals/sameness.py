"""Fingerprints by which texts are found alike that differ in names, links, numbers or a few words.

A print is made of the words of the canonical text (disguises undone) without mentions, links, numbers, emoji and
punctuation. Its `simhash` is that of Charikar ("Similarity estimation techniques from rounding algorithms", STOC
2002; for texts: Manku, Jain, Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007) over words and pairs
of neighbouring words. Its `sketch` is the digest of the two words with the smallest hashes (bottom-k sampling: Cohen
and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007), in which long words are drawn more often.

A batch is one array of code points: words are found, hashed and summed up by numpy, all texts at once. No print
depends on the other texts of its batch, on the process or on the machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from worker.signals.measured import MeasuredSignals

ALIKE = 16  # bits of 64; one or two words of twenty change 7 to 15 of them, unrelated texts differ in 32 +- 4
LONGEST = 8_000  # code points of a text that are looked at
_CHUNK = 49_152  # code points at once: what is worked on stays in the processor's own memory

# A text is known again by what it says. Seven words of which five say something are the least; greetings, thanks and
# wishes are said by everybody. Signs of scripts without blanks weigh less than a word.
_WORD, _IDEOGRAPH, _SYLLABLE = 5, 2, 1
_ENOUGH, _ENOUGH_SAID = 7 * _WORD, 5 * _WORD
_SAID_AT_ALL = 2 * _WORD  # less has not even a hash: "thank you Tom", "so true"

_LETTER, _DIGIT, _HAN, _RUN_ON, _BLANK, _AT, _DOT, _SLASH = (1 << bit for bit in range(8))
_PLANES = 0x40000  # code points that have a class of their own; those above are signs to us
_WITHOUT_BLANKS = ("HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")

_U = np.uint64
_BASE: Final = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_PAIR: Final = _U(0xD6E8FEB86659FD93)
_ALL: Final = _U(0xFFFFFFFFFFFFFFFF)

# What everybody says to everybody, and words that say nothing alone; as folded text has them, without apostrophes.
_COMMONPLACE = """
    a an the this that these those it its is are was were be been am i im ive id ill me my mine we our us you your youre
    u ur he she they them their his her of to in on at for from with by and or but so if as not no yes do does did have
    has had having will would can could just very really much many more most all every each up out about what when who
    how there here now then too also than today tomorrow tonight
    good great lovely beautiful wonderful amazing blessed nice best better happy merry new day days morning afternoon
    evening night year years week weekend monday tuesday wednesday thursday friday saturday sunday birthday bday
    anniversary christmas easter eid ramadan diwali mubarak congrats congratulations welcome hello hi hey dear friend
    friends family everyone everybody all guys folks thank thanks thankyou wish wishes wishing hope love loved bless god
    enjoy sweet dreams sleep take care see soon have get well
    el la los las un una unos unas de del que y o en con por para se su sus mi tu te lo le les al es son muy mas feliz
    buenos buenas dias tardes noches dia cumpleanos gracias muchas felicidades felicitaciones navidad ano nuevo amigo
    amigos amiga todos todas hola bendiciones saludos abrazo abrazos besos
    os as um uma uns umas do da dos das no na nos nas em com meu minha seu sua bom boa bons tarde noite aniversario
    obrigado obrigada muito muita parabens ola felicidades pessoal beijos
    le la les un une des du de et ou en dans sur pour par avec est sont ce cette mon ma mes ton ta tes votre vos notre
    bon bonne bonjour bonsoir nuit journee soiree joyeux joyeuse anniversaire noel annee merci beaucoup felicitations
    tous toutes salut bisous
    der die das den dem des ein eine einen einem einer und oder in im an am auf fur mit von zu zum zur ist sind war ich du
    er sie es wir ihr euch dir dich mir mich mein meine dein deine euer guten gute guter morgen tag abend nacht alles
    liebe lieber herzlichen gluckwunsch geburtstag danke schon schonen schone frohe weihnachten neues jahr hallo allen
    صباح مساء الخير النور كل عام وانتم وانت بخير شكرا جزيلا مبروك عيد ميلاد سعيد السلام عليكم ورحمة الله وبركاته في من على
    الى عن و يا
"""


class TextPrint(NamedTuple):
    """What is kept of a text to know it again.

    `simhash` has 64 bits: two texts are alike when few of them differ. `sketch` is equal for most texts that are
    alike, and different for nearly all others: what is alike is looked for among those with the same sketch.
    `words` counts the words that went into both.
    """

    simhash: int
    sketch: int
    words: int


def alike(one: int, other: int) -> bool:
    """Whether two simhashes are of texts that differ in a word or two of twenty."""
    return (one ^ other).bit_count() <= ALIKE


def print_texts(measured: Sequence[MeasuredSignals]) -> None:
    """Sets `text_hash` and `text_print` of each measurement that has a field "text".

    `text_hash` is the same for the same words in the same order, 0 for a text that says next to nothing. `text_print`
    stays None where the words are too few, or too commonplace, to be known again.
    """
    texts: list[str] = []
    owners: list[MeasuredSignals] = []
    size = 0
    for one in measured:
        canonical = one.canonicals.get("text")
        if canonical is None:
            continue
        text = canonical.variants[-1]
        if len(text) > LONGEST:
            text = text[:LONGEST]
        if "'" in text:
            text = text.replace("'", "")
        if size + len(text) >= _CHUNK:
            _set(owners, texts)
            texts, owners, size = [], [], 0
        texts.append(text)
        owners.append(one)
        size += len(text) + 1
    _set(owners, texts)


def prints_of(texts: Sequence[str]) -> list[tuple[int, TextPrint | None]]:
    """The hash and the print of each of a few folded texts without apostrophes, together shorter than a chunk."""
    if not texts:
        return []
    return _prints(texts)


def _set(owners: Sequence[MeasuredSignals], texts: Sequence[str]) -> None:
    if not texts:
        return
    for one, (exact, known) in zip(owners, _prints(texts), strict=True):
        one.text_hash = exact
        one.text_print = known


def _prints(texts: Sequence[str]) -> list[tuple[int, TextPrint | None]]:
    starts, ends, hashes, said = _words(texts)
    # Where each text's words begin among all words.
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    bounds = np.concatenate((_ZERO, np.cumsum(sizes + 1)))
    first = np.searchsorted(starts, bounds)
    counts = np.diff(first)
    none: list[tuple[int, TextPrint | None]] = [(0, None)] * len(texts)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return none
    first, counts = first[:-1][filled], counts[filled]
    last = first + counts - 1
    pairs = _mixed(hashes[:-1] * _PAIR + hashes[1:]) if len(hashes) > 1 else hashes[:0]
    features = np.zeros((len(hashes), 2), np.uint64)
    features[:, 0] = hashes
    features[:-1, 1] = pairs
    features[last, 1] = 0  # a pair does not reach into the next text; without a bit set it counts for nothing
    exact = _mixed(np.add.reduceat(features, first, axis=0).sum(axis=1, dtype=np.uint64)) | _U(1)
    weights = np.add.reduceat(said, first, axis=0)
    exact[weights[:, 1] < _SAID_AT_ALL] = 0
    rich = np.flatnonzero((weights[:, 0] >= _ENOUGH) & (weights[:, 1] >= _ENOUGH_SAID))
    found = none
    for index, value in zip(filled.tolist(), exact.tolist(), strict=True):
        found[index] = (value, None)
    if len(rich):
        simhashes = _simhashes(features, first, counts, rich)
        sketches = _sketches(hashes, ends - starts, first, counts)[rich]
        rows = zip(
            filled[rich].tolist(),
            simhashes.tolist(),
            sketches.tolist(),
            (weights[rich, 0] // _WORD).tolist(),
            strict=True,
        )
        for index, simhash, sketch, words in rows:
            found[index] = (found[index][0], TextPrint(simhash, sketch, words))
    return found


def _words(texts: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The words of all texts: where each starts and ends, its hash, and its weight and that of what it says."""
    codes = np.frombuffer(("\n".join(texts) + "\n").encode("utf-32-le", "replace"), np.uint32)
    classes = _classes().take(codes, mode="clip")
    starts, ends, kinds = _runs(classes)
    kept = np.ones(len(starts), np.bool_)
    digits = _where(classes, _DIGIT)
    if len(digits):
        kept[np.searchsorted(starts, digits, side="right") - 1] = False
    marks = _where(classes, _AT | _DOT | _SLASH)
    if len(marks):
        _drop_addresses(kept, classes, starts, marks)
    starts, ends, kinds = starts[kept], ends[kept], kinds[kept]
    powers, inverses = _powers()
    sums = np.empty(len(codes) + 1, np.uint64)
    sums[0] = 0
    np.cumsum(codes * powers[: len(codes)], out=sums[1:])
    hashes = _mixed((sums.take(ends) - sums.take(starts)) * inverses.take(starts))
    said = np.empty((len(hashes), 2), np.int32)
    said[:, 0] = kinds
    said[:, 1] = np.where(_commonplace().take(hashes & _U(0xFFFF)), 0, kinds)
    return starts, ends, hashes, said


def _where(classes: NDArray[np.uint8], wanted: int) -> NDArray[Any]:
    """The places of the signs of these classes."""
    return np.flatnonzero((classes & wanted) != 0)


def _runs(classes: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Words, and pairs of neighbouring signs where a script sets no blanks: starts, ends and weights, by place."""
    inside = (classes & (_LETTER | _DIGIT)) != 0
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate((_ZERO, edges))
    starts, ends = edges[0::2], edges[1::2]  # the last sign is always a blank, so that every word ends
    kinds = np.full(len(starts), _WORD, np.int32)
    signs = _where(classes, _HAN | _RUN_ON)
    if len(signs):
        paired = (classes[signs + 1] & (_HAN | _RUN_ON)) != 0
        weights = np.where(classes[signs] & _HAN, _IDEOGRAPH, _SYLLABLE).astype(np.int32)
        starts = np.concatenate((starts, signs))
        ends = np.concatenate((ends, signs + 1 + paired))
        kinds = np.concatenate((kinds, weights))
        order = np.argsort(starts, kind="stable")
        starts, ends, kinds = starts[order], ends[order], kinds[order]
    return starts, ends, kinds


def _drop_addresses(
    kept: NDArray[np.bool_], classes: NDArray[np.uint8], starts: NDArray[Any], marks: NDArray[Any]
) -> None:
    """Drops the words of mentions, and of links with or without a scheme: what stands between two blanks."""
    kinds = classes[marks]
    ats = marks[kinds == _AT]
    if len(ats):
        after = np.searchsorted(starts, ats + 1)
        after = after[after < len(starts)]
        kept[after[starts[after] - 1 == ats[: len(after)]]] = False
    blanks = _where(classes, _BLANK)
    token = np.searchsorted(blanks, marks)
    inner = (kinds == _DOT) & (((classes[marks - 1] & classes[marks + 1]) & _LETTER) != 0)
    dots = np.bincount(token[inner], minlength=len(blanks) + 1)
    slashes = np.bincount(token[kinds == _SLASH], minlength=len(blanks) + 1)
    # Two slashes are a scheme's. A dot or two between letters are a domain's; more are a way to write words apart.
    links = np.flatnonzero(((dots > 0) & ((slashes > 0) | (dots <= 2))) | (slashes >= 2))
    if len(links):
        begins = np.concatenate((_ZERO, blanks + 1))
        change = np.zeros(len(starts) + 1, np.int32)
        np.add.at(change, np.searchsorted(starts, begins[links]), 1)
        np.add.at(change, np.searchsorted(starts, blanks[np.minimum(links, len(blanks) - 1)]), -1)
        kept[np.cumsum(change[:-1]) > 0] = False


def _simhashes(
    features: NDArray[np.uint64], first: NDArray[Any], counts: NDArray[Any], rich: NDArray[Any]
) -> NDArray[np.uint64]:
    """The simhash of each text in `rich`: bit by bit what the majority of its features has."""
    rows = features.reshape(-1, 1)
    # Each bit becomes a byte, and eight bytes are summed at once; a byte holds the sum of 254 features.
    spread = _spread().take(rows.view(np.uint8))
    parts = (counts + 126) // 127
    begins = np.repeat(2 * first, parts) + 254 * _ranges(parts)
    sums = np.add.reduceat(spread, begins, axis=0).view(np.uint8)
    if len(sums) == len(parts):
        totals = sums[rich].astype(np.int32)
    else:
        heads = np.cumsum(parts) - parts
        totals = np.add.reduceat(sums, heads, axis=0, dtype=np.int32)[rich]
    bits = 2 * totals > (2 * counts[rich] - 1)[:, None]
    packed: NDArray[np.uint64] = np.packbits(bits, axis=1, bitorder="little").view("<u8").ravel()
    return packed


def _ranges(parts: NDArray[Any]) -> NDArray[Any]:
    """0..n-1 for each n in turn."""
    ranges: NDArray[Any] = np.arange(int(parts.sum())) - np.repeat(np.cumsum(parts) - parts, parts)
    return ranges


def _sketches(
    hashes: NDArray[np.uint64], lengths: NDArray[Any], first: NDArray[Any], counts: NDArray[Any]
) -> NDArray[np.uint64]:
    """The digest of each text's two smallest words."""
    keys = (hashes >> _SHIFTS[np.minimum(lengths, len(_SHIFTS) - 1)]) | _LAST[
        np.minimum(lengths, len(_LAST) - 1)
    ]
    smallest = np.minimum.reduceat(keys, first)
    keys[keys == np.repeat(smallest, counts)] = _ALL
    second = np.minimum.reduceat(keys, first)
    return _mixed(smallest * _PAIR + second)


# Words of six letters and more are drawn four times as often as those of four; short ones only where there is no other.
_SHIFTS: Final = np.array([1, 1, 1, 1, 1, 2, 3, 3], np.uint64)
_LAST: Final = np.array(
    [1 << 63, 1 << 63, 0, 1 << 63, 0, 0, 0, 0], np.uint64
)  # two signs: a pair of ideographs
_ZERO: Final = np.zeros(1, np.int64)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spreads every bit over all others: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    values = (values ^ (values >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> _U(27))) * _U(0x94D049BB133111EB)
    return values ^ (values >> _U(31))


@cache
def _powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The powers of the base of words' polynomial hash, and of its inverse, modulo 2**64."""
    size = _CHUNK + LONGEST
    both = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        powers = np.full(size, base, np.uint64)
        powers[0] = 1
        both.append(np.cumprod(powers, dtype=np.uint64))
    return both[0], both[1]


@cache
def _spread() -> NDArray[np.uint64]:
    """For each byte its eight bits as eight bytes."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return bits.view("<u8").ravel().astype(np.uint64)


@cache
def _classes() -> NDArray[np.uint8]:
    """What each code point is to us; a table, made once."""
    classes = np.zeros(_PLANES + 1, np.uint8)
    for code in range(_PLANES):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] == "L" or category[0] == "M":
            if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000:
                classes[code] = _HAN
            elif code >= 0x0E00 and unicodedata.name(char, "").startswith(_WITHOUT_BLANKS):
                classes[code] = _RUN_ON
            else:
                classes[code] = _LETTER
        elif category[0] == "N":
            classes[code] = _DIGIT
    classes[[0x20, 0x0A]] = _BLANK
    classes[ord("_")] = _LETTER  # in names
    classes[ord("@")], classes[ord(".")], classes[ord("/")] = _AT, _DOT, _SLASH
    return classes


@cache
def _commonplace() -> NDArray[np.bool_]:
    """Marks the low bits of the hashes of commonplace words; one other word in two hundred shares them."""
    codes = np.frombuffer((" ".join(_COMMONPLACE.split()) + " ").encode("utf-32-le"), np.uint32)
    starts, ends, _ = _runs(_classes()[codes])
    powers, inverses = _powers()
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(codes * powers[: len(codes)])))
    hashes = _mixed((sums[ends] - sums[starts]) * inverses[starts])
    table = np.zeros(1 << 16, np.bool_)
    table[hashes & _U(0xFFFF)] = True
    return table
