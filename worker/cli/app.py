"""The program `moderator`: its commands, and what becomes of errors, Ctrl-C and closed pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from rich.text import Text
from typer.exceptions import TyperException

from worker import __version__
from worker.cli import (
    backtest,
    bench,
    breakers,
    check,
    dead_letters,
    demo,
    doctor,
    evaluate,
    explain,
    media,
    policies,
    replay,
    reverse,
    run,
    score,
    simulate,
    statements,
    topics,
)
from worker.cli.errors import BAD_USAGE, INTERRUPTED, CommandError
from worker.cli.output import say

app = typer.Typer(
    name="moderator",
    help="Judges posts by the Twitter Rules and publishes enforcement actions to Kafka, exactly once, with reasons.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("score")(score.score)
app.command("replay")(replay.replay)
app.command("evaluate")(evaluate.evaluate)
app.command("backtest")(backtest.backtest)
app.command("explain")(explain.explain)
app.add_typer(policies.app, name="policies")
app.add_typer(topics.app, name="topics")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(breakers.app, name="breakers")
app.add_typer(statements.app, name="statements")
app.add_typer(media.app, name="media")
app.command("reverse")(reverse.reverse)
app.command("simulate")(simulate.simulate)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moderator {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Judges posts by the Twitter Rules and publishes enforcement actions to Kafka, exactly once, with reasons."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the program on these arguments (default: the process's own) and exits.

    Exit codes: 0 fine; 1 a violation found by `check`, or a failed lint or test; 2 bad usage or
    input; 3 a needed service cannot be reached; 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    code = _run(given or ["--help"])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    stdout = sys.stdout
    try:
        result = app(arguments, prog_name="moderator", standalone_mode=False)
    except CommandError as failure:
        _complain(failure.message, failure.hint)
        return failure.code
    except TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "moderator"
        _complain(error.format_message(), f"See '{command} --help'.")
        return error.exit_code or BAD_USAGE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as ending:
        if sys.stdout is stdout:
            return ending.code if isinstance(ending.code, int) else BAD_USAGE
        # Typer puts a wrapper around standard output when that is closed, and exits with 1. But who read our
        # output has had enough, as `| head` has: that is no error.
        sys.stdout = stdout
        _abandon_stdout()
        return 0
    return result if isinstance(result, int) else 0


def _complain(message: str, hint: str) -> None:
    text = Text()
    text.append("error: ", style="bold red")
    text.append(message)
    if hint:
        text.append("\n" + hint, style="dim")
    say(text)


def _abandon_stdout() -> None:
    """Sends what is still buffered nowhere, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
