"""How the demonstration looks: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from worker.cli.describe import OUTCOME_STYLES, number
from worker.cli.marking import bracketed, excerpt, mark
from worker.demo.tally import KINDS, Shown, Tally

KIND_STYLES = {
    "label": "yellow",
    "remove": "bold red",
    "suspend": "bold magenta",
    "review": "bold yellow",
    "help": "bold cyan",  # never the colour of a penalty
    "near": "dim",
}
_TEXT = 90  # code points of a post shown with an action
_AROUND = 12  # lines of the picture that are neither a policy nor an action
_OUTCOMES = 24  # columns of the decisions beside them
_LOW = 34  # lines of a screen on which there is no room for the reasons of dead letters
_FRAMES_PER_SECOND = 8
_PLAIN_EVERY = 250  # answered records between two lines of plain progress


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment of the stream. Rates are records a second."""

    total: int
    rate: float
    seconds: float
    metrics_url: str | None


class View(Protocol):
    """Where the demonstration shows itself."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, message: str) -> None:
        """Says what is being prepared."""
        ...

    def update(self, tally: Tally, frame: Frame, new: Sequence[Shown]) -> None:
        """Shows where the stream is; `new` are the actions since the last time."""
        ...


class PlainView:
    """One line for each step, each action, and now and then the counts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, message: str) -> None:
        """One line."""
        self._console.print(Text(message))

    def update(self, tally: Tally, frame: Frame, new: Sequence[Shown]) -> None:
        """A line for each new action; the counts every few hundred records."""
        for shown in new:
            text, spans = excerpt(shown.text, shown.spans, _TEXT)
            what = f"{shown.kind} {shown.detail}".strip()
            self._console.print(
                Text(
                    f"{what:<26} {shown.policy:<25} {number(shown.score):<4} {shown.account:<6} "
                    f"{bracketed(text, spans)}{_instead(shown)}"
                )
            )
        if len(tally.answered) - self._said >= _PLAIN_EVERY:
            self._said = len(tally.answered)
            self._console.print(
                Text(
                    f"{self._said:,} of {frame.total:,} records answered, {frame.rate:,.0f}/s; "
                    f"{sum(map(tally.total, ('label', 'remove', 'suspend')))} actions, "
                    f"{sum(tally.queued.values())} for people to look at, "
                    f"{sum(tally.dead_letters.values())} dead letters"
                )
            )


class LiveView:
    """A picture that is redrawn in place, and stays as it was at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: list[str] = []
        self._spinner: Spinner | None = None
        self._picture: RenderableType | None = None
        self._live = Live(console=console, refresh_per_second=_FRAMES_PER_SECOND, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def step(self, message: str) -> None:
        """Adds a line, with a spinner while it is the last one."""
        self._steps.append(message)
        self._spinner = Spinner("dots", text=Text(message))
        self._picture = None

    def update(self, tally: Tally, frame: Frame, new: Sequence[Shown]) -> None:
        """Redraws everything."""
        self._picture = picture(tally, frame, self._console.size.height)

    def _render(self) -> RenderableType:
        if self._picture is not None:
            return self._picture
        done = [Text.assemble(("✓ ", "green"), step) for step in self._steps[:-1]]
        last = [self._spinner] if self._spinner is not None else []
        return Group(*done, *last)


def picture(tally: Tally, frame: Frame, height: int) -> RenderableType:
    """The whole view at one moment, at most `height` lines high where that is possible."""
    bar = Table.grid(padding=(0, 2), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(
        ProgressBar(total=max(frame.total, 1), completed=len(tally.answered)),
        Text(
            f"{len(tally.answered):,} of {frame.total:,} records   {frame.rate:,.0f}/s   {frame.seconds:.0f} s"
        ),
    )
    rows = max(3, min(10, height - _AROUND - len(tally.followed)))
    counts = Table.grid(padding=(0, 2), expand=True)
    counts.add_column(ratio=1)
    counts.add_column(width=_OUTCOMES)
    counts.add_row(
        _policies(tally, max(5, height - _AROUND - rows)),
        _outcomes(tally) if height < _LOW else Group(_outcomes(tally), Text(), _dead_letters(tally)),
    )
    parts: list[RenderableType] = [bar, Text(), counts, Text(), latest_actions(tally, rows)]
    if frame.metrics_url is not None:
        parts.append(Text(f"metrics {frame.metrics_url}", style="dim"))
    return Panel(Group(*parts), title="moderator demo", title_align="left", border_style="blue")


def _policies(tally: Tally, rows: int) -> Table:
    """What followed by policy; on a low screen only those of which most followed."""
    table = Table(
        title="What followed, by policy",
        title_justify="left",
        box=None,
        padding=(0, 0, 0, 1),
        header_style="dim",
        title_style="bold",
    )
    table.add_column("policy", overflow="ellipsis")  # the one column that a narrow screen may shorten
    for kind in KINDS:
        table.add_column(kind, justify="right", no_wrap=True, min_width=len(kind))
    shown = sorted(sorted(tally.followed, key=lambda policy: -tally.followed[policy].total())[:rows])
    for policy in shown:
        counts = tally.followed[policy]
        table.add_row(policy, *(Text(str(counts[kind] or ""), style=KIND_STYLES[kind]) for kind in KINDS))
    if len(shown) < len(tally.followed):
        table.add_row(Text(f"and {len(tally.followed) - len(shown)} more", style="dim"))
    return table


def _outcomes(tally: Tally) -> Table:
    table = Table(title="Decisions", title_justify="left", box=None, show_header=False, title_style="bold")
    table.add_column("outcome")
    table.add_column("count", justify="right")
    for outcome, count in tally.outcomes.most_common():
        table.add_row(Text(outcome, style=OUTCOME_STYLES.get(outcome, "dim")), f"{count:,}")
    for kind in ("label", "remove", "suspend", "review"):
        table.add_row(Text(f"→ {kind}", style=KIND_STYLES[kind]), f"{tally.total(kind):,}")
    table.add_row(Text("→ help offered", style=KIND_STYLES["help"]), f"{tally.notices['support']:,}")
    table.add_row(Text("dead letters", style="red"), f"{sum(tally.dead_letters.values()):,}")
    return table


def _dead_letters(tally: Tally) -> Table:
    table = Table(title="Dead letters", title_justify="left", box=None, show_header=False, title_style="bold")
    table.add_column("reason")
    table.add_column("count", justify="right")
    for reason, count in tally.dead_letters.most_common():
        table.add_row(Text(reason, style="red"), str(count))
    if not tally.dead_letters:
        table.add_row(Text("none", style="dim"), "")
    return table


def latest_actions(tally: Tally, rows: int) -> Table:
    """The newest actions and offers of help with the evidence marked in the post, newest last."""
    table = Table(
        title="Latest actions and offers of help",
        title_justify="left",
        box=None,
        expand=True,
        header_style="dim",
        title_style="bold",
    )
    table.add_column("action", no_wrap=True)
    table.add_column("policy", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("account", no_wrap=True)
    table.add_column("post, evidence marked", ratio=1, no_wrap=True, overflow="ellipsis")
    for shown in list(tally.latest)[-rows:]:
        text, spans = excerpt(shown.text.replace("\n", " "), shown.spans, _TEXT)
        style = KIND_STYLES.get(shown.kind, "dim")
        what = Text(f"{shown.kind} {shown.detail}".strip(), style=style)
        post = mark(text, spans)
        post.append(_instead(shown), style="dim")
        table.add_row(what, shown.policy, number(shown.score), shown.account, post)
    return table


def _instead(shown: Shown) -> str:
    """The signals that were found where there is no text to mark, as in a picture."""
    return f"  ({', '.join(shown.signals[:3])})" if shown.signals else ""
