"""The blocks of a report, before any format: each writer is one function over these."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Value(NamedTuple):
    """A cell with a figure. number: by which a column is sorted; best: whether it stands out."""

    text: str
    number: float | None = None
    best: bool = False

    def __str__(self) -> str:
        return self.text


Cell = str | Value


@dataclass(frozen=True)
class Table:
    """A heading over columns of cells.

    leading: how many columns tell the rows apart. keys: of the others, those that come first where there is no room for
    all, the most important before. name: of the tables of a task, by which one is asked for alone.
    """

    heading: str
    columns: list[str]
    rows: Sequence[Sequence[Cell]]
    leading: int = 1
    keys: Sequence[str] = ()
    name: str = ""


class Heading(NamedTuple):
    """level: 1 is the report's own, 2 a task's."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph, in which `backquoted` words are code; see verbatim. warning: it must not be overlooked."""

    text: str
    warning: bool = False


class Items(NamedTuple):
    """Short paragraphs side by side."""

    lines: list[str]


class Command(NamedTuple):
    """A line to type, with what it is for."""

    label: str
    line: str


class Picture(NamedTuple):
    """An image file."""

    path: Path
    caption: str


class Formulas(NamedTuple):
    """Losses with their formulas, as the registry has them."""

    lines: list[tuple[str, str]]


def verbatim(text: str) -> str:
    """Text of a record as a paragraph may hold it: it sets nothing as code."""
    return text.replace("`", "'")


Block = Heading | Text | Items | Command | Table | Picture | Formulas
