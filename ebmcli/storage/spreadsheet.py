"""Comma-separated values that a spreadsheet may open."""

import csv
import io
from collections.abc import Sequence
from typing import Any


def to_csv(heads: Sequence[str], lines: Sequence[dict[str, Any]]) -> str:
    """CSV text in which nothing is a formula to a spreadsheet, and None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(harmless, heads))
    writer.writerows([harmless(line.get(name)) for name in heads] for line in lines)
    return buffer.getvalue()


def harmless(value: Any) -> Any:
    """Text that a spreadsheet will not run as a formula; other values as they are."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
