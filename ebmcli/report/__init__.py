"""Reports: from the records of a sweep to tables, and from these to markdown, HTML, LaTeX, CSV and JSON."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ebmcli import store
from ebmcli.report.build import Pictures, Wanted, check, gathered, report
from ebmcli.report.measures import HEADINGS, heading, main
from ebmcli.report.model import Table
from ebmcli.report.rows import promised, reasons, tables, unfinished
from ebmcli.report.spreadsheet import comma_separated

__all__ = [
    "FORMATS",
    "HEADINGS",
    "Table",
    "Wanted",
    "heading",
    "main",
    "promised",
    "reasons",
    "tables",
    "text",
    "unfinished",
]
FORMATS = ("md", "html", "csv", "json", "latex")


def text(folders: Sequence[Path], format: str, wanted: Wanted, pictures: Pictures, output: Path | None = None) -> str:
    """The report of these sweeps. pictures: by task. output: the file that it is written to; the pictures that it
    refers to are then copied beside it."""
    if format in ("csv", "json"):
        records = gathered(folders)
        check(records, wanted)
        return comma_separated(records, wanted.average) if format == "csv" else store.dumps(records) + "\n"
    blocks = report(folders, wanted, pictures)
    if format == "html":
        from ebmcli.report.html import html

        return html(blocks)
    if format == "latex":
        from ebmcli.report.latex import latex

        return latex(blocks, lambda path: _beside(path, output))
    from ebmcli.report.markdown import markdown

    return markdown(blocks, lambda path: _beside(path, output))


def _beside(picture: Path, output: Path | None) -> str:
    """Where the text finds a picture: as it lies, or copied to OUTPUT_files/."""
    if output is None:
        return picture.as_posix()
    folder = output.parent / f"{output.stem}_files"
    folder.mkdir(exist_ok=True)
    copy = folder / f"{picture.parent.name}-{picture.name}"
    shutil.copyfile(picture, copy)
    return f"{folder.name}/{copy.name}"
