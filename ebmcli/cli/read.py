"""The commands that read results, for the command line: each parses, calls and prints."""

from pathlib import Path
from typing import Annotated

import typer

from ebmcli.cli import completion

ROOT = Path("results")
Results = Annotated[Path, typer.Option("--results", help="Folder that holds all results.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone on stdout.")]
Sweep = Annotated[
    str | None,
    typer.Argument(help="Name or folder of a sweep. [default: the newest]", autocompletion=completion.sweeps),
]
Which = typer.Argument(help="Name or folder of a sweep.", autocompletion=completion.sweeps)


Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="md, html, csv, json or latex.",
        autocompletion=completion.words("md", "html", "csv", "json", "latex"),
    ),
]
Sweeps = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SWEEP]...", help="Names or folders of sweeps. [default: the newest]", autocompletion=completion.sweeps
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="LOSS[/NEGATIVES]",
        help="Paired differences of every row to this loss.",
        autocompletion=completion.units_of("loss"),
    ),
]
Measure = Annotated[
    str | None, typer.Option("--measure", help="Rank and compare in this measure. [default: kl, cer, ..., by task]")
]


def report(
    sweeps: Sweeps = None,
    format: Format = "md",
    output: Annotated[Path | None, typer.Option("--output", help="Write to this file instead of stdout.")] = None,
    baseline: Baseline = None,
    measure: Measure = None,
    iqm: Annotated[bool, typer.Option("--iqm", help="Interquartile means instead of means.")] = False,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Show no pictures.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    results: Results = ROOT,
) -> None:
    """Print the tables of one or more sweeps: margin, collapse and accuracy, with intervals over seeds.

    Written to a file by --output, a report has pictures too: html holds them, md and latex find them beside it.
    """
    from ebmcli.cli import reading
    from ebmcli.report.build import Wanted

    wanted = Wanted(baseline, measure, iqm)
    raise typer.Exit(reading.report(sweeps or [], "json" if json else format, wanted, not no_pictures, output, results))


def plot(
    sweep: Sweep = None,
    grid: Annotated[
        str,
        typer.Option(
            "--grid",
            metavar="ROWS,COLUMNS",
            help="Two of loss, sampler, energy, task, seed, or a hyperparameter that varies.",
        ),
    ] = "loss,sampler",
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="Only this task. [default: a page for each]", autocompletion=completion.units_of("task")
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed that is shown. [default: the lowest]")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A .png, .pdf or .svg file. [default: grid-TASK.png in the sweep's folder]"),
    ] = None,
    results: Results = ROOT,
) -> None:
    """Draw a page of small multiples: one cell a run, on one scale, collapsed ones marked.

    Energy surfaces on the plane, F(x, y) of curves, regions of labels, gaps of words. Prints the files written.
    """
    from ebmcli.cli import reading

    raise typer.Exit(reading.plot(sweep, grid, task, seed, output, results))


def status(sweep: Sweep = None, json: Json = False, results: Results = ROOT) -> None:
    """Print how far a sweep is: runs by state, how long the rest will take, the last error."""
    from ebmcli.cli import reading

    raise typer.Exit(reading.status(sweep, json, results))


def show(
    run: Annotated[
        str, typer.Argument(help="Name of a run, or its beginning, or its folder.", autocompletion=completion.runs)
    ],
    json: Json = False,
    results: Results = ROOT,
) -> None:
    """Print all of a run: configuration with the origin of each value, measures, curves, provenance, files."""
    from ebmcli.cli import reading

    raise typer.Exit(reading.show(run, json, results))


def compare(
    first: Annotated[str, Which],
    second: Annotated[str, Which],
    fail_on_worse: Annotated[
        bool,
        typer.Option(
            "--fail-on-worse",
            help="Exit code 3 where a measure is significantly worse in the second, a run is no longer healthy, or a "
            "row is missing.",
        ),
    ] = False,
    json: Json = False,
    results: Results = ROOT,
) -> None:
    """Print what changed from one sweep to another, beyond the noise of the seeds."""
    from ebmcli.cli import reading

    raise typer.Exit(reading.compare(first, second, fail_on_worse, json, results))


def export(
    sweep: Sweep = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="csv, parquet or tensorboard.",
            autocompletion=completion.words("csv", "parquet", "tensorboard"),
        ),
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", help="The file, or the folder of tensorboard. [default: SWEEP.csv, ...]")
    ] = None,
    curves: Annotated[bool, typer.Option("--curves", help="A row a chunk end instead of a row a run.")] = False,
    results: Results = ROOT,
) -> None:
    """Write the runs of a sweep for another program, one row a run. Prints the file written."""
    from ebmcli.cli import reading

    raise typer.Exit(reading.export(sweep, to, output, curves, results))


COMMANDS = (report, plot, status, show, compare, export)
