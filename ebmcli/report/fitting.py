"""Which columns of a table stand together where it is wider than the page."""

from collections.abc import Sequence

from ebmcli.report.blocks import Table

LONG = 60  # letters: a cell with more of them is broken into lines


def widths(table: Table, longest: int = LONG) -> list[int]:
    """The letters that each column asks for: of its longest cell, or so many where cells are broken into lines, and of
    the longest word of its heading."""
    return [
        max(
            max((min(longest, len(str(row[place]))) for row in table.rows), default=0),
            max(map(len, column.split()), default=0),
        )
        for place, column in enumerate(table.columns)
    ]


def pieces(table: Table, widths: Sequence[int], room: int) -> list[list[int]]:
    """The columns of a table in as many parts as the room asks for, key columns first; each part begins with what tells
    rows apart, and has its columns in the order of the table.

    widths: of each column, with what separates it from the next.
    """
    leading = list(range(table.leading))
    keys = key_places(table)
    parts: list[list[int]] = []
    free: list[int] = []  # of each part
    for place in [*keys, *(place for place in range(table.leading, len(table.columns)) if place not in keys)]:
        part = next((number for number, left in enumerate(free) if widths[place] <= left), len(parts))
        if part == len(parts):
            parts.append([])
            free.append(room - sum(widths[: table.leading]))
        parts[part].append(place)
        free[part] -= widths[place]
    return [leading + sorted(part) for part in parts] or [leading]


def key_places(table: Table) -> list[int]:
    """The places of the key columns, the most important first."""
    return [table.columns.index(key) for key in table.keys if key in table.columns[table.leading :]]
