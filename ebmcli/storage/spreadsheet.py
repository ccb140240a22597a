"""Comma-separated values that a spreadsheet may open."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from ebmcli.core.texts import printable

FORMULA = tuple("=+-@＝＋－＠")  # signs with which one begins, also as wide as Chinese characters


def to_csv(heads: Sequence[str], lines: Sequence[dict[str, Any]]) -> str:
    """CSV text in which nothing is a formula to a spreadsheet, and None is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(harmless, heads))
    writer.writerows([harmless(line.get(name)) for name in heads] for line in lines)
    return buffer.getvalue()


def harmless(value: Any) -> Any:
    """Text that a spreadsheet will not run as a formula, on lines that every reader ends alike; other values as they
    are."""
    if not isinstance(value, str):
        return value
    text = printable(value, keep="\n")
    return f"'{text}" if value.lstrip()[:1] in FORMULA or value[:1] in ("\t", "\r") else text
