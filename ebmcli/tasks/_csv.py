"""A CSV file of points: what counts as a row of numbers, the same for every row, and a sentence for every other."""

import csv
import io
import math
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ebmcli.core import files
from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted, shortened

LEAST_ROWS, MOST_ROWS = 50, 1_000_000
LARGEST, NARROWEST = 1e100, 1e-100  # sizes of numbers and widths of columns, which a picture and float64 can handle
MISSING = {"", "-", ".", "?", "n/a", "na", "nan", "nil", "none", "null"}  # what stands for no value; never a heading
COMMENT = "#"


class Table(NamedTuple):
    """The points of a file."""

    points: np.ndarray  # [N, 2] float64
    names: tuple[str, ...]  # of the two columns; empty where the file does not name them
    remarks: tuple[str, ...]  # what was decided in reading them, a sentence each

    def called(self, column: int) -> str:
        """A column as a sentence calls it."""
        return f"column {quoted(self.names[column])}" if self.names else f"column {column + 1}"


@lru_cache
def read(file: str, content: str) -> Table:
    """The two columns of a CSV file, whose first row may name them. Raises UsageError.

    content: its digest, so that a file is read again when it has changed.
    """
    named = quoted(file)
    try:
        text = files.content(Path(file), files.LARGE).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""))
        lines = [(reader.line_num, row) for row in islice(reader, 2 * MOST_ROWS) if not _is_blank(row)]
    except OSError as error:
        raise UsageError(f"{named}: {error.strerror or error}; name a CSV file, as in --task points:FILE.csv") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{named}: no CSV text ({error}); save it as CSV in UTF-8") from None
    rows = [(line, row) for line, row in lines if not row[0].lstrip().startswith(COMMENT)]
    names = tuple(name.strip() for name in rows[0][1]) if rows and _is_heading(rows[0][1]) else ()
    points = _points(named, rows[1:] if names else rows)
    table = Table(points, names, ())
    _check(named, table)
    remarks = []
    if comments := len(lines) - len(rows):
        remarks.append(f"lines that begin with {COMMENT} are left out ({comments})")
    if not names and _may_be_numbered(rows[0][1], points):
        line, first = rows[0]
        remarks.append(f"line {line}, {','.join(first)}, is taken for a point; if it numbers the columns, remove it")
    return table._replace(remarks=tuple(remarks))


def _is_blank(row: list[str]) -> bool:
    """True of a line without a cell: one of commas is a row whose values are missing."""
    return len(row) < 2 and not "".join(row).strip()


def _is_heading(row: list[str]) -> bool:
    """True if a row names two columns: neither of its cells is a number, or says that one is missing."""
    return len(row) == 2 and all(not _reads(cell) and cell.strip().lower() not in MISSING for cell in row)


def _may_be_numbered(row: list[str], points: np.ndarray) -> bool:
    """True if the first row may be numbers of columns, as 0,1 or years: whole, where no other row is."""
    first = [cell.strip() for cell in row]
    whole = (points[1:] == np.round(points[1:])).all(axis=1)
    return all(map(str.isdigit, first)) and (first in (["0", "1"], ["1", "2"]) or not whole.any())


def _points(named: str, rows: list[tuple[int, list[str]]]) -> np.ndarray:
    """[N, 2] the numbers of all rows. Raises UsageError, which names the first line that is wrong and counts them."""
    if len(rows) > MOST_ROWS:
        raise UsageError(f"{named}: more than {MOST_ROWS:,} rows, a task reads no more; name a part of them")
    wrong = [(line, fault) for line, row in rows if (fault := _fault(row))]
    if wrong:
        line, fault = wrong[0]
        others = f" (and {len(wrong) - 1:,} more lines are wrong)" if len(wrong) > 1 else ""
        raise UsageError(f"{named}, line {line}: {fault}{others}")
    return np.array([[float(cell) for cell in row] for _, row in rows]).reshape(-1, 2)


def _fault(row: list[str]) -> str:
    """Say why a row is no point; nothing where it is one."""
    if len(row) != 2:
        return f"two columns are wanted, separated by a comma, found {len(row)}"
    for cell in row:
        if not _reads(cell) or not math.isfinite(float(cell)):
            return f"{shortened(cell.strip(), 40)!r} is no finite number, mend or remove that line"
        if abs(float(cell)) > LARGEST:
            return f"{float(cell):g} is larger than {LARGEST:g}, give the column another unit"
    return ""


def _reads(cell: str) -> bool:
    """True if a cell reads as a number; with underscores, which Python would leave out, none does."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _check(named: str, table: Table) -> None:
    """Raise UsageError where these are too few points, or do not vary."""
    points = table.points
    if len(points) < LEAST_ROWS:
        raise UsageError(f"{named}: {len(points)} rows of numbers, a task needs at least {LEAST_ROWS}")
    for column, width in enumerate(np.ptp(points, axis=0)):
        if width == 0:
            value = points[0, column]
            raise UsageError(f"{named}: {table.called(column)} is {value:g} in every row, name points that vary")
        if width < NARROWEST:
            raise UsageError(
                f"{named}: {table.called(column)} has values within {width:.2g}, at least {NARROWEST:g} is wanted; "
                "give it another unit"
            )
