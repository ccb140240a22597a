"""Carry out a plan: launch by launch, everything saved after each; the same plan again does only what is missing."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ebmcli import engine, evaluate, plots, store
from ebmcli.engine import Engine, Snapshot
from ebmcli.errors import UsageError
from ebmcli.lazy import jax
from ebmcli.plan import Cell, Plan, evaluations, programs
from ebmcli.provenance import provenance, versions
from ebmcli.registry import find
from ebmcli.trainer import Program
from ebmcli.types import Task


class Watcher(Protocol):
    """Who is told how a sweep goes on."""

    def begin(self, total: int, finished: int) -> None:
        """So many runs in all, so many of them already there."""

    def chunk(self, cells: Sequence[Cell], share: float) -> None:
        """A launch has done this share of its work; 0 while it compiles."""

    def end(self, cell: Cell, status: str, reason: str) -> None:
        """A run is saved."""


class Interrupted(Exception):
    """Ctrl-C: what was finished is saved, the same command goes on from there."""


def prepare(plan: Plan, sweep: Path, command: str, said: Mapping[str, Any] | None = None) -> list[Cell]:
    """Write the manifest and return the runs that are still to be done. The caller holds the sweep's lock.

    said: what the command was told, by flags and file (origins.said).

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
    return [cell for cell in plan.runs if store.status(sweep / "runs" / cell.id) not in store.FINISHED]


def _difference(old: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """The settings in which two grids differ, for the message."""

    def seen(configs: Sequence[Mapping[str, Any]]) -> dict[str, set]:
        return {name: {str(config.get(name)) for config in configs} for name in {n for c in configs for n in c}}

    before, now = seen([cell["config"] for cell in old]), seen([cell.config for cell in plan.cells])
    names = sorted(name for name in before if before[name] - now.get(name, before[name]))
    return f"; they differ in {', '.join(names)}" if names else ""


def carry_out(cells: Sequence[Cell], sweep: Path, watcher: Watcher, pictures: bool = True) -> None:
    """Run the cells, program by program, as many side by side as there are devices."""
    origin = provenance(jax.devices())  # of the code as it was when the sweep began
    with _stoppable() as stop:
        for program, group in programs(cells):
            with _failing(group, sweep, watcher):
                _program(program, group, _Sweep(sweep, watcher, stop, pictures, origin))
            jax.clear_caches()  # executables hold memory maps


@dataclass(frozen=True)
class _Sweep:
    """What all launches of a sweep share."""

    folder: Path
    watcher: Watcher
    stop: list[bool]
    pictures: bool
    origin: dict[str, Any]


def _program(program: Program, group: Sequence[Cell], shared: _Sweep) -> None:
    """Compile a program and run its cells, launch by launch, those of equal length together."""
    machine = Engine(program)
    for cell in group:
        if cell.config["loss"] in machine.broken:
            _fail(shared.folder, cell, machine.broken[cell.config["loss"]], "", shared.watcher)
    sound = [cell for cell in group if cell.config["loss"] not in machine.broken]
    sound.sort(key=lambda cell: cell.config["steps"])
    for first in range(0, len(sound), engine.width()):
        if shared.stop:
            raise Interrupted
        chosen = sound[first : first + engine.width()]
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
        for cell in cells:
            if store.status(sweep / "runs" / cell.id) not in store.FINISHED:
                _fail(sweep, cell, text, traceback.format_exc(), watcher)


@contextmanager
def _stoppable() -> Iterator[list[bool]]:
    """A flag that the first Ctrl-C, SIGTERM or SIGHUP raises (the current chunk ends); a second ends the process."""
    stop: list[bool] = []
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def first(number: int, _: Any) -> None:
        stop.append(True)
        signal.signal(number, signal.SIG_DFL)
        os.write(2, b"\nstopping at the end of this chunk; once more to stop at once\n")

    if threading.current_thread() is not threading.main_thread():  # whoever runs us there keeps its own handlers
        yield stop
        return
    before = [signal.signal(number, first) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _fail(sweep: Path, cell: Cell, message: str, trace: str, watcher: Watcher) -> None:
    run = store.claim(sweep, cell.id, cell.config)
    store.save_failure(run, {"kind": "failed", "message": message.splitlines()[0], "traceback": trace})
    watcher.end(cell, "failed", message.splitlines()[0])


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
        for cell in cells:
            folder = store.claim(shared.folder, cell.id, cell.config)
            locks.enter_context(store.locked(folder / "lock"))
            runs.append(_Run(cell, folder, find("task", cell.config["task"]).build(cell.config)))
        compiled, began = machine.compile_seconds, time.monotonic()
        for number, snapshot in enumerate(machine.launch([cell.config for cell in cells])):
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
