from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.formula import Atom, FormulaError, asserted, atoms, holds, parse

NAMES = ("a.a", "b.b", "c.c")


def truth(text: str, *true: str) -> bool:
    return holds(parse(text), lambda atom: atom.name in true)


@pytest.mark.parametrize(
    ("text", "true", "expected"),
    [
        ("a.a", ("a.a",), True),
        ("a.a", (), False),
        ("!a.a", (), True),
        ("a.a & b.b", ("a.a",), False),
        ("a.a & b.b", ("a.a", "b.b"), True),
        ("a.a | b.b & c.c", ("a.a",), True),
        ("(a.a | b.b) & c.c", ("a.a",), False),
        ("a.a & !(b.b | c.c)", ("a.a", "c.c"), False),
        ("!!a.a", ("a.a",), True),
        ("is.negated & a.a", ("is.negated", "a.a"), True),
    ],
)
def test_and_binds_stronger_than_or_and_not_strongest(
    text: str, true: tuple[str, ...], expected: bool
) -> None:
    assert truth(text, *true) is expected


def test_an_atom_may_name_its_scope() -> None:
    assert list(atoms(parse("transaction.price@field & x.y@thread"))) == [
        Atom("transaction.price", "field"),
        Atom("x.y", "thread"),
    ]
    assert Atom("is.quoted").flag == "quoted"
    assert Atom("island.quoted").flag is None


def test_what_is_denied_does_not_speak_for_the_formula() -> None:
    assert [atom.name for atom in asserted(parse("a.a & !(b.b) & (c.c | !d.d)"))] == ["a.a", "c.c"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ends where a signal"),
        ("a.a &", "ends where a signal"),
        ("a.a b.b", "unexpected 'b.b'"),
        ("(a.a", "never closed"),
        ("a.a)", "unexpected ')'"),
        ("& a.a", "unexpected '&'"),
        ("plain", "a family and a dot"),
        ("a.a@page", "unknown scope"),
        ("is.sad", "unknown flag"),
        ("!" * 100 + "a.a", "nested too deeply"),
        ("(" * 100 + "a.a" + ")" * 100, "nested too deeply"),
    ],
)
def test_what_is_no_formula_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(FormulaError, match=says.replace("(", r"\(").replace(")", r"\)")):
        parse(text)


formulas = st.recursive(
    st.sampled_from(NAMES),
    lambda parts: (
        st.builds("!{}".format, parts)
        | st.builds("({} & {})".format, parts, parts)
        | st.builds("({} | {})".format, parts, parts)
    ),
    max_leaves=8,
)


@given(formulas, st.sets(st.sampled_from(NAMES)))
def test_a_formula_means_what_python_means_by_it(text: str, true: set[str]) -> None:
    words = text.replace("!", " not ").replace("&", " and ").replace("|", " or ")
    for name in NAMES:
        words = words.replace(name, str(name in true))
    expected = eval(words, {"__builtins__": {}})  # made of our three names and brackets only
    assert holds(parse(text), lambda atom: atom.name in true) is expected


@given(formulas)
def test_what_a_formula_prints_reads_the_same(text: str) -> None:
    assert parse(str(parse(text))) == parse(text)
