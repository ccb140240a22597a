"""What the commands do, between the parsed flags and the modules that do the work."""

import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from ebmcli.cli.console import console, print_table
from ebmcli.core.errors import UsageError, unknown
from ebmcli.execution import supervisor
from ebmcli.execution import sweep as sweep_
from ebmcli.planning import experiment_file, origins, plan
from ebmcli.planning.config import Grid, words
from ebmcli.planning.values import parse
from ebmcli.report import formatting, rows
from ebmcli.report.blocks import Table
from ebmcli.storage import find, store

OK, UNFINISHED, INTERRUPTED = 0, 3, 130
SHOWN_REFUSALS = 3


@dataclass(frozen=True)
class Options:
    """What holds for a whole command."""

    command: str
    name: str | None
    results: Path
    json: bool
    devices: int | None
    no_compile_cache: bool
    no_pictures: bool
    yes: bool
    timeout: float | None = None
    retry: str = "failed,killed"
    fail_fast: bool = False
    executor: str = "local"
    scheduler: str | None = None
    job: Sequence[str] | None = None

    @property
    def how(self) -> supervisor.How:
        """How its runs are carried out."""
        kept = (not self.no_compile_cache, not self.no_pictures)
        return supervisor.How(self.devices, *kept, self.timeout, self.fail_fast)


# --- run and sweep ---------------------------------------------------------------------------------------------------


def run(grid: Grid, options: Options) -> int:
    """Train the runs of a grid in a folder of their own, and print their table."""
    planned = plan.plan(grid, options.yes)
    _refuse_nothing(planned)
    config = planned.runs[0].config
    folder = _folder(options) or _fresh(options.results, f"run-{time.strftime('%Y%m%d-%H%M%S')}-{words(config)}")
    resume = options.command if options.name else f"{options.command} --name {folder.name}"
    return _carry_out(planned, folder, options, resume, origins.said(grid))


def repeat(name: str, grid: Grid, options: Options) -> int:
    """Train a recorded run again and say whether the same comes out; 3 where something else does."""
    from ebmcli.checks import reproducibility as repeating
    from ebmcli.cli.progress import Bar

    if grid != Grid() or options.name:
        raise UsageError("--repeat takes everything from the recorded run: leave the other flags of the run out")
    run = find.run(name, options.results)
    how = replace(options.how, devices=options.devices or repeating.devices(run), pictures=False)
    err = console(stderr=True)
    try:
        with Bar(err, quiet=options.json) as bar, supervisor.stoppable() as stop:
            bar.begin(1, 0)
            found = repeating.again(run, how, bar, stop)
    except sweep_.Interrupted:
        return INTERRUPTED
    if options.json:
        print(store.dumps(found))
    else:
        console().print(repeating.sentence(found), markup=False, soft_wrap=True)
    return UNFINISHED if found["verdict"] == "different" else OK


def sweep(file: Path | None, dry_run: bool, flags: Grid, options: Options) -> int:
    """Run a grid from a file, from flags, or from both; or show what it would run."""
    read = experiment_file.load(file) if file else None
    planned = plan.plan(flags.over(read) if read else flags, options.yes)
    if dry_run:
        _show_plan(planned, _sweep_folder(file, planned, options), options)
        return OK
    _refuse_nothing(planned)
    said = origins.said(flags, read, file)
    return _carry_out(planned, _sweep_folder(file, planned, options), options, options.command, said)


def _refuse_nothing(planned: plan.Plan) -> None:
    if not planned.runs:
        reasons = dict.fromkeys(cell.judgement.reason for cell in planned.refused)
        raise UsageError(f"nothing to run: {'; '.join(reasons)}")


def _sweep_folder(file: Path | None, planned: plan.Plan, options: Options) -> Path:
    return _folder(options) or options.results / (file.stem if file else f"sweep-{planned.digest}")


def _folder(options: Options) -> Path | None:
    if options.name is None:
        return None
    if not re.fullmatch(r"\w[\w.+-]{0,99}", options.name):
        raise UsageError(
            f"--name {options.name!r}: a plain folder name of letters, digits and . _ + -; --results says where it lies"
        )
    return options.results / options.name


def _fresh(root: Path, name: str) -> Path:
    """A folder that did not exist, made."""
    for number in count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise AssertionError


def _carry_out(planned: plan.Plan, folder: Path, options: Options, resume: str, said: dict[str, Any]) -> int:
    """Run what is missing; print the table, or the records. resume: the command that goes on after an interruption.
    said: for the manifest, from flags and file."""
    from ebmcli.cli.progress import Bar

    err = console(stderr=True)
    for line in _remarks(planned):
        err.print(line)
    retry, work = _retry(options.retry), _work(options)
    folder.mkdir(parents=True, exist_ok=True)
    if store.held(folder / "lock"):
        err.print(f"another ebm works in {folder}: waiting for it to end")
    stop: list[str] = []
    try:
        with store.locked(folder / "lock") as lock, Bar(err, quiet=options.json) as bar:
            missing = sweep_.prepare(planned, folder, options.command, said, retry)
            finished = len(planned.runs) - len(missing)
            if finished:
                there = f"{finished} of {len(planned.runs)} runs are already in {folder}"
                err.print(there + ("" if missing else ": all there"))
            bar.begin(len(planned.runs), finished)
            with supervisor.stoppable() as stop:
                work(missing, folder, options.how, bar, stop, lock)
    except (sweep_.Interrupted, KeyboardInterrupt):  # the latter while it waits
        stop = stop or ["signal"]
    return _tell(planned, folder, options, resume, stop, err)


def _tell(planned: plan.Plan, folder: Path, options: Options, resume: str, stop: Sequence[str], err: Console) -> int:
    """Print what is there now, and why it is not all; the exit code."""
    wanted = {cell.id for cell in planned.cells}
    records = [record for record in store.records(folder) if record["id"] in wanted]
    _print_results(records, folder, options, err)
    left = [record for record in records if record["status"] not in (*store.FINISHED, "refused")]
    if left and "signal" in stop:
        err.print(f"interrupted: what is finished is saved, `{resume}` goes on from there", markup=False)
        return INTERRUPTED
    if left and stop:
        err.print(f"stopped at the first failure (--fail-fast): `{resume}` goes on from there", markup=False)
    return UNFINISHED if left else OK


def _work(options: Options) -> Callable[..., None]:
    """Who trains the runs: (cells, folder, how, watcher, stop, lock) -> None."""
    if options.executor != "dask" and options.scheduler:
        raise UsageError("--scheduler is the address of a Dask scheduler: say --executor dask with it")
    if options.executor != "slurm" and options.job:
        raise UsageError("--job is a setting of SLURM jobs: say --executor slurm with it")
    if options.executor == "local":
        return lambda cells, folder, how, bar, stop, lock: supervisor.work(cells, folder, how, bar, stop, lock=lock)
    from ebmcli.execution.executors import dask as on_dask
    from ebmcli.execution.executors import jobs
    from ebmcli.execution.executors import slurm as on_slurm

    if options.executor == "dask":
        jobs.needed("distributed", "dask")
        return lambda cells, folder, how, bar, stop, _: on_dask.work(cells, folder, how, bar, stop, options.scheduler)
    if options.executor == "slurm":
        jobs.needed("submitit", "slurm")
        pairs = [text.partition("=") for text in options.job or []]
        if wrong := [name for name, equals, value in pairs if not (name and equals and value)]:
            raise UsageError(f"--job {wrong[0]}: write it as NAME=VALUE, as in slurm_partition=cpu")
        settings = {name: parse(value) for name, _, value in pairs}
        return lambda cells, folder, how, bar, stop, _: on_slurm.work(cells, folder, how, bar, stop, settings)
    raise unknown("--executor", options.executor, jobs.EXECUTORS)


def _retry(text: str) -> list[str]:
    """The kinds of --retry."""
    kinds = [one.strip() for one in text.split(",")]
    for one in kinds:
        if one not in (*sweep_.RETRY, "none"):
            raise unknown("--retry", one, [*sweep_.RETRY, "none"])
    return [one for one in kinds if one != "none"]


def _remarks(planned: plan.Plan) -> list[str]:
    """What the user should know of a plan before it runs."""
    lines = []
    if planned.duplicates:
        lines.append(_twice(planned))
    refused = {cell.judgement.reason for cell in planned.refused}
    lines += [f"refused: {reason}" for reason in sorted(refused)[:SHOWN_REFUSALS]]
    if len(refused) > SHOWN_REFUSALS:
        lines.append(f"refused: and for {len(refused) - SHOWN_REFUSALS} more reasons; --dry-run lists them all")
    warned = {cell.judgement.reason for cell in planned.runs if cell.judgement.verdict == "warn"}
    return lines + [f"warning: {reason}" for reason in sorted(warned)]


def _twice(planned: plan.Plan) -> str:
    return f"what stands twice in the grid is run once ({planned.duplicates} left out)"


def _print_results(records: Sequence[dict[str, Any]], folder: Path, options: Options, err: Console) -> None:
    if options.json:
        print(store.dumps(list(records)))
        return
    out = console()
    for table in [*rows.tables(records), *rows.unfinished(records)]:
        print_table(table, out)
        for line in rows.reasons(records, table.heading):
            out.print(line, markup=False)
    done = [record for record in records if record["status"] == "done"]
    if len(done) == 1:
        run = folder / "runs" / done[0]["id"]
        out.print(f"record   {run / 'result.json'}", markup=False, soft_wrap=True)
        if (run / store.PICTURE).exists():
            out.print(f"picture  {run / store.PICTURE}", markup=False, soft_wrap=True)
    elif done:
        out.print(
            f"records and pictures in {folder / 'runs'}; ebm report {shlex.quote(str(folder))} prints these tables, "
            "ebm plot draws them side by side",
            markup=False,
            soft_wrap=True,
        )


def _show_plan(planned: plan.Plan, folder: Path, options: Options) -> None:
    """The dry run: a line a kind of cell with its judgement, the number of programs, a rough estimate."""
    from ebmcli.training.engine import cores

    if options.json:
        cells = [
            {"id": c.id, "config": c.config, "verdict": c.judgement.verdict, "reason": c.judgement.reason}
            for c in planned.cells
        ]
        print(store.dumps(cells))
        return
    rows: dict[tuple[str, ...], int] = {}
    for cell in planned.cells:
        names = tuple(cell.config[name] for name in ("task", "loss", "sampler", "energy"))
        key = (*names, cell.judgement.verdict, cell.judgement.reason)
        rows[key] = rows.get(key, 0) + 1
    table = Table(
        "cells", ["task", "loss", "negatives", "energy", "runs", "judgement", "reason"],
        [[*key[:4], str(number), *key[4:]] for key, number in rows.items()],
    )  # fmt: skip
    out = console()
    print_table(table, out)
    if planned.duplicates:
        out.print(_twice(planned))
    lanes = options.devices or cores()
    runs = planned.runs
    missing = [cell for cell in runs if store.status(folder / "runs" / cell.id) not in store.FINISHED]
    there = f"{len(runs) - len(missing)} of them already in {folder}, " if len(missing) < len(runs) else ""
    out.print(
        f"{len(runs)} runs in {len(plan.programs(runs))} programs, {there}{len(planned.refused)} refused; "
        f"roughly {formatting.duration(plan.estimate(missing, lanes))} on {lanes} cores at the default sizes"
    )
