"""Writers of reports, one file per format.

A writer is a function of the report and of a link, which says where the text finds a picture; it returns the text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebmcli.core import files
from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import load_package, load_plugins
from ebmcli.core.shelves import put
from ebmcli.core.texts import distinct, file_name
from ebmcli.report.blocks import Table
from ebmcli.report.build import Report

Link = Callable[[Path], str]
Write = Callable[[Report, Link], str]
WriteTable = Callable[[Table], str]


@dataclass(frozen=True)
class Format:
    """A registered format. aliases: other names; pictures: whether its reports show any; table: writes one table, as a
    part of another document, None where the format has no such thing."""

    name: str
    write: Write
    aliases: tuple[str, ...]
    pictures: bool
    table: WriteTable | None


_formats: dict[str, Format] = {}


def report_format(*aliases: str, pictures: bool = False, table: WriteTable | None = None) -> Callable[[Write], Write]:
    """Register a writer under the name of its function."""

    def decorate(function: Any) -> Write:
        name = function.__name__.strip("_")
        former = _formats.get(name)
        made = Format(name, function, aliases, pictures, table)
        put(_formats, "report format", name, made, function, former.write if former else None)
        write: Write = function
        return write

    return decorate


def formats() -> dict[str, Format]:
    """All formats by name."""
    load_package(__name__)
    load_plugins()
    return _formats


def format_of(name: str) -> Format:
    """The format of that name or alias. Raises UsageError."""
    known = formats()
    for writer in known.values():
        if name in (writer.name, *writer.aliases):
            return writer
    raise unknown("format", name, known)


def suffixes() -> dict[str, str]:
    """The suffixes of a file, and the formats that they say."""
    return {f".{alias}": writer.name for writer in formats().values() for alias in (writer.name, *writer.aliases)}


@dataclass(frozen=True)
class Rendered:
    """A report as text. pictures: those that it refers to beside it, by their path from its folder."""

    text: str
    pictures: Mapping[str, bytes]


def render(report: Report, format: str, output: Path | None = None) -> Rendered:
    """The report as text. output: the file that it is for, beside which its pictures are to lie in OUTPUT_files/;
    without one it refers to them where they are."""
    names: dict[Path, str] = {}  # of the pictures' copies, without their suffix
    pictures: dict[str, bytes] = {}

    def link(picture: Path) -> str:
        if output is None:
            return picture.as_posix()
        name = _plain(f"{picture.parent.name}-{picture.stem}")
        names.setdefault(picture, distinct([*names.values(), name])[-1])
        path = f"{_plain(output.stem)}_files/{names[picture]}{picture.suffix}"
        pictures[path] = files.content(picture, files.LARGE)
        return path

    return Rendered(format_of(format).write(report, link), pictures)


def render_table(table: Table, format: str) -> str:
    """One table as text, to be part of another document. Raises UsageError where the format has no such thing."""
    writer = format_of(format)
    if writer.table is None:
        able = ", ".join(other.name for other in formats().values() if other.table)
        raise UsageError(f"--table: {writer.name} writes whole reports, no single table; {able} do")
    return writer.table(table)


def _plain(name: str) -> str:
    """The name, if every format can refer to a file of that name; else another that is its own."""
    return name if re.fullmatch(r"[\w.+-]{1,200}", name, re.ASCII) else file_name(name)
