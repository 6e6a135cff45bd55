"""Cuts a row of letters into the words that it holds."""

from __future__ import annotations

from worker.signals.vocabulary import Vocabulary

_LONGEST_CUT = 14
_CUT_LIMIT = 2_000  # letters of one row that are cut into words: nobody writes more, and each costs a search


def cut_places(letters: str, vocabulary: Vocabulary, *, strict: bool = True) -> frozenset[int]:
    """Where to cut a row of letters so that known words come out; empty when that does not work out.

    Unless `strict`, up to half of the letters may be left in unknown words.
    """
    letters = letters[:_CUT_LIMIT]
    size = len(letters)
    cost = [0] + [1 << 30] * size  # of the best cut up to a place: few words, few unknown letters
    unknown = [0] * (size + 1)
    back = [0] * (size + 1)
    for end in range(1, size + 1):
        for start in range(max(0, end - _LONGEST_CUT), end):
            length = end - start
            word = letters[start:end]
            good = (
                word in ("i", "a", "u")
                or (length > 1 and vocabulary.has(word))
                or (length > 3 and vocabulary.is_word(word))
            )
            price = cost[start] + (3 if good and length == 1 else 2 if good else 4 + 2 * length)
            if price < cost[end]:
                cost[end], back[end] = price, start
                unknown[end] = unknown[start] + (0 if good else length)
    if unknown[size] * 2 > (0 if strict else size):
        return frozenset()
    cuts = set()
    place = size
    while place:
        place = back[place]
        cuts.add(place)
    return frozenset(cuts - {0})
