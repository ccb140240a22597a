"""Train the runs of a plan, program by program and launch by launch; everything is saved after each launch."""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebmcli.core.errors import NO_THREADS, MachineError, UsageError, no_threads
from ebmcli.core.lazy import jax
from ebmcli.core.types import Task
from ebmcli.execution import redraw
from ebmcli.execution.events import Interrupted, StopFlag, Watcher
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import bury
from ebmcli.planning.cells import Cell
from ebmcli.planning.cost import step_cost
from ebmcli.planning.programs import programs
from ebmcli.storage import film, kept, store
from ebmcli.storage.atomic import hold_lock
from ebmcli.storage.provenance import provenance
from ebmcli.storage.records import FINISHED, Record
from ebmcli.training import engine, evaluate, memory
from ebmcli.training.engine import Engine, Snapshot
from ebmcli.training.loop import Program
from ebmcli.training.pinned import telling_variables


def carry_out(
    cells: Sequence[Cell], sweep: Path, watcher: Watcher, options: RunOptions, stop: StopFlag | None = None
) -> None:
    """Train the cells, as many side by side as there are devices, until `stop` is set and its chunk has ended.

    Raises Interrupted then, and OSError where the disk fails; what a cell raises is written down as its failure.
    """
    origin = provenance(jax.devices(), telling_variables())  # of the code as it was at the beginning
    shared = _Sweep(sweep, watcher, StopFlag() if stop is None else stop, options, origin)
    for program, group in programs(cells):
        watcher.chunk(group[: jax.device_count()], 0.0)
        with _failing(group, sweep, watcher):
            _program(program, group, shared)
        jax.clear_caches()  # executables hold memory maps


@dataclass(frozen=True)
class _Sweep:
    """The facts that all launches of a sweep share."""

    folder: Path
    watcher: Watcher
    stop: StopFlag
    options: RunOptions
    origin: dict[str, Any]


def _program(program: Program, group: Sequence[Cell], shared: _Sweep) -> None:
    """Compile a program and run its cells, launch by launch, those of equal length together."""
    machine = Engine(program)
    for cell in group:
        if cell.config["loss"] in machine.broken:
            _fail(shared.folder, cell, "failed", machine.broken[cell.config["loss"]], "", shared.watcher)
    sound = [cell for cell in group if cell.config["loss"] not in machine.broken]
    sound.sort(key=lambda cell: cell.config["steps"])
    if sound:
        machine.widen([cell.config for cell in sound])
    if machine.lanes > 1:
        shared.watcher.note(f"{shared.origin['devices']}: {machine.lanes} runs side by side on each")
    for first in range(0, len(sound), machine.width):
        if shared.stop:
            raise Interrupted
        chosen = sound[first : first + machine.width]
        with _failing(chosen, shared.folder, shared.watcher):
            _launch(machine, chosen, shared)


@contextmanager
def _failing(cells: Sequence[Cell], sweep: Path, watcher: Watcher) -> Iterator[None]:
    """Write down an exception as the failure of those of these cells that have no result; the other cells go on."""
    try:
        yield
    except (Interrupted, OSError, UsageError, MachineError):
        raise
    except Exception as error:  # whatever a loss, a compiler or a picture raises
        if no_threads(error):  # no run can be blamed
            raise MachineError(NO_THREADS) from error
        text = str(error) if isinstance(error, memory.TooLarge) else f"{type(error).__name__}: {error}"
        kind = "oom" if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text else "failed"
        for cell in cells:
            if store.status(sweep / "runs" / cell.id) not in FINISHED:
                _fail(sweep, cell, kind, text, traceback.format_exc(), watcher)


def _fail(sweep: Path, cell: Cell, kind: str, message: str, trace: str, watcher: Watcher) -> None:
    line = (message.strip().splitlines() or [kind])[0]
    bury(sweep, cell, kind, line, trace)
    watcher.end(cell, kind, line)


@dataclass
class _Run:
    """A run that is under way."""

    cell: Cell
    folder: Path
    task: Task
    history: list[evaluate.Measures] = field(default_factory=list)  # before training, and at chunk ends
    final: evaluate.Measures | None = None
    frames: list[film.Frame] = field(default_factory=list)  # at the same chunk ends

    def note(self, snapshot: Snapshot, lane: int) -> None:
        """Measure a snapshot; a chunk in which no step was done adds nothing."""
        measures = evaluate.measure(self.task, self.cell.config, snapshot, lane)
        if snapshot.fine:
            self.final = measures
        elif measures and (not self.history or self.history[-1]["step"] != measures["step"]):
            self.history.append(measures)
            self.frames.append(evaluate.frame(self.task, snapshot, lane))
            store.append_curve(self.folder, measures | {"seconds": round(snapshot.seconds, 3)})


def _launch(machine: Engine, cells: Sequence[Cell], shared: _Sweep) -> None:
    """Train one launch and save its runs."""
    shared.watcher.chunk(cells, 0.0)
    with ExitStack() as locks:
        runs = []
        for cell in sorted(cells, key=lambda cell: cell.id):  # in one order: two launches never wait for each other
            folder = store.claim(shared.folder, cell.id, cell.config)
            locks.enter_context(hold_lock(folder / "lock"))
            if store.status(folder) in FINISHED:  # a launch that an engine of jobs has begun twice
                continue
            store.clear(folder, cell.config)
            runs.append(_Run(cell, folder, cell.units.task.build(cell.config)))
        compiled, began = machine.compile_seconds, time.monotonic()
        if not runs:
            return
        for number, snapshot in enumerate(machine.launch([run.cell.config for run in runs])):
            for lane, run in enumerate(runs):
                run.note(snapshot, lane)
            shared.watcher.chunk(cells, min(1.0, number / engine.CHUNKS))
            if shared.stop and not snapshot.fine:
                raise Interrupted
        seconds = {"compile": machine.compile_seconds - compiled, "train": snapshot.seconds}
        seconds["evaluate"] = time.monotonic() - began - seconds["compile"] - seconds["train"]
        for lane, run in enumerate(runs):
            with _failing([run.cell], shared.folder, shared.watcher):
                _save(run, snapshot, lane, seconds, shared)


def _save(run: _Run, last: Snapshot, lane: int, seconds: Mapping[str, float], shared: _Sweep) -> None:
    """Everything of one run: its arrays, then the proof of success, then the picture, which can be drawn again."""
    config, folder = run.cell.config, run.folder
    cost = step_cost(run.cell.units, config)
    status, metrics = evaluate.conclude(run.task, config, run.history, run.final, int(last.diverged[lane]), cost)
    if status == "done":
        probed = evaluate.lane_probe(last, lane)
        batch = {name: probed["train"].get(name) for name in ("x", "y", "y_negative")}
        arrays = run.task.keep(probed["task"]) | batch
        arrays = {name: array for name, array in arrays.items() if array is not None}
        store.save_arrays(folder / "arrays.npz", arrays)
        named, _ = jax.tree_util.tree_flatten_with_path(last.params)
        paths = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf[lane] for path, leaf in named}
        store.save_arrays(folder / "params.npz", paths)
    kept.give(folder, config)
    if shared.options.film and run.frames:
        store.save_arrays(folder / store.FILM, film.pack(run.frames))
    times = {name: round(value, 3) for name, value in seconds.items()}
    record = Record(run.cell.id, status, config, metrics, times, shared.origin)
    store.save_result(folder, record)
    shared.watcher.end(run.cell, status, "")
    if status == "done" and shared.options.pictures:
        redraw.draw(folder, record, shared.watcher)
