from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest

from schemas.base import LabelName, PolicyId
from schemas.enforcement import Enforcement
from tests.worker.engine.helpers import START
from worker.engine.notice_texts import Texts, load_texts
from worker.engine.notices import (
    SHIPPED,
    action_notice,
    appeal_notice,
    found_in,
    language_of,
    reversal_notice,
    shipped_texts,
)
from worker.engine.state import Account
from worker.engine.times import LAST
from worker.engine.tomlfile import Problem

LANGUAGES = ("ar", "de", "en", "es", "fr", "pt")

CLAUSE = "You may not zap {anybody}."  # braces, as a clause may have them


def action(**changes: Any) -> Enforcement:
    record = {
        "schema_version": 1,
        "action_id": "a1",
        "operation": "apply",
        "kind": "remove",
        "subject": {"type": "post", "id": "1"},
        "account_id": "u1",
        "post_id": "1",
        "policy": "violence",
        "policy_version": 3,
        "pack": "made-1",
        "clause": CLAUSE,
        "score": 0.9,
        "evidence": [
            {"signal": "made.word", "field": "text", "start": 3, "end": 6, "score": 0.9, "detail": "a word"},
            {"signal": "made.count", "field": "record", "score": 0.5},
        ],
        "strikes": {"added": 1, "active": 1},
        "source": "automated",
        "decided_at": START,
        "record": {"topic": "posts", "partition": 0, "offset": 0},
    }
    return Enforcement.model_validate({**record, **changes})


KINDS: list[dict[str, Any]] = [
    {"kind": "label", "label": "misleading"},
    {"kind": "label", "label": "parody", "subject": {"type": "profile_field", "id": "u1/bio"}},
    {"kind": "remove"},
    {"kind": "remove", "subject": {"type": "profile_field", "id": "u1/bio"}},
    *(
        {"kind": "suspend", "mode": mode, "subject": {"type": "account", "id": "u1"}}
        for mode in ("verify", "edit_required", "read_only", "suspended")
    ),
]


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_every_action_is_told_with_its_rule_what_was_found_and_how_to_appeal(changes: dict[str, Any]) -> None:
    notice = action_notice(action(**changes))
    assert (notice.kind, notice.action_id, notice.policy, notice.clause) == (
        "action", "a1", "violence", CLAUSE,
    )  # fmt: skip
    assert notice.appeal_until == START + timedelta(days=20)
    for part in (
        CLAUSE,
        "a word in your post (characters 3 to 6)",
        "12 December 2026, 09:30 UTC",
    ):
        assert part in (notice.body or "")
    assert "made.count" not in (notice.body or "")  # nobody outside knows a signal by its name
    assert notice.consequence
    assert notice.consequence in (notice.body or "")
    assert "{" not in notice.consequence
    assert (notice.lang, notice.created_at, notice.account_id) == ("en", START, "u1")


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_the_end_of_every_action_is_told(changes: dict[str, Any]) -> None:
    notice = reversal_notice(action(**changes, operation="reverse", action_id="a2", reverses="a1"))
    assert (notice.kind, notice.action_id, notice.appeal_until) == ("reversal", "a2", None)
    assert notice.body == notice.consequence
    assert "{" not in notice.body
    assert any(word in notice.body for word in ("ended", "again"))


def test_the_end_of_one_of_two_suspensions_does_not_promise_too_much() -> None:
    changes = {"kind": "suspend", "mode": "read_only", "subject": {"type": "account", "id": "u1"}}
    notice = reversal_notice(action(**changes, operation="reverse", action_id="a2", reverses="a1"), True)
    assert "still in force" in notice.body


@pytest.mark.parametrize("mode", ["read_only", "suspended"])
def test_a_suspension_says_until_when(mode: str) -> None:
    account = {"type": "account", "id": "u1"}
    until = START + timedelta(hours=12)
    ends = action_notice(action(kind="suspend", mode=mode, subject=account, expires_at=until))
    assert "until 22 November 2026, 21:30 UTC" in (ends.consequence or "")
    assert ends.expires_at == until
    for_good = action_notice(action(kind="suspend", mode=mode, subject=account)).consequence
    assert for_good
    assert "until" not in for_good


def test_different_actions_have_notices_with_different_ids_and_the_same_ones_the_same() -> None:
    ids = [action_notice(action(action_id=name)).notice_id for name in ("a1", "a2", "a1")]
    assert ids[0] == ids[2] != ids[1]
    assert reversal_notice(action()).notice_id not in ids


def test_only_the_first_findings_are_listed() -> None:
    items = [
        {"signal": f"made.s{n}", "field": "text", "start": n, "end": n + 1, "score": 1} for n in range(9)
    ]
    assert found_in(action(evidence=items)).count("made.s") == 5


def test_an_action_at_the_end_of_time_still_has_a_notice() -> None:
    assert action_notice(action(decided_at=LAST)).appeal_until == LAST


# -- languages -------------------------------------------------------------------------------------------


def test_the_six_languages_are_written_whole() -> None:
    assert tuple(shipped_texts().languages) == LANGUAGES
    for lang in LANGUAGES:
        texts = shipped_texts().of(lang)
        assert set(texts.policies) == set(get_args(PolicyId))
        assert set(texts.labels) == set(get_args(LabelName))
        assert len(set(texts.time.months)) == 12


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_every_kind_of_notice_is_whole_in_every_language(changes: dict[str, Any], lang: str) -> None:
    one = action(**changes, expires_at=START + timedelta(hours=12), policy="copyright")
    reverse = one.model_copy(update={"operation": "reverse", "action_id": "a2", "reverses": "a1"})
    human = reverse.model_copy(update={"source": "human"})
    notices = [
        action_notice(one, lang),
        action_notice(one, lang, warning=True),
        *(reversal_notice(record, still, lang) for record in (reverse, human) for still in (False, True)),
        appeal_notice("appeal_received", "ap1", "u1", START, one, lang),
        *(
            appeal_notice("appeal_refused", "ap1", "u1", START, None, lang, reason=reason)
            for reason in ("late", "second", "foreign")
        ),
        *(
            appeal_notice("appeal_outcome", "ap1", "u1", START, one, lang, reason=reason)
            for reason in ("upheld", "overturned")
        ),
    ]
    bodies = [notice.body for notice in notices]
    for notice in notices:
        assert notice.lang == lang
        for text in (notice.body, notice.consequence or ""):
            assert "{" not in text.replace(CLAUSE, "")
            assert "  " not in text
            assert "None" not in text
    assert len({*bodies[:3], *bodies[6:]}) == len(bodies) - 3
    told, warned = notices[:2]
    for notice in (told, warned):
        assert CLAUSE in notice.body
        assert "a word" in notice.body
        assert "UTC" in notice.body
        assert (notice.consequence or "-") in notice.body
        assert (notice.appeal_until, notice.clause) == (START + timedelta(days=20), CLAUSE)
    assert (told.kind, warned.kind) == ("action", "warning")


@pytest.mark.parametrize(
    ("lang", "moment"),
    [
        ("en", "3 March 2027, 08:05 UTC"),
        ("es", "3 de marzo de 2027, 08:05 UTC"),
        ("pt", "3 de março de 2027, 08:05 UTC"),
        ("fr", "3 mars 2027 à 08:05 UTC"),
        ("de", "3. März 2027, 08:05 Uhr UTC"),
        ("ar", "3 مارس 2027، 08:05 UTC"),
    ],
)
def test_times_are_readable_and_name_utc(lang: str, moment: str) -> None:
    texts = shipped_texts().of(lang)
    assert texts.moment(datetime(2027, 3, 3, 8, 5, 59, tzinfo=UTC)) == moment
    elsewhere = datetime(2027, 3, 3, 10, 5, tzinfo=timezone(timedelta(hours=2)))
    assert texts.moment(elsewhere) == moment


def test_a_language_without_texts_is_written_to_in_the_accounts_last_known_or_english() -> None:
    texts = shipped_texts()
    assert texts.language("ja", "fr") == "fr"
    assert texts.language("pt", "fr") == "pt"
    assert texts.language("ja", None) == "en"
    assert texts.language() == "en"
    assert action_notice(action(), "ja").lang == "en"
    assert language_of(Account(traits={"lang": "de"})) == "de"
    assert language_of(Account()) is None
    assert language_of(None) is None


def test_a_warning_says_that_no_strike_counts_and_an_action_how_many_do() -> None:
    warned = action_notice(action(strikes={"added": 0, "active": 0}), warning=True)
    assert "no strike counts" in warned.body
    assert (
        "Strikes that count against your account now: 4."
        in action_notice(action(strikes={"added": 2, "active": 4})).body
    )
    assert "Strikes" not in action_notice(action(strikes={"added": 0, "active": 4})).body


@pytest.mark.parametrize("source", ["automated", "human", "report"])
def test_who_decided_is_told(source: str) -> None:
    expected = {
        "automated": "An automated system decided this.",
        "human": "A person decided this.",
        "report": "An automated system decided this after a report.",
    }
    assert expected[source] in action_notice(action(source=source)).body


@pytest.mark.parametrize(
    ("policy", "kind", "offered"),
    [("copyright", "remove", True), ("trademark", "remove", True), ("violence", "remove", False)],
)
def test_the_way_of_a_counter_notice_is_told_where_rights_are_at_stake(
    policy: str, kind: str, offered: bool
) -> None:
    assert ("counter-notice" in action_notice(action(policy=policy, kind=kind)).body) is offered
    account = {"type": "account", "id": "u1"}
    paused = action(policy=policy, kind="suspend", mode="read_only", subject=account)
    assert "counter-notice" not in action_notice(paused).body


def test_a_foreign_appeal_learns_nothing_of_the_action() -> None:
    notice = appeal_notice("appeal_refused", "ap1", "u2", START, reason="foreign")
    assert (notice.account_id, notice.action_id, notice.policy, notice.subject) == ("u2", None, None, None)
    assert (notice.clause, notice.consequence, notice.expires_at) == (None, None, None)


def test_the_outcome_of_an_appeal_is_told() -> None:
    upheld = appeal_notice("appeal_outcome", "ap1", "u1", START, action(), reason="upheld")
    assert CLAUSE in upheld.body
    assert "Your post was removed." in upheld.body
    won = appeal_notice("appeal_outcome", "ap1", "u1", START, action(), reason="overturned")
    assert won.consequence == "Your post is visible again."
    assert won.consequence in won.body
    limited = appeal_notice("appeal_outcome", "ap1", "u1", START, action(), reason="overturned", still=True)
    assert "still in force" in limited.body
    assert upheld.notice_id == won.notice_id != appeal_notice("appeal_received", "ap1", "u1", START).notice_id


def test_evidence_is_named_once_and_by_its_place() -> None:
    items = [
        {"signal": "made.s", "field": field, "score": 1, "detail": "a word"}
        for field in ("profile.bio", "media[0].alt_text", "profile.bio", "urls")
    ]
    assert found_in(action(evidence=items)) == (
        "a word in your bio; a word in the description of your media; a word in what you did or posted"
    )


# -- texts of a pack -------------------------------------------------------------------------------------


def load(folder: Path) -> tuple[Texts, list[Problem]]:
    problems: list[Problem] = []
    return load_texts(folder, problems, shipped_texts()), problems


def test_a_pack_may_word_a_single_language_or_add_one(tmp_path: Path) -> None:
    english = (SHIPPED / "en.toml").read_text("utf-8")
    (tmp_path / "en.toml").write_text(english.replace("Your post was removed", "Your note is gone"), "utf-8")
    (tmp_path / "nl.toml").write_text(english.replace("Your post was removed", "Je bericht is weg"), "utf-8")
    texts, problems = load(tmp_path)
    assert problems == []
    assert tuple(texts.languages) == (*LANGUAGES[:5], "nl", "pt")
    assert action_notice(action(), "en", texts=texts).consequence == "Your note is gone."
    assert action_notice(action(), "nl", texts=texts).consequence == "Je bericht is weg."
    assert action_notice(action(), "de", texts=texts) == action_notice(action(), "de")


def test_a_pack_without_texts_has_the_shipped_ones(tmp_path: Path) -> None:
    assert load(tmp_path / "notices") == (shipped_texts(), [])
    assert action_notice(action(), texts=Texts()) == action_notice(action())


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('remove_post = "Your post was removed{until}."\n', "", "[consequences]", "Field required"),
        ("Your post was removed{until}", "Your post was removed{untill}", "remove_post", "{untill} is unknown here; there are {until}"),
        ("{label}”{until}", "{until}", "label_post", "{label} is missing"),
        ("removed{until}", "removed{until!r}", "remove_post", "no placeholder"),
        ("removed{until}", "removed{until:>9}", "remove_post", "no placeholder"),
        ("removed{until}", "removed{until.year}", "remove_post", "no placeholder"),
        ("removed{until}", "removed{0}", "remove_post", "no placeholder"),
        ("removed{until}", "removed{until", "remove_post", "expected '}'"),
        ('violence = "violence"\n', "", "[policies]", "violence missing"),
        ('"January", ', "", "months", "12 items"),
        (", {clock} UTC", ", {clock}", "[time]", "UTC"),
        ("[places]", "[places]\nfoot = 'x'", "foot", "Extra inputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_text_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: str, reason: str
) -> None:
    text = (SHIPPED / "en.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "en.toml").write_text(text := text.replace(old, new, 1), "utf-8")
    _, problems = load(tmp_path)
    assert problems
    assert reason in problems[0].reason
    assert problems[0].file == tmp_path / "en.toml"
    if not reason.endswith("missing") or not line.startswith("["):  # a whole file's fault has no line
        assert line in text.splitlines()[(problems[0].line or 0) - 1]


@pytest.mark.parametrize("name", ["english.toml", "en.txt", "EN.toml", "e1.toml"])
def test_a_file_that_is_no_language_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("", "utf-8")
    (problem,) = load(tmp_path)[1]
    assert "name it after its language" in problem.reason
