"""The commands that read results: report, plot, status, show, compare, export."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ebmcli.cli import completion
from ebmcli.cli.console import console, print_sentence, print_table
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.cli.options import ROOT, Json, Results
from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.storage import find, store
from ebmcli.storage import output as outputs
from ebmcli.storage.atomic import dumps

DEFAULT_GRID = "loss,sampler"  # rows and columns of a page

Sweep = Annotated[
    str | None,
    typer.Argument(help="Name or folder of a sweep. [default: the newest]", autocompletion=completion.sweeps),
]
Named = typer.Argument(help="Name or folder of a sweep.", autocompletion=completion.sweeps)
Sweeps = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SWEEP]...", help="Names or folders of sweeps. [default: the newest]", autocompletion=completion.sweeps
    ),
]


def _formats() -> list[str]:
    from ebmcli.report.writers import formats

    return list(formats())


def _exports() -> list[str]:
    from ebmcli.storage.export import FORMATS

    return list(FORMATS)


# --- report ----------------------------------------------------------------------------------------------------------

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="md, html, latex, csv or json. [default: readable on a terminal, else md]",
        autocompletion=completion.one_of(_formats),
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="LOSS[/NEGATIVES]",
        help="Add paired differences of every row to this loss.",
        autocompletion=completion.units_of("loss"),
    ),
]
Measure = Annotated[
    str | None, typer.Option("--measure", help="Rank and compare in this measure. [default: kl, cer, ..., by task]")
]
Iqm = Annotated[bool, typer.Option("--iqm", help="Report interquartile means instead of means.")]
ToFile = Annotated[
    Path | None,
    typer.Option("--output", help="Write to this file, whose suffix says the format (.html, .tex, ...); - is stdout."),
]
Pictures = Annotated[bool, typer.Option("--pictures/--no-pictures", help="Show the pages of `ebm plot` in a file.")]
OneTable = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME",
        help="Only this table: summary, margin, collapse, accuracy, parts, matrix, differences, refused, unfinished "
        "or runs.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B,...", help="Of --table, only these columns, by heading or measure."),
]
ReportTask = Annotated[
    str | None, typer.Option("--task", help="Only this task.", autocompletion=completion.units_of("task"))
]
JsonFormat = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def report(
    sweeps: Sweeps = None,
    format: Format = None,
    output: ToFile = None,
    baseline: Baseline = None,
    measure: Measure = None,
    iqm: Iqm = False,
    task: ReportTask = None,
    table: OneTable = None,
    columns: Columns = None,
    pictures: Pictures = True,
    json: JsonFormat = False,
    results: Results = ROOT,
) -> None:
    """Print the tables of one or more sweeps.

    They are of margin, collapse and accuracy, with intervals over seeds: readable on a terminal, markdown in a pipe.
    A report that is written to a file by --output has pictures too: html holds them, md and latex find them beside it.

        ebm report first --format html --output first.html --baseline hinge

    One table, for a paper to \\input:

        ebm report first --format latex --task moons --table accuracy --columns "loss,negatives,kl,auroc"
    """
    from ebmcli.cli.terminal import print_report
    from ebmcli.report.build import Report, Wanted
    from ebmcli.report.single import single
    from ebmcli.report.writers import format_of, render, render_table, suffixes

    outputs.check(output)
    said = "json" if json else format
    chosen = format_of(outputs.format_of("--format", output, said and format_of(said).name, suffixes(), "md"))
    names: list[str | None] = [*(sweeps or [])] or [None]
    folders = list(dict.fromkeys(find.sweep(name, results) for name in names))
    if columns is not None and table is None:
        raise UsageError("--columns are of one table: say which, as in --table accuracy")
    pages = _pages(folders, output is not None) if pictures and chosen.pictures and table is None else {}
    content = Report(folders, Wanted(baseline, measure, iqm, task), pages)
    readable = output is None and not (json or format) and sys.stdout.isatty()
    if table is not None:
        part = single(content, table, [name.strip() for name in (columns or "").split(",") if name.strip()])
        if readable:
            print_table(part, console())
        else:
            _deliver(render_table(part, chosen.name), {}, output)
    elif readable:
        print_report(content, sweeps or [], console())
    else:
        rendered = render(content, chosen.name, output if _is_file(output) else None)
        _deliver(rendered.text, rendered.pictures, output)


def _is_file(output: Path | None) -> bool:
    return output is not None and not outputs.is_stream(output)


def _deliver(text: str, pictures: Mapping[str, bytes], output: Path | None) -> None:
    """Write a report to its file, or to stdout."""
    outputs.deliver(output or outputs.STDOUT, text.encode(errors="backslashreplace"), pictures)
    if _is_file(output):
        console(stderr=True).print(f"written to {quoted(output)}", markup=False)


def _pages(folders: Sequence[Path], draw: bool) -> dict[str, list[Path]]:
    """The pages of `ebm plot` by task: those that show what the runs are now, or else drawn now."""
    from ebmcli.figures.page import draw_pages, file_of, is_current

    pages: dict[str, list[Path]] = {}
    for folder in folders:
        records = store.records(folder)
        tasks = list(dict.fromkeys(record.task for record in records if record.status == "done"))
        if draw and not all(is_current(folder, task, records) for task in tasks):
            try:
                _, notes = draw_pages(folder, DEFAULT_GRID, None, None, None)
            except (UsageError, OSError) as error:  # the folder may be read-only
                notes = [f"no pictures of {quoted(folder.name)}: {error}"]
            for note in notes:
                console(stderr=True).print(note, markup=False, soft_wrap=True)
        for task in tasks:
            if is_current(folder, task, records):
                pages.setdefault(task, []).append(file_of(folder, None, task, 1))
    return pages


# --- plot ------------------------------------------------------------------------------------------------------------

GridAxes = Annotated[
    str,
    typer.Option(
        "--grid",
        metavar="ROWS,COLUMNS",
        help="Two of loss, sampler, energy, task, seed, or a hyperparameter that varies.",
    ),
]
OneTask = Annotated[
    str | None,
    typer.Option(
        "--task", help="Only this task. [default: a page for each]", autocompletion=completion.units_of("task")
    ),
]
OneSeed = Annotated[int | None, typer.Option("--seed", help="The seed that is shown. [default: the lowest]")]
PageFile = Annotated[
    Path | None,
    typer.Option(
        "--output", help="A .png, .pdf or .svg file, or - for stdout. [default: grid-TASK.png in the sweep's folder]"
    ),
]


Chart = Annotated[
    str | None,
    typer.Option(
        "--chart",
        metavar="rows|curves|NAME",
        help="Draw a chart over all seeds instead: a measure of each row, gap curves, or a measure against a "
        "hyperparameter that varies.",
    ),
]
ChartMeasure = Annotated[
    str | None, typer.Option("--measure", help="The measure of a chart. [default: kl, cer, ..., by task]")
]
Truth = Annotated[bool, typer.Option("--truth/--no-truth", help="Add a column of the truth, where it is known.")]
Width = Annotated[
    float | None, typer.Option("--width", metavar="INCHES", help="Width, with text and lines in proportion.")
]
Dpi = Annotated[int | None, typer.Option("--dpi", help="Dots an inch of a .png. [default: 150, or fewer if large]")]


def plot(
    sweep: Sweep = None,
    grid: GridAxes = DEFAULT_GRID,
    chart: Chart = None,
    measure: ChartMeasure = None,
    task: OneTask = None,
    seed: OneSeed = None,
    truth: Truth = True,
    width: Width = None,
    dpi: Dpi = None,
    output: PageFile = None,
    results: Results = ROOT,
) -> None:
    """Draw the runs of a sweep side by side, or a chart over seeds.

    A page of small multiples has one cell per run, on one scale, collapsed ones marked: energy surfaces on the plane,
    F(x, y) of curves, regions of labels, gaps of words, beside the truth where it is known. With --chart it is a figure
    over all seeds. The files written are printed.

        ebm plot first --chart rows --output kl.pdf --width 3.3
    """
    from ebmcli.figures.charts import draw_charts
    from ebmcli.figures.files import Look
    from ebmcli.figures.page import draw_pages

    outputs.check(output)
    if output == outputs.STDOUT and sys.stdout.isatty():
        raise UsageError("--output -: a terminal shows no picture; redirect it, as in `ebm plot --output - > page.png`")
    if chart is None and measure is not None:
        raise UsageError("--measure is of a chart: say which, as in --chart rows")
    if chart is not None and (grid != DEFAULT_GRID or seed is not None):
        raise UsageError("--chart is over all seeds, without a grid: leave --grid and --seed out")
    folder, look = find.sweep(sweep, results), Look(width, dpi)
    if chart is None:
        written, notes = draw_pages(folder, grid, task, seed, output, look, truth)
    else:
        written, notes = draw_charts(folder, chart, measure, task, output, look), []
    err = console(stderr=True)
    for note in notes:
        err.print(note, markup=False, soft_wrap=True)
    for path in written:
        if not outputs.is_stream(path):
            print(path)


# --- status and show -------------------------------------------------------------------------------------------------


def status(sweep: Sweep = None, json: Json = False, results: Results = ROOT) -> None:
    """Print how far a sweep is, and how long the rest will take."""
    from ebmcli.report.status import sentences, standing, table

    counts = standing(find.sweep(sweep, results))
    _print_parts([table(counts), *sentences(counts)], counts if json else None)


RunName = Annotated[
    str, typer.Argument(help="Name of a run, or its beginning, or its folder.", autocompletion=completion.runs)
]


def show(run: RunName, json: Json = False, results: Results = ROOT) -> None:
    """Print all that is known of a run.

    That is its configuration with the origin of each value, its measures, curves, provenance and files.
    """
    from ebmcli.report.run import describe, paragraphs

    folder = find.run(run, results)
    if json:
        _print_parts([], describe(folder))
    else:
        _print_parts(paragraphs(folder), None)


def _print_parts(parts: Sequence[Any], as_json: Any) -> None:
    """Print sentences and tables; or one value as JSON instead, if there is one."""
    if as_json is not None:
        print(dumps(as_json))
        return
    out = console()
    for part in parts:
        if isinstance(part, str):
            print_sentence(part, out)
        else:
            print_table(part, out)


# --- compare and export ----------------------------------------------------------------------------------------------

FailOnWorse = Annotated[
    bool,
    typer.Option(
        "--fail-on-worse",
        help="End with exit code 3 where a measure is significantly worse in the second, a run is no longer healthy, "
        "or a row is missing.",
    ),
]


def compare(
    first: Annotated[str, Named],
    second: Annotated[str, Named],
    fail_on_worse: FailOnWorse = False,
    json: Json = False,
    results: Results = ROOT,
) -> None:
    """Print what changed between two sweeps, beyond the noise of seeds."""
    from ebmcli.report import compare as comparing

    folders = [find.sweep(name, results) for name in (first, second)]
    comparison = comparing.compare(*(store.records(folder) for folder in folders))
    names = (folders[0].name, folders[1].name)
    tables = (
        [comparing.table(comparison, names if names[0] != names[1] else (first, second))] if comparison.changes else []
    )
    _print_parts([*tables, *comparing.sentences(comparison)], comparing.to_json(comparison) if json else None)
    raise typer.Exit(ExitCode.UNFINISHED if fail_on_worse and comparison.worse else ExitCode.OK)


To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="csv, parquet or tensorboard. [default: as --output ends, else csv]",
        autocompletion=completion.one_of(_exports),
    ),
]
ExportFile = Annotated[
    Path | None,
    typer.Option("--output", help="The file, or the folder of tensorboard; - is stdout. [default: SWEEP.csv, ...]"),
]
Curves = Annotated[bool, typer.Option("--curves", help="One row per run and chunk end instead of one row per run.")]


def export(
    sweep: Sweep = None, to: To = None, output: ExportFile = None, curves: Curves = False, results: Results = ROOT
) -> None:
    """Write the runs of a sweep for another program, one row per run. The file written is printed."""
    from ebmcli.storage import export as exporting

    format = outputs.format_of("--to", output, to and exporting.format_of(to), exporting.SUFFIXES, "csv")
    outputs.check(output, folder=format == "tensorboard")
    folder = find.sweep(sweep, results)
    usual = f"{folder.name}-tensorboard" if format == "tensorboard" else f"{folder.name}.{format}"
    named = output or Path(usual)
    exporting.export(folder, format, named, curves)
    if not outputs.is_stream(named):
        print(named)
