"""A bank measures every signal of every policy, and a fault stays where it happened."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.worker.signals.policies import patterns, policy, post, source, words
from worker.signals import scanner
from worker.signals.bank import PatternError, SignalBank
from worker.signals.grammar import GrammarFile, load_grammar
from worker.signals.measured import MeasuredSignals
from worker.signals.scanner import Backend
from worker.signals.view import Hit

SHARED = """
family = "who"
summary = "Persons."

[[terms]]
name = "who.kin"
languages = ["en"]
terms = ["sister", "brother"]
source = "the test"
meaning = "A relative is spoken of."

[[terms]]
name = "who.role"
languages = ["en"]
terms = ["judge"]
source = "the test"
meaning = "Somebody is spoken of by the work they do."

[[expressions]]
name = "who.kin"
languages = ["en"]
patterns = ['\\bmy sister\\b']
source = "the test"
"""

BACKENDS: list[Backend] = ["re2", *(["hyperscan"] if scanner.hyperscan is not None else [])]  # type: ignore[list-item]  # mypy widens the inner list


class Shouts:
    """A detector for the tests: what stands before an exclamation mark."""

    names = frozenset(("test.shout",))
    triggers = (r"[a-z]+!",)

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        return [Hit("test.shout", field, start, end, 0.5, "shouted") for start, end in spans]


class Breaks(Shouts):
    """A detector that fails."""

    names = frozenset(("test.broken",))
    triggers = (r"boom",)

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        raise RuntimeError("no")


class Exact(Shouts):
    """A detector whose trigger says enough."""

    names = frozenset(("test.exact",))
    exact = True


@pytest.fixture(params=BACKENDS)
def bank(request: pytest.FixtureRequest) -> SignalBank:
    made = policy(
        terms=(
            words("test.kill", "kill", "k word", score=0.9, detail="a word"),
            words("test.part", "slaught", match="substring"),
            words("test.german", "töten", languages=("de",)),
        ),
        expressions=(
            patterns("test.threat", r"\b{{will}} kill {{you}}\b", score=0.8),
            patterns("test.kill", r"\bslay\b"),
            patterns("test.spanish", r"\bmatar\b", languages=("es",)),
        ),
        fragments={"will": "will|gonna", "you": "you|u"},
        languages=("en",),
    )
    return SignalBank(
        [source(made)], backend=request.param, detectors=[Shouts(), Breaks(), Exact()], grammar=()
    )


def one(bank: SignalBank, text: str, lang: str | None = None, **fields: str) -> MeasuredSignals:
    (signals,) = bank.measure([post(text, lang, **fields)])
    return signals


def test_nothing_fires_in_an_ordinary_text(bank: SignalBank) -> None:
    signals = one(bank, "have a nice day")
    assert signals.fired == signals.failed == signals.uncovered == frozenset()
    assert signals.hits("test.kill") == ()
    assert signals.text() == "have a nice day"
    assert signals.text("bio") == signals.text(variant=1) == ""


def test_terms_and_expressions_fire_with_their_places(bank: SignalBank) -> None:
    text = "I  will KILL you, and slay"
    signals = one(bank, text, "en")
    assert signals.fired == {"test.kill", "test.threat"}
    hits = signals.hits("test.kill", "test.threat")
    assert [(hit.signal, signals.text()[hit.start : hit.end], hit.score) for hit in hits] == [
        ("test.threat", "will kill you", 0.8),
        ("test.kill", "kill", 0.9),
        ("test.kill", "slay", 1.0),
    ]
    evidence = signals.evidence(hits[0], detail="threat")
    assert text[evidence.start : evidence.end] == "will KILL you"
    assert (evidence.signal, evidence.field, evidence.detail) == ("test.threat", "text", "threat")


def test_words_are_whole_and_substrings_are_not(bank: SignalBank) -> None:
    assert one(bank, "skills and killers").fired == frozenset()
    assert one(bank, "an onslaught").fired == {"test.part"}


def test_disguises_are_found_and_mapped(bank: SignalBank) -> None:
    text = "i w1ll k.i.l.l you tonight"
    signals = one(bank, text)
    assert {"test.kill", "test.threat"} <= signals.fired
    (hit,) = signals.hits("test.threat")
    assert hit.variant == 1
    evidence = signals.evidence(hit)
    assert text[evidence.start : evidence.end] == "w1ll k.i.l.l you"


def test_what_both_variants_show_is_one_hit(bank: SignalBank) -> None:
    signals = one(bank, "kill the sh1t and k1ll")
    spans = [signals.received_span(hit) for hit in signals.hits("test.kill")]
    assert spans == [(0, 4), (18, 22)]
    assert {hit.variant for hit in signals.hits("test.kill")} == {1}


def test_every_field_is_measured(bank: SignalBank) -> None:
    signals = one(bank, "hello", bio="will kill you")
    (hit,) = signals.hits("test.threat")
    assert hit.field == "bio"
    assert signals.text("bio") == "will kill you"


def test_a_list_for_another_language_fires_uncovered(bank: SignalBank) -> None:
    signals = one(bank, "toten matar porque", "en")  # "porque" shows that Spanish is at play
    assert signals.fired == signals.uncovered == {"test.german", "test.spanish"}
    assert one(bank, "töten", "de").uncovered == frozenset()
    assert one(bank, "töten", None).uncovered == one(bank, "töten", "und").uncovered == frozenset()
    mixed = one(bank, "kill matar", "es")
    assert mixed.fired == {"test.kill", "test.spanish"}
    assert mixed.uncovered == {"test.kill"}


def test_what_fires_in_its_own_language_is_not_joined_by_look_alikes_of_another() -> None:
    made = policy(
        terms=(
            words("test.kin", "son", languages=("en",)),
            words("test.kin", "hijo", languages=("es",)),
        )
    )
    bank = SignalBank([source(made)], detectors=[], grammar=(), backend="re2")
    assert [hit.start for hit in one(bank, "son cosas de mi hijo", "es").hits("test.kin")] == [16]
    assert [hit.start for hit in one(bank, "son cosas", "es").hits("test.kin")] == [0]
    assert len(one(bank, "son cosas de mi hijo").hits("test.kin")) == 2


def test_arabic_is_found_as_it_is_written_in_haste_and_with_its_prefixes(tmp_path: Path) -> None:
    written = SHARED.replace('"sister", "brother"]', '"أخت", "جدة"]\nprefixes = ["ال"]')
    (tmp_path / "who.toml").write_text(written, "utf-8")
    bank = SignalBank([], detectors=[], grammar=load_grammar(tmp_path), needs={"who.kin"}, backend="re2")
    for text in ("أخت", "اخت", "الاخت هنا", "الجده", "جدة"):
        assert one(bank, text).fired == {"who.kin"}, text
    assert one(bank, "اختبار").fired == frozenset()


def test_detectors_run_where_their_trigger_matched(bank: SignalBank) -> None:
    signals = one(bank, "stop! now")
    assert signals.fired == {"test.shout", "test.exact"}
    assert [(hit.start, hit.end, hit.detail) for hit in signals.hits("test.shout")] == [(0, 5, "shouted")]
    assert len(signals.hits("test.exact")) == 1


def test_a_failing_detector_is_named_and_the_rest_goes_on(bank: SignalBank) -> None:
    first, second = bank.measure([post("boom will kill you"), post("will kill you")])
    assert first.failed == {"test.broken"}
    assert "test.threat" in first.fired
    assert second.failed == frozenset()


def test_a_failing_subject_fails_alone(bank: SignalBank, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = post("x")
    object.__setattr__(broken, "fields", {"text": None})
    first, second = bank.measure([broken, post("kill")])
    assert first.failed == bank.names
    assert second.fired == {"test.kill"}


def test_lone_surrogates_and_nul_are_measured(bank: SignalBank) -> None:
    assert one(bank, "\ud800 kill \x00").fired == {"test.kill"}


def test_all_names_are_known(bank: SignalBank) -> None:
    assert bank.names >= {
        "test.kill",
        "test.part",
        "test.german",
        "test.threat",
        "test.spanish",
        "test.shout",
        "test.exact",
    }


def test_signals_that_open_no_gate_are_measured_only_beside_one() -> None:
    made = policy(
        terms=(words("test.gun", "gun"),),
        expressions=(patterns("test.threat", "kill you"), patterns("test.time", "tonight")),
    )
    bank = SignalBank([source(made)], detectors=[], grammar=(), gates={"test.threat"})
    assert one(bank, "gun show tonight").fired == frozenset()
    signals = one(bank, "kill you with a gun", bio="tonight")
    assert signals.fired == {"test.threat", "test.gun", "test.time"}
    assert [hit.field for hit in signals.hits("test.time", "test.gun")] == ["bio", "text"]
    undone = one(bank, "k1ll you tonight")
    assert {hit.variant for hit in undone.hits(*undone.fired)} == {1}


def shared(tmp_path: Path) -> tuple[GrammarFile, ...]:
    (tmp_path / "who.toml").write_text(SHARED, "utf-8")
    return load_grammar(tmp_path)


def test_a_signal_of_the_grammar_is_measured_where_a_rule_needs_it(tmp_path: Path) -> None:
    made = policy(terms=(words("test.kill", "kill"),))
    needs = {"test.kill", "who.kin"}
    bank = SignalBank([source(made)], needs=needs, detectors=[], grammar=shared(tmp_path), backend="re2")
    assert bank.names == needs
    signals = one(bank, "kill my sister and the judge", "en")
    assert signals.fired == {"test.kill", "who.kin"}
    assert [signals.text()[hit.start : hit.end] for hit in signals.hits("who.kin")] == ["my sister", "sister"]
    assert one(bank, "my sister", "fr").uncovered == {"who.kin"}
    whole = SignalBank([], detectors=[], grammar=shared(tmp_path), observers=(), backend="re2")
    assert whole.names == {"who.kin", "who.role"}


def test_a_signal_of_the_grammar_opens_a_gate_only_if_it_is_one(tmp_path: Path) -> None:
    made = policy(terms=(words("test.kill", "kill"),))
    needs = {"test.kill", "who.kin", "who.role"}
    bank = SignalBank(
        [source(made)],
        needs=needs,
        gates={"test.kill", "who.role"},
        detectors=[],
        grammar=shared(tmp_path),
        backend="re2",
    )
    assert one(bank, "my sister").fired == frozenset()
    assert one(bank, "my sister kill").fired == {"test.kill", "who.kin"}
    assert one(bank, "my sister, the judge").fired == {"who.kin", "who.role"}


def test_a_bad_expression_of_the_grammar_is_refused_with_its_own_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "who.toml").write_text(SHARED.replace("my sister", "(?=my) sister"), "utf-8")
    with pytest.raises(PatternError, match="look-around") as caught:
        SignalBank([], detectors=[], grammar=load_grammar(tmp_path))
    assert (caught.value.path, caught.value.line) == (tmp_path / "who.toml", 22)


def test_detectors_that_nobody_needs_are_left_out() -> None:
    bank = SignalBank([], detectors=[Shouts(), Breaks()], grammar=(), needs={"test.shout"})
    assert bank.names == {"test.shout"}
    assert one(bank, "boom boom!").failed == frozenset()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (r"(?=kill)", "look-around"),
        (r"kill*(?:x)?|", "empty string"),
        (r"(a)\1", "back-references"),
        ("{{nobody}} dies", "unknown fragment"),
    ],
)
def test_a_bad_expression_is_refused_with_file_line_and_reason(
    tmp_path: Path, written: str, reason: str
) -> None:
    (tmp_path / "policy.toml").write_text(
        f"id = 'violence'\npatterns = [\n  'fine',\n  '{written}',\n]\n", "utf-8"
    )
    made = policy(expressions=(patterns("test.bad", "fine", written),))
    with pytest.raises(PatternError) as caught:
        SignalBank([source(made, tmp_path)], detectors=[], grammar=())
    assert caught.value.path == tmp_path / "policy.toml"
    assert caught.value.line == 4
    assert reason in caught.value.reason


@pytest.mark.skipif(scanner.hyperscan is None, reason="Hyperscan has no wheel for this platform")
def test_a_pattern_that_hyperscan_refuses_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("patterns = [\n  'fine',\n  '\\Cx',\n]\n", "utf-8")
    made = policy(expressions=(patterns("test.bad", "fine", r"\Cx"),))
    with pytest.raises(PatternError, match="Hyperscan refuses it") as caught:
        SignalBank([source(made, tmp_path)], detectors=[], grammar=(), backend="hyperscan")
    assert caught.value.line == 3


def test_a_text_that_repeats_itself_yields_a_bounded_number_of_hits(bank: SignalBank) -> None:
    signals = one(bank, "kill " * 5_000)
    assert 0 < len(signals.hits("test.kill")) <= 200


def _microseconds(bank: SignalBank, texts: list[str]) -> float:
    subjects = [post(text) for text in texts]
    best = float("inf")
    gc.disable()  # what else this process holds must not be walked through in between
    try:
        for _ in range(5):
            start = time.process_time()
            bank.measure(subjects)
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
    return best / len(texts) * 1e6


def test_many_more_terms_do_not_slow_the_scan() -> None:
    extra = [f"word{number * 7919 % 1_000_003} phrase{number % 977}" for number in range(100_000)]
    made = policy(terms=(words("test.kill", "kill"),))
    small = SignalBank([source(made)], detectors=[], grammar=())
    large = SignalBank([source(made)], extra_terms=[("extra.words", extra)], detectors=[], grammar=())
    assert one(large, f"so {extra[5]} said").fired == {"extra.words"}
    texts = [
        f"we went to the market {n} and it was a lovely day out for everyone there" for n in range(2_000)
    ]
    assert _microseconds(large, texts) < 3 * _microseconds(small, texts) + 10
