"""What the safety of the store costs: its share of a sweep of two-second runs. `python benchmarks/store.py [STEPS]`."""

import sys
import tempfile
import time
from pathlib import Path

from ebmcli.execution.launch import carry_out
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import prepare
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.storage import store
from ebmcli.training import devices

CALLS = ("claim", "clear", "append_curve", "save_arrays", "save_result", "status")
STEPS, SEEDS = 3000, 8  # say other STEPS where training does not take about two seconds


class Quiet:
    """A watcher to whom nothing matters but when the first launch was compiled."""

    compiled = 0.0

    def chunk(self, cells, share):
        """The clock starts when the first chunk is done."""
        if share and not self.compiled:
            self.compiled = time.perf_counter()

    def end(self, cell, status, reason):
        """Do nothing."""

    def note(self, text):
        """Do nothing."""


def main() -> None:
    """Train, with every call of the store timed."""
    spent = dict.fromkeys(CALLS, 0.0)

    def timed(name, function):
        def call(*arguments):
            began = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent[name] += time.perf_counter() - began

        return call

    for name in CALLS:
        setattr(store, name, timed(name, getattr(store, name)))
    devices.start(cache=devices.cache_folder())
    plan = resolve(
        grid(
            {"loss": "hinge", "sampler": "uniform", "seed": f"0..{SEEDS - 1}"},
            {"steps": int(sys.argv[1]) if sys.argv[1:] else STEPS},
        )
    )
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder, watcher = Path(place), Quiet()
        carry_out(prepare(plan, folder, "benchmark"), folder, watcher, RunOptions(pictures=False))
        wall = time.perf_counter() - watcher.compiled
        train = [record.seconds["train"] for record in store.records(folder)]
    total = sum(spent.values())
    print(f"{SEEDS} runs on {devices.cores()} cores, {max(train):.1f} s of training each, {wall:.1f} s in all")
    for name, seconds in spent.items():
        print(f"  {name:13} {seconds * 1000 / SEEDS:6.1f} ms a run")
    print(f"the store takes {total * 1000 / SEEDS:.1f} ms a run, {total / wall:.2%} of the sweep")


if __name__ == "__main__":
    main()
