"""`moderator policies publish`, `promote`, `abort`, `rollback` and `status`: which pack the workers judge by."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from schemas.base import format_time
from schemas.coordination import PackSwitch
from schemas.policies import PolicyCurrent, Release, Rollout
from worker import pack_trial
from worker.cli.errors import UNREACHABLE, VIOLATION_OR_FAILED, CommandError
from worker.cli.operating import As, DryRun, Yes, confirmed, decider, send_records
from worker.cli.options import AsJson, Broker, TopicPrefix
from worker.cli.output import emit_json, emit_table, say
from worker.cli.packs import load, pattern_cache
from worker.cluster import BrokerUnreachable, ClusterError
from worker.engine.lint import lint
from worker.pack_files import PackFilesError, version_of
from worker.publishing_packs import (
    Answers,
    Bundle,
    Published,
    PublishingError,
    bundle,
    known_release,
    last_switches,
    pointer,
    read_published,
    records,
    release_of,
)
from worker.reading import reader

_CHECK_SECONDS = 3600.0
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0.0,
        max=3600.0,
        metavar="SECONDS",
        help="How long to wait for the workers' answers; 0: not.",
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        "--share",
        min=0.01,
        max=100.0,
        metavar="PERCENT",
        help="Try it on so many of all accounts, chosen by a stable hash; a larger share holds those of a smaller one.",
        show_default=False,
    ),
]
Shadow = Annotated[
    bool,
    typer.Option(
        "--shadow", help="Only ask it and count how its verdicts differ; nothing follows from them."
    ),
]


def publish(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The pack to publish.", show_default=False)
    ],
    by: As,
    share: Share = None,
    shadow: Shadow = False,
    unlinted: Annotated[
        bool, typer.Option("--unlinted", help="Publish although 'policies lint' has something to say.")
    ] = False,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    wait: Wait = 120.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Checks a pack and publishes it to all workers, at once, on a share of accounts, or as a shadow.

    The workers check it again while the pack in force serves, and switch between two batches; one that cannot use
    it goes on as before and says why. Exit code 1: the pack failed its checks, or a worker refused it.
    """
    operator = decider(by)
    now = datetime.now(UTC)
    travelling = _checked(folder, now, operator, unlinted)
    before = _published(broker, topic_prefix)
    tried = share is not None or shadow
    try:
        known = known_release(before.current, travelling)
    except PublishingError as error:
        raise CommandError(str(error)) from error
    if before.current is not None and before.current.sha256.lower() == travelling.release.sha256:
        raise CommandError(f"{travelling.release.pack} is in force already", hint="Nothing was published.")
    if tried and before.current is None:
        raise CommandError(
            "nothing is published yet that a pack could be tried beside",
            hint="Publish the pack that is in force first: moderator policies publish FOLDER --as NAME",
        )
    if tried:
        assert before.current is not None
        percent = 100.0 if share is None else share
        rollout = _rollout(travelling.release, percent, shadow)
        current = pointer(before.current, release_of(before.current), rollout, now, operator)
    else:
        current = pointer(before.current, travelling.release, None, now, operator)
    _carry_out(before, current, None if known else travelling, broker, topic_prefix, wait, dry_run, yes, json)


def promote(
    *,
    by: As,
    share: Share = None,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    wait: Wait = 120.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Puts the pack that is tried in force for a larger share of accounts, or without --share for all of them."""
    operator = decider(by)
    before = _published(broker, topic_prefix)
    current, rollout = _tried(before)
    now = datetime.now(UTC)
    if share is not None and share < 100.0:
        after = pointer(current, release_of(current), _rollout(rollout, share, False), now, operator)
    else:
        after = pointer(
            current, Release(**rollout.model_dump(exclude={"share", "shadow"})), None, now, operator
        )
    _carry_out(before, after, None, broker, topic_prefix, wait, dry_run, yes, json)


def abort(
    *,
    by: As,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    wait: Wait = 120.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Stops trying a pack: the pack in force judges all accounts again. What it did stands; see `moderator reverse`."""
    operator = decider(by)
    before = _published(broker, topic_prefix)
    current, _ = _tried(before)
    after = pointer(current, release_of(current), None, datetime.now(UTC), operator)
    _carry_out(before, after, None, broker, topic_prefix, wait, dry_run, yes, json)


def rollback(
    *,
    by: As,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="PACK",
            help="The pack to go back to, one of those that status lists.",
            show_default="the one before",
        ),
    ] = None,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    wait: Wait = 120.0,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Puts a pack in force again that was before, and stops trying another. What it did stands; see `moderator reverse`."""
    operator = decider(by)
    before = _published(broker, topic_prefix)
    current = _current(before)
    chosen = [each for each in current.previous if to is None or each.pack == to]
    if not chosen:
        known = ", ".join(each.pack for each in current.previous) or "none"
        what = "there is no pack to go back to" if to is None else f"no pack {to} was in force before"
        raise CommandError(what, hint=f"Known are: {known}.")
    after = pointer(current, chosen[0], None, datetime.now(UTC), operator)
    _carry_out(before, after, None, broker, topic_prefix, wait, dry_run, yes, json)


def status(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    json: AsJson = False,
) -> None:
    """Shows which packs are published, and which pack each partition's owner has switched to, or why it refused."""
    published = _published(broker, topic_prefix)
    current = published.current
    if current is None:
        if json:
            emit_json({"current": None, "partitions": []})
        else:
            say("nothing is published: each worker judges by the pack of its folder")
        return
    try:
        with reader(broker, ["findings"], topic_prefix) as topic:
            count = topic.partition_count("findings")
            said = last_switches(topic, 0)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    rows = [_answer(number, said.get(number), version_of(current)) for number in range(count)]
    if json:
        emit_json({"current": _described(current), "partitions": rows})
        return
    _show(current)
    emit_table(
        "",
        ["partition", "state", "pack", "why"],
        [[str(row[name] if row[name] is not None else "") for name in _ANSWER] for row in rows],
    )


# --- inside

_ANSWER = ("partition", "state", "pack", "reason")


def _answer(partition: int, said: PackSwitch | None, version: int) -> dict[str, Any]:
    """What the owner of a partition said last."""
    if said is None:
        return {"partition": partition, "state": "not heard of", "pack": None, "sha256": None, "reason": None}
    state = "refused" if said.refused is not None else "behind" if said.version < version else "switched"
    return {
        "partition": partition,
        "state": state,
        "pack": said.pack,
        "sha256": said.sha256,
        "reason": said.refused,
    }


def _checked(folder: Path, now: datetime, operator: str, unlinted: bool) -> Bundle:
    """The pack, after the same check that workers make, and the linter's."""
    pack = load(folder)
    say("judging the pack's cases, as every worker will")
    faults = [
        str(fault) for fault in asyncio.run(pack_trial.hold(pack.folder, pattern_cache(), _CHECK_SECONDS))
    ]
    if not unlinted:
        faults += [str(found.problem) for found in lint(pack)]
    if faults:
        listed = "\n".join(faults)
        raise CommandError(
            f"the pack is not published:\n{listed}",
            hint="Correct what is named above.",
            code=VIOLATION_OR_FAILED,
        )
    try:
        return bundle(pack, now, operator)
    except PackFilesError as error:
        raise CommandError(str(error)) from error


def _published(broker: str, topic_prefix: str) -> Published:
    try:
        return read_published(broker, topic_prefix)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error


def _current(published: Published) -> PolicyCurrent:
    if published.current is None:
        raise CommandError(
            "no pack is published", hint="Publish one: moderator policies publish FOLDER --as NAME"
        )
    return published.current


def _tried(published: Published) -> tuple[PolicyCurrent, Rollout]:
    current = _current(published)
    if current.rollout is None:
        raise CommandError(
            "no pack is being tried", hint="Try one: moderator policies publish FOLDER --share 1 --as NAME"
        )
    return current, current.rollout


def _rollout(release: Release, percent: float, shadow: bool) -> Rollout:
    plain = release.model_dump(exclude={"share", "shadow"})
    return Rollout(**plain, share=min(1.0, percent / 100.0), shadow=shadow)


def _carry_out(
    before: Published,
    current: PolicyCurrent,
    new: Bundle | None,
    broker: str,
    topic_prefix: str,
    wait: float,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    """Asks, sends, and tells what the workers answer."""
    sent = list(records(before, current, new))
    if dry_run:
        if json:
            emit_json({"published": False, "current": _described(current), "records": len(sent)})
        else:
            _show(current)
            say(f"dry run: {len(sent)} records would be published")
        return
    if not json:
        _show(current)
    if not confirmed("Publish this to all workers?", yes=yes):
        say("nothing was published")
        raise typer.Exit
    try:
        with reader(broker, ["findings"], topic_prefix, from_end=True) as topic:
            answers = Answers(topic, version_of(current))
            send_records(
                broker, topic_prefix, sent, None, again="the pointer comes last, so nothing has changed yet"
            )
            say(f"published {current.pack}; waiting for the workers")
            for _ in answers.wait(wait):
                say(f"{len(answers.switched)} of {answers.partitions} partitions have switched")
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    _conclude(current, answers, json)


def _conclude(current: PolicyCurrent, answers: Answers, json: bool) -> None:
    silent = answers.partitions - len(answers.switched | answers.refused.keys())
    if json:
        emit_json(
            {
                "published": True,
                "current": _described(current),
                "partitions": answers.partitions,
                "switched": sorted(answers.switched),
                "refused": {str(number): why for number, why in sorted(answers.refused.items())},
            }
        )
    for number, why in sorted(answers.refused.items()):
        say(Text.assemble((f"partition {number} refused: ", "bold red"), why))
    if answers.refused:
        say(
            "Workers that refuse a pack go on with the one before. Take this one back: moderator policies rollback"
        )
        raise typer.Exit(VIOLATION_OR_FAILED)
    if silent:
        say(
            f"{silent} of {answers.partitions} partitions have not answered yet; ask later: moderator policies status"
        )


def _described(current: PolicyCurrent) -> dict[str, Any]:
    def plain(release: Release) -> dict[str, Any]:
        return {
            "pack": release.pack,
            "sha256": release.sha256,
            "published_at": format_time(release.published_at),
            "published_by": release.published_by,
        }

    rollout = current.rollout
    tried = None if rollout is None else {**plain(rollout), "share": rollout.share, "shadow": rollout.shadow}
    return {
        **plain(release_of(current)),
        "rollout": tried,
        "previous": [plain(release) for release in current.previous],
    }


def _show(current: PolicyCurrent) -> None:
    rollout = current.rollout
    rows: list[list[str | Text]] = [_row("in force", current)]
    if rollout is not None:
        how = "shadow on" if rollout.shadow else "tried on"
        rows.append(
            _row(
                f"{how} {rollout.share:.4g} of accounts"
                if rollout.share < 0.01
                else f"{how} {rollout.share:.0%}",
                rollout,
            )
        )
    rows += [_row("before", release) for release in current.previous]
    emit_table("", ["", "pack", "sha256", "published", "by"], rows)


def _row(what: str, release: Release | PolicyCurrent) -> list[str | Text]:
    return [
        what,
        Text(release.pack, style="bold"),
        release.sha256[:12],
        format_time(release.published_at),
        release.published_by,
    ]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `moderator policies`."""
    commands: Sequence[Any] = (publish, promote, abort, rollback, status)
    for command in commands:
        app.command(command.__name__)(command)
