"""Tables on a terminal, and in a pipe."""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ebmcli.core.texts import printable
from ebmcli.report import fitting
from ebmcli.report.blocks import Cell, Table, Value

if TYPE_CHECKING:  # rich takes a while to import, and not every command prints
    from rich.console import Console

BROKEN = 24  # letters: words in a cell of more may be broken into lines of at least so many
ENDLESS = 100_000  # columns of a pipe
WIDEST = 100  # letters of a line of prose in a pipe
BESIDE, EDGES = 2, 1  # blanks after each column, and more at the edges of a table
FEW = 3  # rows of a table that is turned on its side where it is too wide


def console(stderr: bool = False) -> "Console":
    """A console; where there is no terminal, lines and tables are as wide as they need.

    Text is printed as it is: brackets and colons mean nothing, and what would act on the terminal is an escape.
    """
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal else ENDLESS
    out = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not terminal, width=width)
    render = out.render_str
    out.render_str = lambda text, **style: render(printable(text, keep="\n"), **style)  # type: ignore[method-assign]
    return out


def print_sentence(text: str, out: "Console") -> None:
    """Print a text, on a terminal broken between words; a path that is wider than the terminal stays whole."""
    out.print(broken(text, out.width) if out.is_terminal else text, soft_wrap=True)


def broken(text: str, width: int) -> str:
    """The lines of a text, each broken between words where it is longer than that."""
    wrapper = textwrap.TextWrapper(max(width, 20), break_long_words=False, break_on_hyphens=False)
    return "\n".join(wrapper.fill(line) for line in text.split("\n"))


def print_table(table: Table, out: "Console", whole: bool = True) -> list[str]:
    """Print a table. One that is wider than the terminal is printed in parts, key columns first: all parts, or those
    with key columns alone, and the headings of the others are returned. Few rows are turned on their side instead."""
    table = _printable(table)
    table = _without_empty_columns(table)
    wide = [width + BESIDE for width in fitting.widths(_breakable(table))]
    room = (out.width if out.is_terminal else ENDLESS) - EDGES
    parts = fitting.pieces(table, wide, room)
    if table.rows and any(sum(wide[place] for place in part) > room for part in parts):
        _print_turned(table, out, room)
        return []
    if len(parts) > 1 and len(table.rows) <= FEW and _turned_width(table.columns, table.rows) <= room:
        _print_turned(table, out, room)
        return []
    printed = [part for part in parts if whole or part is parts[0] or {*part} & {*fitting.key_places(table)}]
    for number, part in enumerate(printed):
        rows = [[row[place] for place in part] for row in table.rows]
        _print(table.heading if number == 0 else "", [table.columns[place] for place in part], rows, out)
    kept = {place for part in printed for place in part}
    return [column for place, column in enumerate(table.columns) if place not in kept]


def _printable(table: Table) -> Table:
    """The table without what would act on a terminal."""
    rows = [
        [cell._replace(text=printable(cell.text)) if isinstance(cell, Value) else printable(cell) for cell in row]
        for row in table.rows
    ]
    return replace(table, heading=printable(table.heading), columns=[*map(printable, table.columns)], rows=rows)


def _print_turned(table: Table, out: "Console", room: int) -> None:
    """Print a table on its side, as many rows beside each other as there is room for, one at least."""
    left = list(table.rows)
    heading = table.heading
    while left:
        count = max(n for n in range(1, len(left) + 1) if n == 1 or _turned_width(table.columns, left[:n]) <= room)
        lines = [[column, *cells] for column, *cells in zip(table.columns, *left[:count], strict=True)]
        _print(heading, [], lines, out)
        heading, left = "", left[count:]


def _turned_width(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    return sum(max(len(str(cell)) for cell in line) + BESIDE for line in [columns, *rows])


def _without_empty_columns(table: Table) -> Table:
    """The table without columns that say nothing, as of reasons where there are none."""
    full = [
        place for place in range(len(table.columns)) if not table.rows or any(str(row[place]) for row in table.rows)
    ]
    rows = [[row[place] for place in full] for row in table.rows]
    leading = sum(place < table.leading for place in full)
    return replace(table, columns=[table.columns[place] for place in full], rows=rows, leading=leading)


def _breakable(table: Table) -> Table:
    """The table with the shortest line of each cell that may be broken between words in the place of the cell."""
    return Table(table.heading, table.columns, [[_shortest(cell) for cell in row] for row in table.rows])


def _shortest(cell: Cell) -> str:
    text = str(cell)
    if isinstance(cell, Value) or len(text) <= BROKEN:
        return text
    return "x" * min(len(text), max(BROKEN, *map(len, text.split() or [""])))


def _print(heading: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], out: "Console") -> None:
    """Print cells under their headings; without headings the first column is one."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    printed = RichTable(
        title=Text(heading) if heading else None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_header=bool(columns),
        padding=(0, 1, 0, 0),
    )
    heads = list(columns) or [""] * len(rows[0])
    least = [
        max(len(word) for word in [*column.split(), *(_shortest(row[place]) for row in rows), ""])
        for place, column in enumerate(heads)
    ]
    while sum(least) + BESIDE * len(least) + EDGES > out.width and max(least) > 1:  # a word will be folded
        least[least.index(max(least))] -= 1
    for place, (column, width) in enumerate(zip(heads, least, strict=True)):
        widest = None if out.is_terminal else max(WIDEST, width)
        bold = "bold" if not columns and place == 0 else None
        printed.add_column(Text(column), style=bold, overflow="fold", min_width=width, max_width=widest)
    for row in rows:
        printed.add_row(
            *(Text(str(cell), style="bold" if isinstance(cell, Value) and cell.best else "") for cell in row)
        )
    out.print(printed)
