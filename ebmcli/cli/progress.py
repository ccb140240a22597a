"""Progress on a terminal: a bar with the time left, or one line per run where there is no terminal."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from ebmcli.core.texts import masked, printable
from ebmcli.planning.cells import Cell

if TYPE_CHECKING:  # rich takes a while to import, and not every command prints
    from rich.console import Console

SILENCE = 5.0  # seconds after which a log gets a line


class Bar:
    """Watches a sweep (see events.Watcher)."""

    def __init__(self, console: "Console", quiet: bool = False):
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.console = console
        self.quiet = quiet
        self.total = self.finished = 0
        self.share = 0.0  # of the launch that is under way, in runs
        self.began = self.spoke = time.monotonic()
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False))
        self.bar = Progress(*columns, *times, console=console, disable=quiet or not console.is_terminal, transient=True)
        self.task = self.bar.add_task("compiling", total=None)

    def __enter__(self) -> "Bar":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def begin(self, total: int, finished: int) -> None:
        """Start: the total number of runs, and how many are already finished."""
        self.total, self.finished = total, finished
        self.bar.update(self.task, total=max(total, 1), completed=finished)

    def chunk(self, cells: Sequence[Cell], share: float) -> None:
        """A launch has done this share of its work; 0 while it compiles."""
        names = f"{cells[0].config['loss']} {cells[0].config['sampler']} {cells[0].config['task']}"
        words = printable(names if len(cells) == 1 else f"{names} +{len(cells) - 1}")
        self.share = share * len(cells)
        if not self.console.is_terminal and time.monotonic() - self.spoke > SILENCE:
            self._say(f"{words}: {'compiling' if share == 0 else f'{share:.0%}'}")
        self.bar.update(
            self.task,
            completed=self.finished + self.share,
            description=f"compiling {words}" if share == 0 else words,
        )

    def end(self, cell: Cell, status: str, reason: str) -> None:
        """A run is saved."""
        self.finished += 1
        self.share = max(0.0, self.share - 1)
        self.bar.update(self.task, completed=self.finished + self.share)
        if not self.console.is_terminal:
            self._say(f"{cell.id} {status}{f': {reason}' if reason else ''}")

    def note(self, text: str) -> None:
        """Something to know, above the bar."""
        self.console.print(masked(text), soft_wrap=True, markup=False)

    def _say(self, text: str) -> None:
        """A line where there is no bar, with what is done and the time so far."""
        if not self.quiet:
            self.spoke = time.monotonic()
            line = f"{self.finished}/{self.total} {printable(masked(text))} ({self.spoke - self.began:.0f} s)"
            self.console.print(line, soft_wrap=True, markup=False)
