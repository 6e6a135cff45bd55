"""What the affected account is told: the rule, what was found, what follows, and how to appeal.

Each notice is written in a language in which the pack has texts (see `worker.engine.notice_texts`): the one that is
asked for, else English; `lang` says which. Without `texts` the shipped ones are used.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

from schemas.enforcement import Enforcement, Subject
from schemas.notices import Notice, NoticeKind
from worker.engine.chain import Judgement
from worker.engine.enforce import Case
from worker.engine.ids import digest
from worker.engine.notice_texts import NoticeTexts, Texts, load_texts
from worker.engine.state import APPEAL_DAYS, Account
from worker.engine.times import later
from worker.engine.tomlfile import PackError, Problem

SHIPPED = Path(__file__).resolve().parent.parent / "policies" / "notices"
AppealKind = Literal["appeal_received", "appeal_refused", "appeal_outcome"]
AppealReason = Literal["late", "second", "foreign", "decider", "upheld", "overturned"]
_MOST_FOUND = 5
_CONTESTED_BY_COUNTER_NOTICE = frozenset({"copyright", "trademark"})


@cache
def shipped_texts() -> Texts:
    """The texts that ship with the worker.

    Raises:
        PackError: they are broken.
    """
    problems: list[Problem] = []
    texts = load_texts(SHIPPED, problems)
    if problems:
        raise PackError(problems)
    return texts


def language_of(account: Account | None) -> str | None:
    """The language in which an account was last read; None when none is known that has texts."""
    lang = None if account is None else account.traits.get("lang")
    return lang if isinstance(lang, str) else None


def consequence_of(action: Enforcement, texts: NoticeTexts | None = None) -> str:
    """One sentence on what an action does."""
    texts = texts or shipped_texts().of("en")
    until = ""
    if action.expires_at is not None:
        until = " " + texts.sentences.until.format(time=texts.moment(action.expires_at))
    key = action.mode if action.kind == "suspend" else f"{action.kind}_{action.subject.type}"
    sentence: str = getattr(texts.consequences, key or "suspended")
    return sentence.format(until=until, label=_label(action, texts))


def found_in(action: Enforcement, texts: NoticeTexts | None = None) -> str:
    """What was found and where, in words, without repeating the text. What it is, is said in the pack's own words."""
    texts = texts or shipped_texts().of("en")
    found = []
    told = [item for item in action.evidence if item.detail] or list(action.evidence)
    for item in told[:_MOST_FOUND]:
        place: str = getattr(texts.places, _place(item.field))
        if item.start is not None:
            place += " " + texts.places.span.format(start=item.start, end=item.end)
        found.append(texts.places.item.format(what=item.detail or item.signal, place=place))
    return "; ".join(dict.fromkeys(found))


def action_notice(
    action: Enforcement, lang: str | None = None, *, warning: bool = False, texts: Texts | None = None
) -> Notice:
    """The notice of an action applied; `warning`: a first offence, of which no strike is counted.

    An appeal is possible for 20 days from the decision.
    """
    chosen, own = _chosen(texts, lang)
    until = later(action.decided_at, days=APPEAL_DAYS)
    consequence, found = consequence_of(action, own), found_in(action, own)
    sentences = own.sentences
    body = (own.bodies.warning if warning else own.bodies.action).format(
        consequence=consequence,
        policy=own.policies[action.policy],
        clause=action.clause,
        found=found,
        source=_added(getattr(sentences, action.source)),
        strikes=_added(
            sentences.strikes.format(active=action.strikes.active) if action.strikes.added else ""
        ),
        appeal=sentences.appeal.format(time=own.moment(until)),
        counter_notice=_added(
            sentences.counter_notice
            if action.policy in _CONTESTED_BY_COUNTER_NOTICE and action.kind != "suspend"
            else ""
        ),
    )
    kind: NoticeKind = "warning" if warning else "action"
    return _notice(action, kind, chosen, body, action.decided_at, consequence, found, until)


def reversal_notice(
    reverse: Enforcement, still: bool = False, lang: str | None = None, *, texts: Texts | None = None
) -> Notice:
    """The notice of a `reverse`: the action has ended, or a person took it back (`source` human).

    `still`: another action of the same kind on the same subject stands, so that nothing changes for now.
    """
    chosen, own = _chosen(texts, lang)
    sentence = _ended(reverse, still, own)
    body = own.bodies.reversed if reverse.source == "human" else own.bodies.reversal
    body = body.format(ended=sentence, policy=own.policies[reverse.policy])
    return _notice(reverse, "reversal", chosen, body, reverse.decided_at, sentence)


def appeal_notice(
    kind: AppealKind,
    appeal_id: str,
    account_id: str,
    at: datetime,
    action: Enforcement | None = None,
    lang: str | None = None,
    *,
    reason: AppealReason | None = None,
    still: bool = False,
    counts: bool = False,
    review_id: str | None = None,
    texts: Texts | None = None,
) -> Notice:
    """The notice about an appeal, to the account that made it, at a time.

    `action` is the contested action as applied; None for one that is not the account's, of which nothing is told.
    `reason` says why an appeal is refused (late, second, foreign), that a review of it is (decider: who decided first
    may not decide it, and it stays open; `review_id` names that review), or how it ended (upheld, overturned). Of an
    overturned one `still` is as for `reversal_notice`, and `counts` says that a strike of its case still counts.
    """
    chosen, own = _chosen(texts, lang)
    consequence = None
    values = {
        "days": str(APPEAL_DAYS),
        "policy": "",
        "clause": "",
        "consequence": "",
        "ended": "",
        "strikes": "",
    }
    if action is not None:
        consequence = consequence_of(action, own)
        ended = _ended(action, still, own)
        values |= {
            "consequence": consequence,
            "ended": ended,
            "clause": action.clause,
            "policy": own.policies[action.policy],
            "strikes": "" if counts else _added(own.sentences.no_strike),
        }
        if reason == "overturned":
            consequence = ended
    text = {
        "appeal_received": own.bodies.appeal_received,
        "late": own.bodies.refused_late,
        "second": own.bodies.refused_second,
        "foreign": own.bodies.refused_foreign,
        "decider": own.bodies.refused_decider,
        "upheld": own.bodies.upheld,
        "overturned": own.bodies.overturned,
    }[reason or kind]
    return Notice(
        schema_version=1,
        notice_id=digest("notice", kind, appeal_id, account_id, *([] if review_id is None else [review_id])),
        kind=kind,
        account_id=account_id,
        subject=None if action is None else action.subject,
        action_id=None if action is None else action.action_id,
        policy=None if action is None else action.policy,
        clause=None if action is None else action.clause,
        found=None,
        consequence=consequence,
        expires_at=None if action is None or reason == "overturned" else action.expires_at,
        appeal_until=None,
        lang=chosen,
        body=text.format(**values).strip(),
        created_at=at,
    )


def support_notice(
    case: Case, judgement: Judgement, lang: str | None = None, *, texts: Texts | None = None
) -> Notice:
    """The offer of help to a person who may be in danger, in the post's language where we have it, else in `lang`.

    It accuses nobody of anything: it names no clause, no finding and no consequence.
    """
    chosen, own = _chosen(texts, case.subject.lang, lang)
    return Notice(
        schema_version=1,
        notice_id=digest("notice", "support", case.subject.account_id, case.cause),
        kind="support",
        account_id=case.subject.account_id,
        subject=Subject(type=case.subject.kind, id=case.subject.id),
        action_id=None,
        policy=judgement.loaded.policy.id,
        clause=None,
        found=None,
        consequence=None,
        expires_at=None,
        appeal_until=None,
        lang=chosen,
        body=own.bodies.support,
        created_at=case.now,
    )


def _chosen(texts: Texts | None, *wanted: str | None) -> tuple[str, NoticeTexts]:
    if texts is None or not texts.languages:
        texts = shipped_texts()
    lang = texts.language(*wanted)
    return lang, texts.of(lang)


def _label(action: Enforcement, texts: NoticeTexts) -> str:
    return "" if action.label is None else texts.labels[action.label]


def _place(path: str) -> str:
    """The key of the place that a field is."""
    name = path.removeprefix("profile.").removeprefix("author.")
    if name in {"handle", "display_name", "bio", "avatar", "header"}:
        return name
    if path.startswith("media["):
        return "media"
    return "text" if path == "text" else "other"


def _ended(action: Enforcement, still: bool, texts: NoticeTexts) -> str:
    if still:
        return texts.ends.still_suspended if action.kind == "suspend" else texts.ends.still_limited
    key = "suspend" if action.kind == "suspend" else f"{action.kind}_{action.subject.type}"
    sentence: str = getattr(texts.ends, key)
    return sentence.format(label=_label(action, texts))


def _added(sentence: str) -> str:
    """A sentence that follows another, or nothing."""
    return " " + sentence if sentence else ""


def _notice(
    action: Enforcement,
    kind: NoticeKind,
    lang: str,
    body: str,
    created_at: datetime,
    consequence: str,
    found: str = "",
    appeal_until: datetime | None = None,
) -> Notice:
    return Notice(
        schema_version=1,
        notice_id=digest("notice", kind, action.action_id),
        kind=kind,
        account_id=action.account_id,
        subject=action.subject,
        action_id=action.action_id,
        policy=action.policy,
        clause=action.clause,
        found=found,
        consequence=consequence,
        expires_at=action.expires_at,
        appeal_until=appeal_until,
        lang=lang,
        body=body,
        created_at=created_at,
    )
