"""Writers of reports, one file per format.

A writer is a function of the report and of a link, which says where the text finds a picture; it returns the text.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebmcli.core.errors import unknown
from ebmcli.core.registry import load_package, load_plugins
from ebmcli.report.build import Report

Link = Callable[[Path], str]
Write = Callable[[Report, Link], str]


@dataclass(frozen=True)
class Format:
    """A registered format. aliases: other names; pictures: whether its reports show any."""

    name: str
    write: Write
    aliases: tuple[str, ...]
    pictures: bool


_formats: dict[str, Format] = {}


def report_format(*aliases: str, pictures: bool = False) -> Callable[[Write], Write]:
    """Register a writer under the name of its function."""

    def decorate(function: Any) -> Write:
        name = function.__name__.strip("_")
        _formats[name] = Format(name, function, aliases, pictures)
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


def render(report: Report, format: str, output: Path | None = None) -> str:
    """The report as text. output: the file that it is written to; the pictures that it refers to are then copied beside
    it."""
    return format_of(format).write(report, lambda picture: _beside(picture, output))


def _beside(picture: Path, output: Path | None) -> str:
    """The path by which a text finds a picture: as it lies, or copied to OUTPUT_files/."""
    if output is None:
        return picture.as_posix()
    folder = output.parent / f"{output.stem}_files"
    folder.mkdir(exist_ok=True)
    copy = folder / f"{picture.parent.name}-{picture.name}"
    shutil.copyfile(picture, copy)
    return f"{folder.name}/{copy.name}"
