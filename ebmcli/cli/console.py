"""Tables on a terminal, and in a pipe."""

import sys
from typing import TYPE_CHECKING

from ebmcli.report.blocks import Table

if TYPE_CHECKING:  # rich takes a while to import, and not every command prints
    from rich.console import Console

PROSE = ("reason", "losses", "negatives")  # columns whose cells may be broken between words


def console(stderr: bool = False) -> "Console":
    """A console; where there is no terminal, lines and tables are as wide as they need."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=not terminal, width=None if terminal else 240)


def print_table(table: Table, out: "Console") -> None:
    """Print a table; turned on its side where few rows would not fit the terminal."""
    from rich import box
    from rich.table import Table as RichTable

    lines = [table.columns, *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    turned = sum(widths) + 3 * len(widths) + 1 > out.width and len(table.rows) <= 3
    if turned:
        lines = [list(line) for line in zip(*lines, strict=True)]
    style = {"title": table.heading, "title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    printed = RichTable(**style, show_header=not turned, padding=(0, 1, 0, 0))  # type: ignore[arg-type]
    for place, column in enumerate(lines[0]):
        whole = [*column.split(), *([] if column in PROSE else [line[place] for line in lines[1:]])]
        printed.add_column(column, min_width=max(map(len, whole)), style="bold" if turned and place == 0 else None)
    for row in lines if turned else lines[1:]:
        printed.add_row(*(cell.replace("[", r"\[") for cell in row))
    out.print(printed)
