"""Links: addresses with and without a scheme, and addresses disguised so that no program follows them."""

from __future__ import annotations

from collections.abc import Sequence

from worker.signals.view import Hit

# Endings that bare hosts are recognised by: the common generic ones, link shorteners' and the countries that
# English texts name most. A scheme or "www." needs none of them. Chosen from
# https://data.iana.org/TLD/tlds-alpha-by-domain.txt (read 2026-11-23), without endings that are words or file names
# far more often than hosts ("is", "it", "in", "at", "so", "py", "md", "sh").
_ENDINGS = (
    "com|net|org|info|biz|edu|gov|mil|io|co|ai|app|dev|me|tv|gg|ly|gl|to|cc|ws|fm|am|id|uk|us|ca|au|nz|ie|de|fr|es|nl|be|ch|"
    "se|dk|fi|pl|pt|ru|ua|cn|jp|kr|br|mx|ar|za|ng|ke|eu|xyz|top|site|online|shop|store|club|live|link|click|news|blog|"
    "tech|space|website|world|today|life|fun|vip|win|bet|icu|buzz|pro|mobi|onion|finance|exchange|wiki|page|cash|xxx|porn|sex"
)
_LETTER = r"a-z0-9\x{80}-\x{10ffff}_"
_DOT = r"(?:\.|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\))"
_CLOSERS = ".,;:!?'\")]}>*"
MEANINGS = {"link.url": "A link is given."}


def host_of(link: str) -> str:
    """The host of a link in canonical text: lower case, disguises undone, without user, port and path."""
    plain = _undefanged(link)
    rest = plain.partition("://")[2] if "://" in plain else plain
    for mark in "/?#\\":
        rest = rest.partition(mark)[0]
    return rest.rpartition("@")[2].partition(":")[0].strip(".")


def _undefanged(link: str) -> str:
    plain = link.replace("[://]", "://").replace("[:]", ":")
    for dot in ("[.]", "(.)", "{.}", "[dot]", "(dot)"):
        plain = plain.replace(dot, ".")
    if plain.startswith(("hxxp", "h**p")):
        plain = f"http{plain[4:]}"
    return plain


class LinkDetector:
    """Reports `link.url`; a hit's detail is the host, or the host and "defanged"."""

    names = frozenset(("link.url",))
    triggers = (
        r"\bh(?:tt|xx|\*\*)ps?(?:://|\[:\]//|\[://\])[^\s<>\"]{2,}",
        rf"\bwww{_DOT}[{_LETTER}][^\s<>\"]+",
        # Not after "@": that is an e-mail address. Runs without a bound are the cheap ones to scan for.
        rf"(?:^|[^{_LETTER}@./-])[{_LETTER}](?:[{_LETTER}.-]|{_DOT})*{_DOT}(?:{_ENDINGS})(?:[/?:#][^\s<>\"]*|\b)",
    )
    exact = True  # a match of a trigger is a hit: the places are looked for only when somebody asks

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """One hit for each link; overlapping matches of one link are one."""
        hits: list[Hit] = []
        done = -1
        for first, last in sorted(spans, key=lambda span: (span[0], -span[1])):
            start = first
            while start < last and not (text[start].isalnum() or text[start] == "h"):
                start += 1  # the third trigger takes the character before
            end = last
            while end > start and text[end - 1] in _CLOSERS and not text.endswith("]", start, end):
                end -= 1
            if start < done or end - start < 4:
                continue
            done = end
            link = text[start:end]
            host = host_of(link)
            defanged = _undefanged(link) != link
            hits.append(
                Hit("link.url", field, start, end, 1.0, f"{host[:200]}, defanged" if defanged else host[:200])
            )
        return hits


DETECTOR = LinkDetector()
