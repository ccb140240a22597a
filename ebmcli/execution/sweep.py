"""Carry out a plan: launch by launch, everything saved after each; the same plan again does only what is missing."""

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ebmcli.core.errors import UsageError
from ebmcli.core.lazy import jax
from ebmcli.core.registry import find
from ebmcli.core.types import Task
from ebmcli.figures import picture as plots
from ebmcli.planning.compatibility import judge
from ebmcli.planning.plan import Cell, Plan, evaluations, programs
from ebmcli.storage import store
from ebmcli.storage.provenance import provenance, versions
from ebmcli.training import engine, evaluate
from ebmcli.training.engine import Engine, Snapshot
from ebmcli.training.loop import Program

RETRY = {"failed": ("failed",), "killed": ("killed", "crashed", "timeout", "oom"), "diverged": ("diverged",)}
AGAIN = ("failed", "killed")  # what a command does again unless it is told otherwise


class Watcher(Protocol):
    """Who is told how a sweep goes on."""

    def chunk(self, cells: Sequence[Cell], share: float) -> None:
        """A launch has done this share of its work; 0 while it compiles."""

    def end(self, cell: Cell, status: str, reason: str) -> None:
        """A run is saved."""

    def note(self, text: str) -> None:
        """Something to know."""


class Interrupted(Exception):
    """Ctrl-C: what was finished is saved, the same command goes on from there."""


def prepare(
    plan: Plan, sweep: Path, command: str, said: Mapping[str, Any] | None = None, retry: Sequence[str] = AGAIN
) -> list[Cell]:
    """Write the manifest and return the runs that are still to be done. The caller holds the sweep's lock.

    said: what the command was told, by flags and file (origins.said). retry: of RETRY, what is done again.

    A plan that contains the old one extends it, a part of the old one leaves it as it is, any other is refused.
    """
    try:
        old = store.manifest(sweep)
    except store.Damaged:  # it is written anew
        old = None
    cells = [{"id": cell.id, "config": cell.config, "refused": cell.judgement.refusal} for cell in plan.cells]
    before, now = {cell["id"] for cell in (old or {}).get("cells", [])}, {cell.id for cell in plan.cells}
    if old and now <= before:
        cells = old["cells"]
    elif old and before - now:
        raise UsageError(
            f"{sweep} holds another grid ({len(before - now)} of its {len(before)} runs are not in this one"
            f"{_difference(old['cells'], plan)}): give this one another --name"
        )
    began = (old or {}).get("created") or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    asked = {"command": command, **({"said": said} if said else {})}
    if old and now < before:
        asked = {name: old[name] for name in ("command", "said") if name in old}
    store.tidy(sweep)
    store.save_manifest(sweep, {"created": began, **asked, "versions": versions(), "cells": cells})
    return [cell for cell in plan.runs if _wanted(sweep / "runs" / cell.id, retry)]


def _wanted(run: Path, retry: Sequence[str]) -> bool:
    """Whether a run is to be done, or done again; a result that is not wanted any more is set aside."""
    status = store.status(run)
    asked = any(status in RETRY[one] for one in retry)
    if status in store.FINISHED and asked:
        store.set_aside(run)
    ended = status in store.FINISHED or bool(store.failure(run) and status in (*RETRY["failed"], *RETRY["killed"]))
    return asked or not ended


def cells_of(sweep: Path, runs: Sequence[str]) -> list[Cell]:
    """These runs of the manifest."""
    known = {cell["id"]: cell["config"] for cell in (store.manifest(sweep) or {}).get("cells", [])}
    return [Cell(one, known[one], judge(known[one])) for one in runs]


def _difference(old: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """The settings in which two grids differ, for the message."""

    def seen(configs: Sequence[Mapping[str, Any]]) -> dict[str, set]:
        return {name: {str(config.get(name)) for config in configs} for name in {n for c in configs for n in c}}

    before, now = seen([cell["config"] for cell in old]), seen([cell.config for cell in plan.cells])
    names = sorted(name for name in before if before[name] - now.get(name, before[name]))
    return f"; they differ in {', '.join(names)}" if names else ""


def carry_out(
    cells: Sequence[Cell], sweep: Path, watcher: Watcher, pictures: bool = True, stop: Sequence[bool] = ()
) -> None:
    """Run the cells, program by program, as many side by side as there are devices; to the end of the chunk in which
    `stop` is no longer empty. Raises Interrupted then, OSError of the disk; what a cell raises is written down."""
    shared = _Sweep(sweep, watcher, stop, pictures, provenance(jax.devices()))  # of the code as it was at the beginning
    for program, group in programs(cells):
        watcher.chunk(group[: jax.device_count()], 0.0)
        with _failing(group, sweep, watcher):
            _program(program, group, shared)
        jax.clear_caches()  # executables hold memory maps


@dataclass(frozen=True)
class _Sweep:
    """What all launches of a sweep share."""

    folder: Path
    watcher: Watcher
    stop: Sequence[bool]
    pictures: bool
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
    except (Interrupted, OSError, UsageError):
        raise
    except Exception as error:  # whatever a loss, a compiler or a picture raises
        text = f"{type(error).__name__}: {error}"
        kind = "oom" if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text else "failed"
        for cell in cells:
            if store.status(sweep / "runs" / cell.id) not in store.FINISHED:
                _fail(sweep, cell, kind, text, traceback.format_exc(), watcher)


def _fail(sweep: Path, cell: Cell, kind: str, message: str, trace: str, watcher: Watcher) -> None:
    line = (message.strip().splitlines() or [kind])[0]
    bury(sweep, cell, kind, line, trace)
    watcher.end(cell, kind, line)


def bury(sweep: Path, cell: Cell, kind: str, message: str, trace: str) -> None:
    """Write down why a run has no result. kind: failed, killed, crashed, timeout or oom."""
    run = store.claim(sweep, cell.id, cell.config)
    store.save_failure(run, {"kind": kind, "message": message, "traceback": trace})


@dataclass
class _Run:
    """A run that is under way."""

    cell: Cell
    folder: Path
    task: Task
    history: list[evaluate.Measures] = field(default_factory=list)  # before training, and at chunk ends
    final: evaluate.Measures | None = None

    def note(self, snapshot: Snapshot, lane: int) -> None:
        """Measure a snapshot; a chunk in which no step was done adds nothing."""
        found = evaluate.measure(self.task, self.cell.config, snapshot, lane)
        if snapshot.fine:
            self.final = found
        elif found and (not self.history or self.history[-1]["step"] != found["step"]):
            self.history.append(found)
            store.append_curve(self.folder, found | {"seconds": round(snapshot.seconds, 3)})


def _launch(machine: Engine, cells: Sequence[Cell], shared: _Sweep) -> None:
    """Train one launch and save its runs."""
    shared.watcher.chunk(cells, 0.0)
    with ExitStack() as locks:
        runs = []
        for cell in sorted(cells, key=lambda cell: cell.id):  # in one order: two launches never wait for each other
            folder = store.claim(shared.folder, cell.id, cell.config)
            locks.enter_context(store.locked(folder / "lock"))
            if store.status(folder) in store.FINISHED:  # a launch that an engine of jobs has begun twice
                continue
            store.clear(folder, cell.config)
            runs.append(_Run(cell, folder, find("task", cell.config["task"]).build(cell.config)))
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
    cost = evaluations(config)
    status, metrics = evaluate.conclude(run.task, config, run.history, run.final, int(last.diverged[lane]), cost)
    if status == "done":
        probed = evaluate.at(last, lane)
        batch = {name: probed["train"].get(name) for name in ("x", "y", "y_negative")}
        arrays = run.task.keep(probed["task"]) | batch
        arrays = {name: array for name, array in arrays.items() if array is not None}
        store.save_arrays(folder / "arrays.npz", arrays)
        named, _ = jax.tree_util.tree_flatten_with_path(last.params)
        paths = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf[lane] for path, leaf in named}
        store.save_arrays(folder / "params.npz", paths)
    record = {"id": run.cell.id, "status": status, "config": config, "metrics": metrics}
    times = {name: round(value, 3) for name, value in seconds.items()}
    store.save_result(folder, record | {"seconds": times, "provenance": shared.origin})
    shared.watcher.end(run.cell, status, "")
    if status == "done" and shared.pictures:
        plots.picture(folder, config, metrics, arrays)
