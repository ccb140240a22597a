"""`ebm run` and `ebm sweep`: plan, train what is missing, print the table."""

import re
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ebmcli.cli import completion
from ebmcli.cli.console import console, print_sentence, print_table
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.cli.options import ROOT, Request, with_grid
from ebmcli.cli.output import Unprinted
from ebmcli.cli.progress import Bar
from ebmcli.core.errors import LONG, UsageError, unknown
from ebmcli.core.texts import shortened
from ebmcli.execution.events import Interrupted, StopFlag
from ebmcli.execution.executors import Trainer, Work
from ebmcli.execution.resume import RETRY, prepare
from ebmcli.execution.supervisor import stoppable
from ebmcli.planning import experiment_file
from ebmcli.planning.cost import estimate, remarks
from ebmcli.planning.grid import Grid
from ebmcli.planning.identity import readable
from ebmcli.planning.plan import Plan, resolve
from ebmcli.planning.programs import programs
from ebmcli.storage import find, kept, store
from ebmcli.storage.atomic import dumps, hold_lock, is_locked
from ebmcli.storage.records import FINISHED, Record

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_REFUSALS = 3
LONGEST_WORDS = 64  # bytes in the name of a folder, which --name takes with up to 100 letters
UNNAMED = "sweep-"  # folders of sweeps that nobody named begin so
FIRST_SWEEP = "ebm sweep --loss hinge,log,nll --seeds 0..2"  # of which nothing is refused

Repeat = Annotated[
    str | None,
    typer.Option(
        "--repeat",
        metavar="RUN",
        help="Train a recorded run again, and say whether the same comes out.",
        autocompletion=completion.runs,
    ),
]
File = Annotated[Path | None, typer.Argument(help="Experiment file (TOML), as in experiments/.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show cells, programs, refusals and an estimate; train nothing.")
]


@with_grid
def run(repeat: Repeat = None, dry_run: DryRun = False, **said: Any) -> None:
    """Train one loss, or a few, and print how they did.

    The table has the margin, the verdict on collapse and the accuracy, with intervals where there are several seeds.
    One flag is enough:

        ebm run --loss hinge

    Every flag takes a list, and numbers take a range:

        ebm run --loss hinge,log --seeds 0..4 --margin 0.5,1,2
    """
    request = Request(said)
    if repeat:
        raise typer.Exit(_repeat(repeat, request))
    named = _named_folder(request)
    _offer_files([named] if named else [])
    plan = resolve(request.grid, request.yes)
    if dry_run:
        raise typer.Exit(_show_plan(plan, named, request))
    _check_runs(plan)
    work = _prepared(request)
    if named:
        raise typer.Exit(_carry_out(plan, named, request, work, request.command))
    words = readable(plan.runs[0].config, LONGEST_WORDS)
    folder = _new_folder(request.results, f"run-{time.strftime('%Y%m%d-%H%M%S')}-{words}")
    raise typer.Exit(_carry_out(plan, folder, request, work, f"{request.command} --name {folder.name}"))


@with_grid
def sweep(file: File = None, dry_run: DryRun = False, **said: Any) -> None:
    """Train every run of a grid: losses x samplers x tasks x seeds.

    The grid is that of an experiment file, of flags, or of both; flags win. The same command again does what is
    missing:

        ebm sweep experiments/first.toml
    """
    request = Request(said)
    named = _named_folder(request) or (request.results / file.stem if file else None)
    _offer_files([named] if named else _unnamed_sweeps(request))
    grid = request.grid.over(experiment_file.load(file)) if file else request.grid
    plan = resolve(grid, request.yes)
    folder = named or _folder_of(plan, request.results)
    if dry_run:
        raise typer.Exit(_show_plan(plan, folder, request))
    _check_runs(plan)
    raise typer.Exit(_carry_out(plan, folder, request, _prepared(request), request.command))


def _repeat(name: str, request: Request) -> ExitCode:
    """Train a recorded run again and say whether the same comes out."""
    from ebmcli.checks.reproducibility import recorded_devices, repeat

    if request.grid != Grid() or request.name:
        raise UsageError("--repeat takes everything from the recorded run: leave the other flags of the run out")
    folder = find.run(name, request.results)
    devices = request.options.devices or recorded_devices(folder)
    try:
        with Bar(console(stderr=True), quiet=request.json) as bar, stoppable() as stop:
            bar.begin(1, 0)
            comparison = repeat(folder, replace(request.options, devices=devices, pictures=False), bar, stop)
    except Interrupted:
        return ExitCode.INTERRUPTED
    if request.json:
        print(dumps(comparison.to_json()))
    else:
        console().print(comparison.sentence(), markup=False, soft_wrap=True)
    return ExitCode.UNFINISHED if comparison.verdict == "different" else ExitCode.OK


def _check_runs(plan: Plan) -> None:
    """Raise UsageError where every cell of a plan is refused."""
    if not plan.runs:
        reasons = dict.fromkeys(cell.judgement.reason for cell in plan.refused)
        raise UsageError(f"nothing to run: {'; '.join(reasons)}")


def _named_folder(request: Request) -> Path | None:
    """The folder that --name says."""
    if request.name is None:
        return None
    if not re.fullmatch(r"\w[\w.+-]{0,99}", request.name):
        raise UsageError(
            f"--name {shortened(request.name, LONG)!r}: a plain folder name of letters, digits and . _ + -; "
            "--results says where it lies"
        )
    return request.results / request.name


def _folder_of(plan: Plan, root: Path) -> Path:
    """The folder of a sweep that nobody named: one with these very cells, in whatever order, or else a new one."""
    usual, ids = root / f"{UNNAMED}{plan.digest}", {cell.id for cell in plan.cells}
    for folder in [] if usual.exists() else store.sweeps(root):
        with suppress(store.Damaged):
            listing = store.manifest(folder)
            if folder.name.startswith(UNNAMED) and listing and {cell.id for cell in listing.cells} == ids:
                return folder
    return usual


def _unnamed_sweeps(request: Request) -> list[Path]:
    """The sweeps that this command may go on with, where it names a file; the newest last."""
    of_a_file = ":" in (request.said["task"] or "")
    return [
        folder for folder in reversed(store.sweeps(request.results)) if of_a_file and folder.name.startswith(UNNAMED)
    ]


def _offer_files(folders: Sequence[Path]) -> None:
    """Let a file that is not there any more, or not in this folder, be the copy that one of these sweeps keeps."""
    for folder in folders:
        with suppress(store.Damaged):
            kept.offer_all(folder)


def _new_folder(root: Path, name: str) -> Path:
    """Create a new folder, adding -2, -3, ... if the name is taken."""
    for number in count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise AssertionError


class _Prepared(NamedTuple):
    """The options that are checked before anything is written."""

    train: Trainer
    retry: list[str]  # the kinds of --retry


def _prepared(request: Request) -> _Prepared:
    """Look at the flags of the executor, and at --retry. Raises UsageError."""
    kinds = [kind.strip() for kind in request.retry.split(",")]
    for kind in kinds:
        if kind not in (*RETRY, "none"):
            raise unknown("--retry", kind, [*RETRY, "none"])
    return _Prepared(request.trainer(), [kind for kind in kinds if kind != "none"])


def _carry_out(plan: Plan, folder: Path, request: Request, work: _Prepared, resume: str) -> ExitCode:
    """Train what is missing; print the table, or the records. resume: the command that goes on when interrupted."""
    from ebmcli.execution.redraw import redraw

    err = console(stderr=True)
    for line in _remarks(plan):
        err.print(line, markup=False)
    folder.mkdir(parents=True, exist_ok=True)
    if is_locked(folder / "lock"):
        err.print(f"another ebm works in {folder}: waiting for it to end")
    stop = StopFlag()
    try:
        with hold_lock(folder / "lock") as lock, Bar(err, quiet=request.json) as bar:
            missing = prepare(plan, folder, request.command, work.retry)
            finished = len(plan.runs) - len(missing)
            if finished:
                already = f"{finished} of {len(plan.runs)} runs are already in {folder}"
                err.print(already + ("" if missing else ": all there"))
            bar.begin(len(plan.runs), finished)
            with stoppable() as stop:
                work.train(Work(missing, folder, request.options, bar, stop, lock))
                if request.options.pictures:
                    redraw(plan.runs, folder, bar, stop)
    except (Interrupted, KeyboardInterrupt):  # the latter while it waits
        stop.set("signal")
    return _conclude(plan, folder, request, resume, stop, err)


def _conclude(plan: Plan, folder: Path, request: Request, resume: str, stop: StopFlag, err: "Console") -> ExitCode:
    """Print what is there now, and why it is not all."""
    wanted = {cell.id for cell in plan.cells}
    records = [record for record in store.records(folder) if record.id in wanted]
    try:
        _print_results(records, folder, request)
        sys.stdout.flush()
    except Unprinted as error:
        if request.json:
            raise
        err.print(f"{error}; ebm report {shlex.quote(str(folder))} prints it", markup=False, soft_wrap=True)
    left = [record for record in records if record.status not in (*FINISHED, "refused")]
    if left and stop.reason == "signal":
        err.print(f"interrupted: what is finished is saved, `{resume}` goes on from there", markup=False)
        return ExitCode.INTERRUPTED
    if left and stop:
        err.print(f"stopped at the first failure (--fail-fast): `{resume}` goes on from there", markup=False)
    return ExitCode.UNFINISHED if left else ExitCode.OK


# --- what is printed -------------------------------------------------------------------------------------------------


def _remarks(plan: Plan) -> list[str]:
    """Remarks on a plan before it runs."""
    lines = _notes(plan)
    refused = {cell.judgement.reason for cell in plan.refused}
    lines += [f"refused: {reason}" for reason in sorted(refused)[:SHOWN_REFUSALS]]
    if len(refused) > SHOWN_REFUSALS:
        lines.append(f"refused: and for {len(refused) - SHOWN_REFUSALS} more reasons; --dry-run lists them all")
    warned = {cell.judgement.reason for cell in plan.runs if cell.judgement.verdict == "warn"}
    return lines + [f"warning: {reason}" for reason in sorted(warned)]


def _notes(plan: Plan) -> list[str]:
    """How the grid was understood, where it may have been meant otherwise."""
    lines = [f"what stands twice in the grid is run once ({plan.duplicates} left out)"] if plan.duplicates else []
    seeds = {cell.config["seed"] for cell in plan.cells}
    if len(seeds) == 1 and (seed := seeds.pop()) > 1:
        lines.append(f"seeds: {seed} is one seed, not {seed} of them, which would be 0..{seed - 1}")
    return lines + [f"warning: {remark}" for remark in remarks(plan.runs)]


def _print_results(records: Sequence[Record], folder: Path, request: Request) -> None:
    from ebmcli.report import rows
    from ebmcli.report.glossary import reading_line

    if request.json:
        print(dumps([record.to_json() for record in records]))
        return
    out = console()
    for number, table in enumerate(rows.tables(records)):
        left_out = print_table(table, out, whole=False)
        if left_out:
            out.print(f"left out at {out.width} columns: {', '.join(left_out)}; see ebm report", markup=False)
        if number == 0 and table.rows:
            out.print(f"{reading_line(records)}\n", markup=False)
        for line in [*rows.reasons(records, table.heading), *rows.warnings(records, table.heading)]:
            out.print(line, markup=False)
    for table in rows.unfinished_tables(records):
        print_table(table, out)
    for line in _next_steps(records, folder):
        print_sentence(line, out)


def _next_steps(records: Sequence[Record], folder: Path) -> list[str]:
    """Where the results are, and what to do with them."""
    done = [record for record in records if record.status == "done"]
    if len(done) == 1:
        run = folder / "runs" / done[0].id
        picture = [f"picture  {run / store.PICTURE}"] if (run / store.PICTURE).exists() else []
        return [f"record   {run / 'result.json'}", *picture, f"next     {FIRST_SWEEP}"]
    if done:
        named = shlex.quote(folder.name if folder.parent == ROOT else str(folder))
        return [f"records  {folder / 'runs'}", f"next     ebm report {named}   ebm plot {named}"]
    return []


def _show_plan(plan: Plan, folder: Path | None, request: Request) -> ExitCode:
    """The dry run: one line per kind of cell with its judgement, the number of programs, a rough estimate.

    folder: where some may be finished; None where a new one would be made.
    """
    from ebmcli.report.blocks import Table
    from ebmcli.report.formatting import duration
    from ebmcli.training.devices import cores

    if request.json:
        cells = [
            {"id": c.id, "config": c.config, "verdict": c.judgement.verdict, "reason": c.judgement.reason}
            for c in plan.cells
        ]
        print(dumps(cells))
        return ExitCode.OK
    kinds: dict[tuple[str, ...], int] = {}
    for cell in plan.cells:
        names = tuple(cell.config[name] for name in ("task", "loss", "sampler", "energy"))
        key = (*names, cell.judgement.verdict, cell.judgement.reason)
        kinds[key] = kinds.get(key, 0) + 1
    table = Table(
        "cells", ["task", "loss", "negatives", "energy", "runs", "judgement", "reason"],
        [[*key[:4], str(number), *key[4:]] for key, number in kinds.items()], leading=3,
    )  # fmt: skip
    out = console()
    print_table(table, out)
    for line in _notes(plan):
        out.print(line)
    lanes, runs = request.options.devices or cores(), plan.runs
    missing = [cell for cell in runs if folder is None or store.status(folder / "runs" / cell.id) not in FINISHED]
    already = f"{len(runs) - len(missing)} of them already in {folder}, " if len(missing) < len(runs) else ""
    out.print(
        f"{len(runs)} runs in {len(programs(runs))} programs, {already}{len(plan.refused)} refused; "
        f"roughly {duration(estimate(missing, lanes))} on {lanes} cores at the default sizes"
    )
    return ExitCode.OK
