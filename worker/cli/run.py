"""`moderator run`: one worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.errors import CommandError
from worker.cli.options import Broker, Policies, StatementsOn, TopicPrefix
from worker.cli.packs import pattern_cache
from worker.cli.settings import settings
from worker.settings import Decisions, Guarantee


def run(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    group: Annotated[
        str,
        typer.Option(
            envvar="MODERATOR_GROUP", help="Consumer group; also the stem of the transactional ids."
        ),
    ] = "moderator",
    guarantee: Annotated[
        Guarantee, typer.Option(envvar="MODERATOR_GUARANTEE", help="What a failure may do to a batch.")
    ] = Guarantee.EXACTLY_ONCE,
    decisions: Annotated[
        Decisions,
        typer.Option(envvar="MODERATOR_DECISIONS", help="Publish decisions other than clear, or all."),
    ] = Decisions.OTHER,
    statements: StatementsOn = False,
    policies: Policies = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="MODERATOR_CACHE_DIR",
            metavar="FOLDER",
            help="Keep compiled patterns here.",
            show_default=False,
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="MODERATOR_STATE_DIR",
            metavar="FOLDER",
            help="Keep state here that memory has no room for (docs/state.md).",
            show_default=False,
        ),
    ] = None,
    state_accounts_in_memory: Annotated[
        int,
        typer.Option(
            envvar="MODERATOR_STATE_ACCOUNTS_IN_MEMORY",
            help="Accounts of each partition whose records stay decoded in memory.",
        ),
    ] = 20_000,
    http_host: Annotated[
        str, typer.Option(envvar="MODERATOR_HTTP_HOST", help="Where /metrics, /healthz and /readyz listen.")
    ] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(envvar="MODERATOR_HTTP_PORT", help="Their port; 0 takes any free one.")
    ] = 8000,
    batch: Annotated[
        int, typer.Option(envvar="MODERATOR_BATCH", help="Most records in one batch and transaction.")
    ] = 2000,
    model_url: Annotated[
        str,
        typer.Option(
            envvar="MODERATOR_MODEL_URL",
            metavar="URL",
            help="Ask your own model here about uncertain posts (docs/models.md).",
            show_default=False,
        ),
    ] = "",
    media: Annotated[
        bool,
        typer.Option(
            "--media",
            envvar="MODERATOR_MEDIA",
            help="Examine the media of posts and profiles instead of judging (docs/media/running.md).",
        ),
    ] = False,
    media_schemes: Annotated[
        str | None,
        typer.Option(
            envvar="MODERATOR_MEDIA_SCHEMES",
            metavar="LIST",
            help="With --media: load URIs of these schemes: file, https, http, s3, gs, az.",
            show_default=False,
        ),
    ] = None,
    media_folders: Annotated[
        str | None,
        typer.Option(
            envvar="MODERATOR_MEDIA_FOLDERS",
            metavar="PATHS",
            help="With --media: file: URIs may lie below these folders, with colons between them.",
            show_default=False,
        ),
    ] = None,
    media_hosts: Annotated[
        str | None,
        typer.Option(
            envvar="MODERATOR_MEDIA_HOSTS",
            metavar="LIST",
            help="With --media: load from these hosts and buckets: cdn.example.com, s3://bucket.",
            show_default=False,
        ),
    ] = None,
    media_banks: Annotated[
        Path | None,
        typer.Option(
            envvar="MODERATOR_MEDIA_BANKS",
            metavar="FOLDER",
            help="With --media: the folder of the hash banks; it is read again when it changes.",
            show_default=False,
        ),
    ] = None,
    media_model: Annotated[
        Path | None,
        typer.Option(
            envvar="MODERATOR_MEDIA_MODEL",
            metavar="FILE",
            help="With --media: your own image classifier, by the TOML file that describes it.",
            show_default=False,
        ),
    ] = None,
    media_processes: Annotated[
        int,
        typer.Option(
            envvar="MODERATOR_MEDIA_PROCESSES",
            help="With --media: files examined at once; 0 for one each core less one.",
        ),
    ] = 0,
    log_level: Annotated[
        str, typer.Option(envvar="MODERATOR_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
    json: Annotated[
        bool, typer.Option("--json", help="Log JSON lines instead of text (MODERATOR_LOG_FORMAT=json).")
    ] = False,
) -> None:
    """Runs one worker until SIGTERM or Ctrl-C, which drain it: reads posts, publishes enforcement actions.

    Needs the contract's topics ('moderator topics create'). Every setting is an environment variable too.
    Exit codes: 2 for missing topics or unequal partition counts, 3 when the broker cannot be reached.
    """
    chosen = settings(
        broker=broker,
        topic_prefix=topic_prefix,
        group=group,
        guarantee=guarantee,
        decisions=decisions,
        statements=statements,
        policies=policies,
        cache_dir=cache_dir or pattern_cache(),
        state_dir=state_dir,
        state_accounts_in_memory=state_accounts_in_memory,
        http_host=http_host,
        http_port=http_port,
        batch=batch,
        model_url=model_url,
        media=media,
        media_schemes=media_schemes,
        media_folders=media_folders,
        media_hosts=media_hosts,
        media_banks=media_banks,
        media_model=media_model,
        media_processes=media_processes,
        log_level=log_level,
        log_format="json" if json else None,
    )
    if policies is not None and not policies.is_dir():
        raise CommandError(
            f"{policies}: no such folder", hint="--policies names a folder with one folder per policy in it."
        )
    # The streaming libraries take a second to import: only this command needs them.
    if chosen.media:
        from worker.media.run import run_media_worker

        raise typer.Exit(run_media_worker(chosen))
    from worker.run import run_worker

    raise typer.Exit(run_worker(chosen))
