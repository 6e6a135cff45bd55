from __future__ import annotations

import json
import string
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.base import encode
from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes, Subject
from schemas.queue import QueueItem
from schemas.reports import Report
from schemas.statements import Statement
from tests.worker.engine.helpers import Feed, at, outputs, post, topics
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack, StatementsFile
from worker.engine.statements import Brought, Matter, Statements, matter_of_item, matter_of_subject
from worker.engine.subjects import report_subject
from worker.filing import read_statement

DAY = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def action(**changes: Any) -> Enforcement:
    fields: dict[str, Any] = {
        "action_id": "a" * 32,
        "operation": "apply",
        "kind": "remove",
        "subject": Subject(type="post", id="1790000000000000001"),
        "account_id": "u42",
        "post_id": "1790000000000000001",
        "policy": "violence",
        "policy_version": 3,
        "pack": "plain-1",
        "clause": "You may not zap.",
        "score": 0.85,
        "evidence": (EvidenceItem(signal="plain.sure", field="text", start=0, end=3, score=0.85),),
        "strikes": Strikes(added=1, active=2),
        "source": "automated",
        "decided_at": DAY,
        "record": RecordRef(topic="posts", partition=0, offset=17),
        **changes,
    }
    return Enforcement(schema_version=1, **fields)


def of(pack: Pack, made: Enforcement, matter: Matter | None = None) -> Statement:
    statement = Statements(pack).of(made, matter)
    assert statement is not None
    return statement


def suspension(mode: str, **changes: Any) -> Enforcement:
    return action(kind="suspend", mode=mode, subject=Subject(type="account", id="u42"), **changes)


def test_a_statement_says_what_was_done_and_why(pack: Pack) -> None:
    statement = of(pack, action(), Matter(datetime(2026, 11, 20, tzinfo=UTC), "en", ("text", "image")))
    assert read_statement(json.loads(encode(statement))) == statement
    assert statement.content_date == date(2026, 11, 20)
    assert statement.application_date == date(2026, 11, 22)
    assert statement.content_language == "EN"
    assert statement.content_type == ("CONTENT_TYPE_TEXT", "CONTENT_TYPE_IMAGE")
    assert statement.decision_visibility == ("DECISION_VISIBILITY_CONTENT_REMOVED",)
    assert statement.decision_ground == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert statement.incompatible_content_ground == "You may not zap."
    assert statement.incompatible_content_illegal is None
    assert statement.category == "STATEMENT_CATEGORY_VIOLENCE"
    assert statement.source_type == "SOURCE_VOLUNTARY"
    assert (statement.automated_detection, statement.automated_decision) == (
        "Yes",
        "AUTOMATED_DECISION_FULLY",
    )
    assert statement.decision_facts == (
        "Automated means found and decided that the rule on Plain (policy violence, version 3) was broken: "
        "signs of it in the text. The post was removed. The score was 0.85 of 1."
    )
    assert len(statement.territorial_scope) == 27


def test_the_puid_follows_from_the_action_alone(pack: Pack) -> None:
    first = of(pack, action(), Matter(DAY, "en"))
    assert of(pack, action(score=0.9)).puid == first.puid
    assert of(pack, action(action_id="b" * 32)).puid != first.puid
    assert "a" * 32 not in encode(first).decode()


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (action(kind="remove", expires_at=LATER), {"decision_visibility": ("DISABLED",), "visibility": date(2026, 11, 25)}),
        (action(kind="label", label="limited-visibility"), {"decision_visibility": ("DEMOTED",)}),
        (action(kind="label", label="sensitive-media"), {"decision_visibility": ("LABELLED",)}),
        (action(kind="label", label="graphic-media"), {"decision_visibility": ("LABELLED",)}),
        (suspension("suspended"), {"decision_account": "DECISION_ACCOUNT_SUSPENDED"}),
        (suspension("suspended", expires_at=LATER), {"decision_account": "DECISION_ACCOUNT_SUSPENDED", "account": date(2026, 11, 25)}),
        (suspension("read_only", expires_at=LATER), {"decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION", "service": date(2026, 11, 25)}),
        (suspension("verify"), {"decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION"}),
        (suspension("edit_required"), {"decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION"}),
    ],
)  # fmt: skip
def test_every_kind_of_action_has_its_code_and_end(
    pack: Pack, made: Enforcement, fields: dict[str, Any]
) -> None:
    statement = of(pack, made)
    assert read_statement(json.loads(encode(statement)))
    visible = tuple(
        code.removeprefix("DECISION_VISIBILITY_CONTENT_") for code in statement.decision_visibility
    )
    assert visible == fields.get("decision_visibility", ())
    assert statement.decision_account == fields.get("decision_account")
    assert statement.decision_provision == fields.get("decision_provision")
    assert statement.end_date_visibility_restriction == fields.get("visibility")
    assert statement.end_date_account_restriction == fields.get("account")
    assert statement.end_date_service_restriction == fields.get("service")


@pytest.mark.parametrize(
    ("subject", "evidence", "expected", "other"),
    [
        (Subject(type="profile_field", id="u42/bio"), "profile.bio", ("CONTENT_TYPE_TEXT",), None),
        (Subject(type="profile_field", id="u42/avatar"), "profile.avatar", ("CONTENT_TYPE_IMAGE",), None),
        (Subject(type="media", id="1/m1"), "media[0]", ("CONTENT_TYPE_OTHER",), "media item"),
        (Subject(type="account", id="u42"), "account", ("CONTENT_TYPE_OTHER",), "account"),
        (Subject(type="post", id="1"), "reports", ("CONTENT_TYPE_OTHER",), "post"),
    ],
)
def test_without_the_content_the_action_tells_its_kind(
    pack: Pack, subject: Subject, evidence: str, expected: tuple[str, ...], other: str | None
) -> None:
    item = EvidenceItem(signal="plain.sure", field=evidence, score=0.5)
    changes = {"kind": "suspend", "mode": "suspended"} if subject.type == "account" else {}
    statement = of(pack, action(subject=subject, evidence=(item,), **changes), None)
    assert (statement.content_type, statement.content_type_other) == (expected, other)
    assert read_statement(json.loads(encode(statement)))


def _item(reason: str, policy: str = "violence") -> QueueItem:
    return QueueItem(
        schema_version=1, item_id="i", reason=reason, subject=Subject(type="post", id="1"), account_id="u42",
        policy=policy, priority=50, due_at=LATER, created_at=DAY, record=RecordRef(topic="posts", partition=0, offset=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "matter", "brought", "detected", "decided"),
    [
        ("automated", Matter(), "SOURCE_VOLUNTARY", "Yes", "FULLY"),
        ("report", Matter(brought=Brought.NOTICE, detected=False), "SOURCE_ARTICLE_16", "No", "FULLY"),
        ("human", None, "SOURCE_VOLUNTARY", "No", "NOT_AUTOMATED"),
        ("human", matter_of_item(_item("uncertain")), "SOURCE_VOLUNTARY", "Yes", "PARTIALLY"),
        ("human", matter_of_item(_item("breaker")), "SOURCE_VOLUNTARY", "Yes", "PARTIALLY"),
        ("human", matter_of_item(_item("report")), "SOURCE_TYPE_OTHER_NOTIFICATION", "No", "NOT_AUTOMATED"),
        ("human", matter_of_item(_item("report", "copyright")), "SOURCE_ARTICLE_16", "No", "NOT_AUTOMATED"),
    ],
)
def test_who_brought_it_up_and_who_decided(
    pack: Pack, source: str, matter: Matter | None, brought: str, detected: str, decided: str
) -> None:
    statement = of(pack, action(source=source), matter)
    assert statement.source_type == brought
    assert statement.source_identity is None
    assert statement.automated_detection == detected
    assert statement.automated_decision == f"AUTOMATED_DECISION_{decided}"


@pytest.mark.parametrize(("trusted", "brought"), [(True, Brought.TRUSTED), (False, Brought.NOTICE)])
def test_a_rights_holders_report_is_a_notice_of_something_illegal(trusted: bool, brought: Brought) -> None:
    report = Report.model_validate(
        {"schema_version": 1, "report_id": "r", "reporter_id": "u9", "subject": {"type": "post", "id": "1"},
         "account_id": "u42", "reason": "copyright", "trusted": trusted, "created_at": at(),
         "rights": {"owner": "o", "work": "w", "basis": "copyright", "good_faith": True}}
    )  # fmt: skip
    subject = report_subject(report)
    assert subject is not None
    assert matter_of_subject(subject) == Matter(brought=brought, detected=False)


def test_reversals_and_exempt_policies_make_no_statement(pack: Pack) -> None:
    assert Statements(pack).of(action(operation="reverse", reverses="b" * 32)) is None
    exempt = Statements(pack)
    exempt._policies = {"violence": pack.policies[0].policy.model_copy(update={"dsa_statement": False})}
    assert exempt.of(action()) is None


def test_a_persons_action_by_a_policy_that_the_pack_lacks_is_of_the_terms(pack: Pack) -> None:
    statement = of(pack, action(policy="copyright", source="human", clause="You may not copy."))
    assert statement.category == "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
    assert read_statement(json.loads(encode(statement)))


def test_long_clauses_are_cut(pack: Pack) -> None:
    ground = of(pack, action(clause="x" * 900)).incompatible_content_ground
    assert ground is not None
    assert len(ground) == 500


def test_the_pack_names_the_countries() -> None:
    assert StatementsFile(territorial_scope=("DE", "NO")).territorial_scope == ("DE", "NO")
    with pytest.raises(ValueError, match="US is no country of the EU or the EEA"):
        StatementsFile(territorial_scope=("DE", "US"))


# -- in the engine ------------------------------------------------------------------------------------

PERSONAL = {
    "handle": "annexample77",
    "display_name": "Annabella Exempelson",
    "account": "account-8842917",
    "post": "1790000000000077123",
    "mention": "account-5512345",
    "mail": "ann.exempelson@mailbox.invalid",
    "phone": "+49 151 23456789",
    "street": "Musterstrasse 12b",
    "device": "d:9f12ab77",
    "network": "n:77cc01de",
    "media": "media-4417",
}


def _personal(text: str, post_id: str, when: str) -> dict[str, Any]:
    content = f"{text} {PERSONAL['display_name']} {PERSONAL['mail']} {PERSONAL['phone']} {PERSONAL['street']}"
    return {
        **post(content, post_id, PERSONAL["account"], when),
        "mentions": [PERSONAL["mention"]],
        "author": {
            "handle": PERSONAL["handle"],
            "display_name": PERSONAL["display_name"],
            "bio": f"{text} bio",
        },
        "client": {"app": "web", "device": PERSONAL["device"], "network": PERSONAL["network"]},
        "media": [{"media_id": PERSONAL["media"], "kind": "image", "alt_text": f"{text} {PERSONAL['mail']}"}],
    }


def test_no_personal_data_leaves_in_a_statement(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0, statements=True)
    words = ("zap", "zonk", "quux42")
    posts = [
        _personal(word, f"{PERSONAL['post']}{number}", at(number)) for number, word in enumerate(words * 3)
    ]
    profile = {
        "schema_version": 1, "account_id": PERSONAL["account"], "updated_at": at(20),
        "profile": {"handle": PERSONAL["handle"], "display_name": PERSONAL["display_name"], "bio": "I zap things"},
    }  # fmt: skip
    judged = judge.judge([*feed.posts(*posts), feed.record("accounts", profile)])
    statements = [output for output in judged.outputs if output.topic == "statements"]
    actions = [output for output in judged.outputs if output.topic.startswith("enforcement.")]
    assert len(statements) == len(actions) > 3
    for output in statements:
        assert output.value is not None
        assert read_statement(json.loads(output.value))
        text = output.value.decode().lower()
        for name, personal in PERSONAL.items():
            assert personal.lower() not in text, name
            assert all(part.lower() not in text for part in personal.split() if len(part) > 4), name
    puids = [json.loads(output.value or b"")["puid"] for output in statements]
    ids = {json.loads(output.value or b"")["action_id"] for output in actions}
    assert len(set(puids)) == len(puids)
    assert ids.isdisjoint(puids)


def test_statements_are_off_unless_asked_for_and_change_nothing_else(pack: Pack) -> None:
    plain, stating = PartitionJudge(pack, 0), PartitionJudge(pack, 0, statements=True)
    without = plain.judge(Feed().posts(post("zap")))
    with_them = stating.judge(Feed().posts(post("zap")))
    assert topics(without) == ["decisions", "enforcement.remove", "notices"]
    assert topics(with_them) == [*topics(without), "statements"]
    assert [o for o in with_them.outputs if o.topic != "statements"] == without.outputs
    assert with_them.state == without.state
    assert with_them.tally["moderator_statements_total", "violence"] == 1
    assert ("moderator_statements_total", "violence") not in without.tally


def _reviewed(judge: PartitionJudge, feed: Feed, **fields: Any) -> list[dict[str, Any]]:
    review = {
        "schema_version": 1,
        "review_id": "v1",
        "reviewer_id": "mod:3",
        "account_id": "u1",
        "created_at": at(30),
        **fields,
    }
    return outputs(judge.judge([feed.record("reviews", review, b"u1")]), "statements")


def test_what_moderators_do_makes_statements_too(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0, statements=True)
    queued = outputs(judge.judge(feed.posts(post("blip", "1", when=at(0)))), "review.queue")
    [upheld] = _reviewed(judge, feed, outcome="uphold", item_id=queued[0]["item_id"])
    assert upheld["automated_decision"] == "AUTOMATED_DECISION_PARTIALLY"
    assert upheld["automated_detection"] == "Yes"
    assert (upheld["content_date"], upheld["application_date"]) == ("2026-11-22", "2026-11-23")
    judge.judge(feed.posts(post("fine", "2", when=at(1))))
    act = {"operation": "apply", "kind": "remove", "policy": "violence"}
    [acted] = _reviewed(
        judge, feed, review_id="v2", outcome="act", subject={"type": "post", "id": "2"}, action=act
    )
    assert acted["automated_decision"] == "AUTOMATED_DECISION_NOT_AUTOMATED"
    assert acted["automated_detection"] == "No"
    assert acted["content_date"] == "2026-11-22"
    assert "as a moderator saw it" in acted["decision_facts"]
    assert all(read_statement(statement) for statement in (upheld, acted))
    undone = _reviewed(
        judge, feed, review_id="v3", outcome="act", subject={"type": "post", "id": "2"},
        action={**act, "operation": "reverse"},
    )  # fmt: skip
    assert undone == []


def test_the_end_of_an_action_makes_no_statement(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0, statements=True)
    made = judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(4))))
    assert any(record["kind"] == "suspend" for record in outputs(made, "enforcement.suspend"))
    ended = judge.expire(datetime(2027, 6, 1, tzinfo=UTC))
    assert outputs(ended, "enforcement.suspend")
    assert outputs(ended, "statements") == []


_IDS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=20)


@settings(max_examples=150, deadline=None)
@given(
    account=_IDS, name=_IDS, detail=_IDS, strange=_IDS,
    kind=st.sampled_from(["remove", "label", "suspend"]),
    subject=st.sampled_from(["post", "profile_field", "account", "media"]),
    field=st.sampled_from(["text", "media[0].alt_text", "profile.bio", "author.handle", "quotes.text"]),
    signal=st.sampled_from(["plain.sure", "violence.anything", "learned.violence"]),
    source=st.sampled_from(["automated", "human", "report"]),
    expires=st.sampled_from([None, LATER]),
    lang=st.sampled_from([None, "en", "deu", "ja", "zz-invented"]),
    types=st.sets(st.sampled_from(["text", "image", "video", "audio", "synthetic", "other"])),
)  # fmt: skip
def test_every_statement_is_one_that_the_database_takes_and_names_nobody(
    pack: Pack, account: str, name: str, detail: str, strange: str, kind: str, subject: str, field: str, signal: str,
    source: str, expires: datetime | None, lang: str | None, types: set[str],
) -> None:  # fmt: skip
    made = action(
        kind=kind,
        label="misleading" if kind == "label" else None,
        mode="suspended" if kind == "suspend" else None,
        subject=Subject(type="account" if kind == "suspend" else subject, id=f"{account}/{name}"),
        account_id=account,
        post_id=name,
        evidence=(
            EvidenceItem(signal=signal, field=field, score=0.9, detail=f"looks like {detail}"),
            EvidenceItem(signal=f"unheard.{strange}", field=f"{strange}.text", score=0.8),
        ),
        source=source,
        expires_at=expires,
    )
    for matter in (None, Matter(DAY, lang, tuple(sorted(types)))):
        statement = of(pack, made, matter)
        value = encode(statement)
        assert read_statement(json.loads(value)) == statement
        assert not any(word in value.decode() for word in (account, name, detail, strange))
