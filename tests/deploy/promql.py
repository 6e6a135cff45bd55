"""Enough of PromQL to see which metrics and labels a query names. It does not check the syntax: promtool does."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<range>\[[^\]]*\])
      | (?P<number>[0-9][0-9.eE]*[a-z]*)
      | (?P<name>\$?[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},@])
    """,
    re.VERBOSE,
)
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass(frozen=True)
class Selector:
    """One metric in a query; `matchers` are (label, operator, value)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Query:
    """What a query names."""

    selectors: tuple[Selector, ...]
    grouping: frozenset[str]


def tokens(expression: str) -> list[tuple[str, str]]:
    """The expression as (kind, text) pairs, without spaces; raises ValueError at what is no token."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"not PromQL at {expression[position:]!r}")
        if match.lastgroup != "space":
            found.append((match.lastgroup, match.group()))
        position = match.end()
    return found


def read(expression: str) -> Query:
    """The metrics with their matchers, and the labels of by, on, group_left and the like."""
    stream = [*tokens(expression), ("end", "")]
    selectors: list[Selector] = []
    grouping: set[str] = set()
    depth = 0
    index = 0
    while index < len(stream) - 1:
        kind, text = stream[index]
        following = stream[index + 1][1]
        if text in "()":
            depth += 1 if text == "(" else -1
        if kind == "name" and text in _GROUPING and following == "(":
            index += 2
            while stream[index][1] != ")":
                if stream[index][0] == "name":
                    grouping.add(stream[index][1])
                index += 1
        elif kind == "name" and text not in _WORDS and following not in {"(", "by", "without"}:
            matchers: list[tuple[str, str, str]] = []
            if following == "{":
                index += 2
                while stream[index][1] != "}":
                    if stream[index][1] != ",":
                        label, operator, value = (token for _, token in stream[index : index + 3])
                        matchers.append((label, operator, value[1:-1]))
                        index += 2
                    index += 1
            selectors.append(Selector(text, tuple(matchers)))
        index += 1
    if depth:
        raise ValueError(f"parentheses do not match in {expression!r}")
    return Query(tuple(selectors), frozenset(grouping))
