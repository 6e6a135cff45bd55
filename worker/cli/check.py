"""`moderator check`: judges one text and shows why."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.text import Text

from schemas.posts import Post
from worker.cli import describe
from worker.cli.errors import VIOLATION_OR_FAILED, CommandError
from worker.cli.marking import mark, underline
from worker.cli.options import AsJson, Only, Policies
from worker.cli.output import emit_json, emit_table, stdout
from worker.cli.packs import load
from worker.engine.assess import Assessment, assess
from worker.engine.chain import Judgement
from worker.engine.contract import Evidence
from worker.engine.decide import rung_of
from worker.engine.registry import Pack


def check(
    *,
    text: Annotated[
        str, typer.Argument(help="The text to judge; - reads it from standard input.", show_default=False)
    ],
    lang: Annotated[
        str | None, typer.Option(help="Language of the text (BCP 47), if known.", show_default=False)
    ] = None,
    reply_to: Annotated[
        str | None, typer.Option(help="Text of the post that it answers.", show_default=False)
    ] = None,
    quotes: Annotated[
        str | None, typer.Option(help="Text of the post that it quotes.", show_default=False)
    ] = None,
    policies: Policies = None,
    only: Only = None,
    json: AsJson = False,
) -> None:
    """Judges one text, marks the evidence in it and says what would happen.

    Exit code 1 when it violates a policy, 0 when not (a text for review included).
    """
    post = _post(_read(text), lang, reply_to, quotes)
    pack = load(policies, only or ())
    assessment = assess(pack, [post])[0]
    if json:
        emit_json(_report(pack, assessment))
    else:
        _show(pack, post, assessment)
    if assessment.outcome == "violation":
        raise typer.Exit(VIOLATION_OR_FAILED)


def _read(text: str) -> str:
    if text != "-":
        return text
    data = sys.stdin.buffer.read()
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise CommandError(
            f"standard input, byte {error.start}: not UTF-8", hint="Convert the text to UTF-8 first."
        ) from error


def _post(text: str, lang: str | None, reply_to: str | None, quotes: str | None) -> Post:
    def other(number: str, words: str | None) -> dict[str, str] | None:
        return None if words is None else {"post_id": number, "author_id": "other", "text": words}

    surface = "reply" if reply_to is not None else "quote" if quotes is not None else "post"
    fields: dict[str, Any] = {
        "schema_version": 1,
        "post_id": "checked",
        "author_id": "author",
        "created_at": datetime.now(UTC),
        "text": text,
        "lang": lang,
        "surface": surface,
        "in_reply_to": other("parent", reply_to),
        "quotes": other("quoted", quotes),
    }
    try:
        return Post.model_validate(fields)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        ]
        raise CommandError(
            "this is no valid post: " + "; ".join(faults), hint="See the posts topic of the contract."
        ) from error


def _spans(evidence: tuple[Evidence, ...], field: str) -> list[tuple[int, int]]:
    return [
        (item.start, item.end)
        for item in evidence
        if item.field == field and item.start is not None and item.end is not None
    ]


def _word(judgement: Judgement) -> str:
    """What to call a judgement: its outcome, `review` when a person must look, `near` for a score below that."""
    return "near" if judgement.word == "clear" and judgement.score > 0.0 else judgement.word


def _consequence(judgement: Judgement) -> str:
    """What this verdict would do to an account without earlier strikes."""
    policy = judgement.loaded.policy
    if judgement.outcome == "failed":
        done = "review: the rule failed"
    elif judgement.outcome == "violation":
        done = " + ".join(describe.action(planned) for planned in rung_of(judgement, 0).actions)
    elif judgement.doubtful:
        done = f"review within {policy.review.due_hours} h"
    else:
        return ""
    return done if judgement.enforced else f"nothing: {policy.status} ({done})"


def _report(pack: Pack, assessment: Assessment) -> dict[str, Any]:
    return {
        "outcome": assessment.outcome,
        "pack": pack.id,
        "actions": [{"kind": kind, "policy": policy} for kind, policy in assessment.actions],
        "verdicts": [_verdict(judgement) for judgement in assessment.judgements],
    }


def _verdict(judgement: Judgement) -> dict[str, Any]:
    policy = judgement.loaded.policy
    return {
        "policy": policy.id,
        "version": policy.version,
        "status": policy.status,
        "outcome": judgement.outcome,
        "review": judgement.doubtful,
        "score": None if judgement.outcome == "failed" else round(judgement.score, 6),
        "threshold": policy.threshold,
        "clause": policy.clause,
        "consequence": _consequence(judgement),
        "evidence": [describe.evidence(item) for item in judgement.evidence],
    }


def _show(pack: Pack, post: Post, assessment: Assessment) -> None:
    console = stdout()
    headline = Text(assessment.outcome, style=describe.OUTCOME_STYLES.get(assessment.outcome, ""))
    headline.append(f"   pack {pack.id}", style="dim")
    console.print(headline)
    console.print()
    spans = [span for judgement in assessment.judgements for span in _spans(judgement.evidence, "text")]
    if console.is_terminal:
        console.print(mark(post.text, spans))
    else:
        console.print(underline(post.text, spans), markup=False)
    console.print()
    shown = sorted((j for j in assessment.judgements if j.notable), key=lambda judgement: -judgement.score)
    unread = [j.loaded.policy.id for j in assessment.judgements if j.uncovered and not j.notable]
    if unread:
        console.print(Text(f"Not judged in this language by: {', '.join(unread)}", style="dim"))
    if not shown:
        console.print("No policy found anything in it.")
        return
    emit_table("", ["policy", "verdict", "score", "what would happen", "clause"], [_row(j) for j in shown])
    evidence = [
        [item.signal, describe.place(item), f"{item.score:.2f}", item.detail]
        for j in shown
        for item in j.evidence
    ]
    if evidence:
        emit_table("", ["evidence", "where", "score", "what"], evidence)


def _row(judgement: Judgement) -> list[str | Text]:
    policy, word = judgement.loaded.policy, _word(judgement)
    return [
        Text(policy.id, style="bold"),
        Text(word, style=describe.OUTCOME_STYLES.get(word, "dim")),
        f"{judgement.score:.2f} of {policy.threshold:.2f}",
        _consequence(judgement),
        policy.clause,
    ]
