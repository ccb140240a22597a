"""Tiny sweeps that are planned and trained in this process, without the command line."""

from dataclasses import dataclass, field

import jax
from helpers.cells import cells_of, plan_of
from helpers.shell import _engine as kept_engine

from ebmcli.execution import launch
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import RETRIED, prepare
from ebmcli.storage.atomic import hold_lock

TINY = {"steps": 40, "batch_size": 16, "hidden": 8, "layers": 1, "negatives": 16, "chain_steps": 2, "nodes": 8}


@dataclass
class Told:
    """A watcher that writes down what it is told."""

    ended: list = field(default_factory=list)  # (id, status, reason)
    notes: list = field(default_factory=list)

    def chunk(self, cells, share):
        pass

    def end(self, cell, status, reason):
        self.ended.append((cell.id, status, reason))

    def note(self, text):
        self.notes.append(text)


def tiny_plan(**said):
    """The plan of a grid with tiny values for all hyperparameters that it has and that are not said."""
    known = {name for one in cells_of(**said) for name in one.config}
    return plan_of(**{name: value for name, value in TINY.items() if name in known} | said)


def carry_out(plan, folder, watcher=None, stop=None, retry=RETRIED):
    """Train here what is missing of a plan; the watcher."""
    watcher = watcher or Told()
    folder.mkdir(parents=True, exist_ok=True)
    with hold_lock(folder / "lock"):
        cells = prepare(plan, folder, "ebm test", retry)
        launch.carry_out(cells, folder, watcher, RunOptions(pictures=False), stop)
    return watcher


def keep_engines(monkeypatch):
    """Let programs stay compiled from sweep to sweep, where it does not matter whether they are compiled anew."""
    monkeypatch.setattr(launch, "Engine", kept_engine)
    monkeypatch.setattr(jax, "clear_caches", lambda: None)
