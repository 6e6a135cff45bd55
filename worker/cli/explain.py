"""`moderator explain`: why one post was judged as it was, and what would have changed that."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from schemas.base import format_time
from worker.cli import describe
from worker.cli.errors import BAD_USAGE, UNREACHABLE, CommandError
from worker.cli.inputs import open_lines
from worker.cli.marking import mark, underline
from worker.cli.options import AsJson, OwnBroker, Policies, TopicPrefix
from worker.cli.output import emit_json, say, stdout
from worker.cli.packs import load
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.engine.explaining import Change, Explanation, PolicyExplanation
from worker.engine.explaining import explain as take_apart
from worker.engine.limits import MEANINGS
from worker.engine.policy import Rung
from worker.engine.registry import Pack
from worker.engine.scored import Weighed
from worker.engine.times import EPOCH
from worker.reading import reader
from worker.trial import MediaTrial, PostNotFoundError, Trial, find_post, find_signals, lines_of

_TOPICS = ("posts", "accounts", "media.signals")


def explain(
    *,
    post_id: Annotated[str, typer.Argument(help="Id of the post.", show_default=False)],
    file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help='JSONL of posts, or of {"topic", "value"}, plain or gzip; - is standard input.',
            show_default=False,
        ),
    ] = None,
    broker: OwnBroker = None,
    topic_prefix: TopicPrefix = "",
    limit: Annotated[
        int, typer.Option(min=1, help="With --broker: look through so many of the newest records.")
    ] = 200_000,
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Judges one post again as its account stood then, and shows every rule, signal, span, weight and strike.

    The records before it are replayed first, so that strikes are counted; then each signal that fired is taken
    away in turn, to say what would have changed the outcome. What was found later in the post's media is shown with what
    followed from it. Nothing is published.
    """
    if (file is None) == (broker is None):
        raise CommandError(
            "give either --from FILE or --broker HOST:PORT", hint="See moderator explain --help."
        )
    pack = load(policies)
    lines = _from_file(file) if file is not None else _from_broker(broker or "", topic_prefix, limit, post_id)
    try:
        trial = find_post(pack, lines, post_id)
    except PostNotFoundError as error:
        where = file if file is not None else f"the newest {limit:,} records of {broker}"
        raise CommandError(
            f"no post {post_id} in {where}", hint="Deleted posts have nothing to explain.", code=BAD_USAGE
        ) from error
    explanation = take_apart(
        pack, trial.subject, trial.now, trial.active_strikes, trial.by_policy, trial.account
    )
    media = [
        (one, take_apart(pack, one.subject, one.now, *_standing(one)))
        for one in find_signals(pack, lines, post_id)
    ]
    if json:
        emit_json({**_report(pack, trial, explanation), "media": [_media(*one) for one in media]})
    else:
        _show(pack, trial, explanation)
        for one in media:
            _show_media(*one)


def _from_file(file: str) -> list[bytes]:
    with open_lines(file) as lines:
        return list(lines)


def _from_broker(broker: str, prefix: str, limit: int, post_id: str) -> list[bytes]:
    try:
        with reader(broker, _TOPICS, prefix, client_options=client_options()) as topics:
            records = topics.latest(limit)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    needle = post_id.encode()
    keys = {record.key for record in records if record.topic == "posts" and needle in (record.value or b"")}
    return [line for key in sorted(k for k in keys if k) for line in lines_of(records, key.decode())]


def _report(pack: Pack, trial: Trial, explanation: Explanation) -> dict[str, Any]:
    ruling = explanation.ruling
    return {
        "post_id": trial.post.post_id,
        "account_id": trial.post.author_id,
        "at": format_time(trial.now),
        "pack": pack.id,
        "outcome": ruling.outcome,
        "records_before": trial.records_before,
        "strikes": {
            "active": trial.active_strikes,
            "held": [
                {"policy": policy, "weight": weight, "expires_at": format_time(expires)}
                for policy, weight, expires in trial.strikes
            ],
        },
        "in_force": [action.action_id for action in trial.in_force],
        "counters": [
            {
                "limit": one.limit.name,
                "counter": one.limit.counter,
                "window_minutes": one.limit.window_minutes,
                "found": one.found,
                "at_least": one.limit.at_least,
                "reached": one.reached,
            }
            for one in explanation.counters
        ],
        "policies": [_policy(policy) for policy in explanation.policies],
    }


def _standing(trial: MediaTrial) -> tuple[int, dict[str, int]]:
    """The account's active strikes, and those of each policy."""
    now_ms = (trial.now - EPOCH) // timedelta(milliseconds=1)
    return trial.account.active_strikes(now_ms), trial.account.strikes_by_policy(now_ms)


def _media(trial: MediaTrial, explanation: Explanation) -> dict[str, Any]:
    return {
        "media_id": trial.signals.media_id,
        "at": format_time(trial.now),
        "outcome": explanation.ruling.outcome,
        "ahead": trial.ahead,
        "strikes": {"active": explanation.active_strikes},
        "policies": [_policy(policy) for policy in explanation.policies],
    }


def _show_media(trial: MediaTrial, explanation: Explanation) -> None:
    console = stdout()
    outcome = explanation.ruling.outcome
    console.print()
    headline = Text(outcome, style=describe.OUTCOME_STYLES.get(outcome, ""))
    when = "before the post came" if trial.ahead else "after the post was judged"
    headline.append(f"   media {trial.signals.media_id}, found {format_time(trial.now)}, {when}", style="dim")
    console.print(headline)
    for part in sorted(explanation.policies, key=lambda p: -p.judgement.score):
        if part.judgement.notable:
            console.print(_tree(part))


def _policy(part: PolicyExplanation) -> dict[str, Any]:
    judgement = part.judgement
    policy = judgement.loaded.policy
    return {
        "policy": policy.id,
        "version": policy.version,
        "status": policy.status,
        "outcome": part.judgement.word,
        "score": round(judgement.score, 6),
        "review_score": policy.review.score,
        "threshold": policy.threshold,
        "asked": judgement.asked,
        "uncovered_language": judgement.uncovered,
        "rung": None if part.rung is None else describe.rung(part.rung),
        "next_rung": None if part.next_rung is None else describe.rung(part.next_rung),
        "signals": [describe.evidence(item) for item in part.signals],
        "findings": [_weighed(one) for one in part.weighed],
        "without": [
            {"what": c.what, "score": round(c.score, 6), "outcome": c.outcome, "decisive": c.decisive}
            for c in part.changes
        ],
    }


def _weighed(one: Weighed) -> dict[str, Any]:
    return {
        "finding": one.finding.name,
        "title": one.finding.title,
        "anchor": one.hit.signal,
        "base": round(one.base, 6),
        "support": [{"condition": e.condition, "weight": e.value} for e in one.support],
        "excuses": [{"condition": e.condition, "factor": e.value} for e in one.excuses],
        "score": one.score,
    }


def _show(pack: Pack, trial: Trial, explanation: Explanation) -> None:
    console = stdout()
    outcome = explanation.ruling.outcome
    headline = Text(outcome, style=describe.OUTCOME_STYLES.get(outcome, ""))
    headline.append(f"   post {trial.post.post_id}, {format_time(trial.now)}, pack {pack.id}", style="dim")
    console.print(headline)
    console.print()
    notable = [part for part in explanation.policies if part.judgement.notable]
    spans = [
        (item.start, item.end)
        for part in notable
        for item in part.judgement.evidence
        if item.field == "text" and item.start is not None and item.end is not None
    ]
    shown = mark(trial.post.text, spans) if console.is_terminal else underline(trial.post.text, spans)
    console.print(shown, markup=False)
    console.print()
    console.print(_account(trial, explanation))
    for part in sorted(notable, key=lambda p: -p.judgement.score):
        console.print(_tree(part))
    silent = [part.judgement.loaded.policy.id for part in explanation.policies if not part.judgement.notable]
    unread = [part.judgement.loaded.policy.id for part in explanation.policies if part.judgement.uncovered]
    if unread:
        say(f"cannot read this language: {', '.join(unread)}")
    if silent:
        console.print(Text(f"Found nothing: {', '.join(silent)}", style="dim"))


def _account(trial: Trial, explanation: Explanation) -> Tree:
    tree = Tree(f"account: {trial.active_strikes} active strikes before this post")
    for policy, weight, expires in trial.strikes:
        tree.add(Text(f"{policy}: {weight}, until {format_time(expires)}"))
    for action in trial.in_force:
        what = f"{action.kind} {action.detail}".rstrip()
        tree.add(Text(f"in force: {what} of the {action.subject_type.replace('_', ' ')}"))
    # Of all limits those that are reached or half way there; all are in the JSON.
    near = [one for one in explanation.counters if one.reached or 2 * one.found >= one.limit.at_least]
    for one in near:
        word = "reached" if one.reached else "not reached"
        tree.add(
            Text(
                f"{one.limit.name}: {one.found} of {one.limit.at_least} {MEANINGS[one.limit.counter]}, {word}"
            )
        )
    return tree


def _tree(part: PolicyExplanation) -> Tree:
    judgement = part.judgement
    policy = judgement.loaded.policy
    head = Text.assemble(
        (policy.id, "bold"),
        f" v{policy.version}: ",
        (part.judgement.word, describe.OUTCOME_STYLES.get(part.judgement.word, "")),
        f", score {judgement.score:.2f} (review from {policy.review.score:.2f}, violation from {policy.threshold:.2f})",
    )
    if policy.status != "enforce":
        head.append(f" [{policy.status}: recorded, not enforced]", style="dim")
    tree = Tree(head)
    tree.add(_rungs(part.rung, part.next_rung))
    for one in part.weighed:
        tree.add(_finding(one))
    signals = tree.add("signals that it read")
    for item in part.signals:
        signals.add(Text(f"{item.signal} {describe.place(item)} {item.score:.2f} {item.detail}".rstrip()))
    if part.changes:
        changes = tree.add("without")
        for change in part.changes:
            changes.add(_change(change))
    return tree


def _rungs(reached: Rung | None, following: Rung | None) -> Text:
    now = "no rung reached" if reached is None else describe.rung(reached)
    return Text(f"ladder: {now}" + ("" if following is None else f"; next: {describe.rung(following)}"))


def _finding(one: Weighed) -> Tree:
    tree = Tree(Text(f"{one.finding.name} {one.score:.2f}: {one.finding.title} [{one.hit.signal}]"))
    tree.add(Text(f"starts at {one.base:.2f}" + (f" because {one.finding.when}" if one.finding.when else "")))
    for effect in one.support:
        tree.add(Text(f"+ {effect.condition}: takes {effect.value:.0%} of the doubt"))
    for effect in one.excuses:
        tree.add(Text(f"- {effect.condition}: times {effect.value:g}"))
    return tree


def _change(change: Change) -> Text:
    style = "bold" if change.decisive else "dim"
    word = f", {change.outcome}" if change.decisive else ", the same outcome"
    return Text(f"{change.what}: {change.score:.2f}{word}", style=style)
