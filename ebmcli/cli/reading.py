"""What the commands do that read results: report, plot, status, show, compare, export."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ebmcli.cli.commands import OK, UNFINISHED
from ebmcli.cli.console import console, print_table
from ebmcli.core.errors import UsageError, unknown
from ebmcli.figures import page
from ebmcli.report import writers
from ebmcli.report.build import Wanted
from ebmcli.storage import find, store

DRAWN = ("md", "html", "latex")  # formats with pictures


def report(names: Sequence[str], format: str, wanted: Wanted, draw: bool, output: Path | None, results: Path) -> int:
    """Print or write the report of these sweeps, of the newest unless named. draw: pages that are missing or old, where
    the report is written to a file."""
    format = {"markdown": "md", "tex": "latex"}.get(format, format)
    if format not in writers.FORMATS:
        raise unknown("format", format, writers.FORMATS)
    if output and not output.parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.parent}")
    asked: list[str | None] = [*names] or [None]
    folders = list(dict.fromkeys(find.sweep(name, results) for name in asked))
    pictures = _pictures(folders, draw and output is not None) if draw and format in DRAWN else {}
    text = writers.text(folders, format, wanted, pictures, output)
    if output is None:
        sys.stdout.write(text)
    else:
        store.write(output, text.encode())
        console(stderr=True).print(f"written to {output}", markup=False)
    return OK


def _pictures(folders: Sequence[Path], draw: bool) -> dict[str, list[Path]]:
    """The pages of `ebm plot` by task: those that are newer than every result that they show, or else drawn now."""
    found: dict[str, list[Path]] = {}
    err = console(stderr=True)
    for folder in folders:
        records = [record for record in store.records(folder) if record["status"] == "done"]
        tasks = list(dict.fromkeys(record["config"]["task"] for record in records))
        if draw and not all(_fresh(folder, task, records) for task in tasks):
            try:
                _, notes = page.write(folder, "loss,sampler", None, None, None)
            except UsageError as error:
                notes = [f"no pictures of {folder.name}: {error}"]
            for note in notes:
                err.print(note, markup=False, soft_wrap=True)
        for task in tasks:
            if _fresh(folder, task, records):
                found.setdefault(task, []).append(page.file_of(folder, None, task, 1))
    return found


def _fresh(folder: Path, task: str, records: Sequence[dict]) -> bool:
    """Whether the page of a task is there and shows what is there."""
    drawn = page.file_of(folder, None, task, 1)
    ids = [record["id"] for record in records if record["config"]["task"] == task]
    files = [folder / "runs" / one / "result.json" for one in ids]
    return drawn.exists() and all(file.stat().st_mtime_ns <= drawn.stat().st_mtime_ns for file in files)


def plot(name: str | None, grid: str, task: str | None, seed: int | None, output: Path | None, results: Path) -> int:
    """Draw the pages of a sweep, the newest unless named, and say where they lie."""
    written, notes = page.write(find.sweep(name, results), grid, task, seed, output)
    err = console(stderr=True)
    for note in notes:
        err.print(note, markup=False, soft_wrap=True)
    for path in written:
        print(path)
    return OK


def status(name: str | None, as_json: bool, results: Path) -> int:
    """Print how far a sweep is."""
    from ebmcli.report import status as standing

    found = standing.standing(find.sweep(name, results))
    if as_json:
        print(store.dumps(found))
        return OK
    out = console()
    print_table(standing.table(found), out)
    for line in standing.sentences(found):
        out.print(line, markup=False, soft_wrap=True)
    return OK


def show(run: str, as_json: bool, results: Path) -> int:
    """Print all that is known of a run."""
    from ebmcli.report import run as one_run

    folder = find.run(run, results)
    if as_json:
        print(store.dumps(one_run.known(folder)))
        return OK
    out = console()
    for part in one_run.told(folder):
        if isinstance(part, str):
            out.print(part, markup=False, soft_wrap=True)
        else:
            print_table(part, out)
    return OK


def compare(first: str, second: str, fail_on_worse: bool, as_json: bool, results: Path) -> int:
    """Print what changed from one sweep to another."""
    from ebmcli.report import compare as comparing

    folders = [find.sweep(name, results) for name in (first, second)]
    found = comparing.compare(*(store.records(folder) for folder in folders))
    if as_json:
        print(store.dumps(comparing.plain(found)))
    else:
        out = console()
        names = (folders[0].name, folders[1].name)
        if found.changes:
            print_table(comparing.table(found, names if names[0] != names[1] else (first, second)), out)
        for line in comparing.sentences(found):
            out.print(line, markup=False, soft_wrap=True)
    return UNFINISHED if fail_on_worse and found.worse else OK


def export(name: str | None, to: str, output: Path | None, curves: bool, results: Path) -> int:
    """Write the runs of a sweep for another program."""
    from ebmcli.storage import frames

    folder = find.sweep(name, results)
    named = output or Path(f"{folder.name}-tensorboard" if to == "tensorboard" else f"{folder.name}.{to}")
    if not named.parent.is_dir():
        raise UsageError(f"--output {named}: there is no folder {named.parent}")
    frames.export(folder, to, named, curves)
    print(named)
    return OK
