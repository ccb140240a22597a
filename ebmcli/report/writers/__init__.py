"""Writers of reports, one a format."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ebmcli.report.build import Pictures, Wanted, check, gathered, report
from ebmcli.report.writers.spreadsheet import comma_separated
from ebmcli.storage import store

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
        from ebmcli.report.writers.html import html

        return html(blocks)
    if format == "latex":
        from ebmcli.report.writers.latex import latex

        return latex(blocks, lambda path: _beside(path, output))
    from ebmcli.report.writers.markdown import markdown

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
