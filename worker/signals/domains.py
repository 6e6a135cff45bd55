"""Who stands behind a link: its registrable domain, or what is as good as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

LONGEST = 253  # code points of a host; longer ones are none (RFC 1035, section 2.3.4)
_LONGEST_PATH = 120
# Labels below which countries register names, as "co" in co.uk; own list of what most of them share. A wrong guess
# only parts what belongs together, or joins what does not.
_SECOND = frozenset(
    [
        "ac",
        "asn",
        "co",
        "com",
        "ed",
        "edu",
        "gen",
        "geek",
        "go",
        "gob",
        "gouv",
        "gov",
        "govt",
        "gv",
        "id",
        "ind",
        "info",
        "iwi",
        "kiwi",
        "ltd",
        "maori",
        "me",
        "mil",
        "net",
        "ne",
        "nhs",
        "nic",
        "nom",
        "or",
        "org",
        "plc",
        "police",
        "res",
        "sch",
        "school",
        "web",
    ]
)


class Group(Protocol):
    """A list of domains and what it is for: `common`, `hosting` or `shortener`."""

    @property
    def use(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...


class Domains:
    """Tells the domain that a link counts for.

    Args:
        groups: the lists of the pack.
    """

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        uses: dict[str, str] = {}
        for group in groups:
            for name in group.names:
                uses[name] = group.use
        self._uses: Mapping[str, str] = uses

    def of(self, link: str) -> str | None:
        """The domain of a link in lower case; None where everybody links there, or it is no domain.

        Below a host of other people's pages it is the page's own, and of a shortener the whole address.
        """
        host = _host(link)
        if "." not in host or len(host) > LONGEST or host.replace(".", "").isdigit():
            return None
        labels = host.removeprefix("www.").split(".")
        if not all(labels):
            return None
        for start in range(len(labels) - 1):
            name = ".".join(labels[start:])
            use = self._uses.get(name)
            if use == "common":
                return None
            if use == "hosting":
                return ".".join(labels[start - 1 :]) if start else None
            if use == "shortener":
                return _address(link, name)
        return ".".join(labels[-_depth(labels) :])


def _host(link: str) -> str:
    """The host of a link, with or without a scheme; links of records are plain, disguised ones are not followed."""
    rest = link.strip()
    rest = rest.partition("://")[2] or rest
    for mark in "/?#\\":
        rest = rest.partition(mark)[0]
    return rest.rpartition("@")[2].partition(":")[0].strip(".").lower()


def _depth(labels: list[str]) -> int:
    """How many of the last labels make the registrable domain."""
    return 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND else 2


def _address(link: str, name: str) -> str | None:
    """A shortener's link without its query; None where it leads to the shortener itself."""
    rest = link.strip().partition("://")[2] or link.strip()
    path = rest.partition("?")[0].partition("#")[0].partition("/")[2].rstrip("/.,;:!?'\")]}>")
    return f"{name}/{path[:_LONGEST_PATH]}" if path else None
