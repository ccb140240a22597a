"""One table of a report, some of its columns."""

from collections.abc import Sequence
from dataclasses import replace

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import columns as registered_columns
from ebmcli.report.blocks import Table
from ebmcli.report.build import Report
from ebmcli.report.columns import heading


def single(report: Report, name: str, columns: Sequence[str] = ()) -> Table:
    """The table of that name, with these columns in this order, or all. A column is named by its heading, without its
    arrow, or by the key of its measure. Raises UsageError where there is none, or one for each of several tasks."""
    tables = [block for block in report.blocks if isinstance(block, Table) and block.name]
    fitting = [table for table in tables if table.name == name.lower()]
    if not fitting:
        raise unknown("table of this report", name, dict.fromkeys(table.name for table in tables))
    if len(fitting) > 1:
        tasks = ", ".join(dict.fromkeys(record.task for record in report.records))
        raise UsageError(f"--table {name}: there is one for each task, choose by --task: {tasks}")
    return _with_columns(fitting[0], columns) if columns else fitting[0]


def _with_columns(table: Table, columns: Sequence[str]) -> Table:
    places = {_plain(column): place for place, column in enumerate(table.columns)}
    chosen: dict[int, None] = {}
    for column in columns:
        named = heading(column) if column in registered_columns() else column
        if _plain(named) not in places:
            raise unknown(f"column of the table {table.name}", column, map(_bare, table.columns))
        chosen[places[_plain(named)]] = None
    rows = [[row[place] for place in chosen] for row in table.rows]
    return replace(table, columns=[table.columns[place] for place in chosen], rows=rows, leading=1, keys=())


def _bare(column: str) -> str:
    return column.rstrip(" ↓↑")


def _plain(column: str) -> str:
    return _bare(column).strip().casefold()
