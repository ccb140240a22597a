"""How long the commands take on a sweep of 10,000 runs: planning, resuming what is finished, status, report, export.

    python benchmarks/many.py [CALLS]

The runs are those of 8 losses x 5 rates x 250 seeds on one task, each with the measures that benchmarks/report.py makes
up, in a temporary folder. Medians over CALLS commands (3): seconds by the clock, seconds of the processor,
peak memory.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ours import EBM
from report import NAMES

from ebmcli.execution.resume import prepare
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.storage import store
from ebmcli.storage.records import Record

LOSSES, RATES, SEEDS = "hinge,log,square-square,mce,lvq2,ml,infonce,nce", "0.0003,0.001,0.003,0.01,0.03", 250
GRID = ["--loss", LOSSES, "--sampler", "uniform", "--lr", RATES, "--seeds", f"0..{SEEDS - 1}", "--name", "many"]


def make_up(results: Path) -> int:
    """A finished sweep of made-up records; how many there are."""
    axes = {"loss": LOSSES, "sampler": "uniform", "seed": f"0..{SEEDS - 1}"}
    plan = resolve(grid(axes, {"lr": RATES}), allow_many=True)
    folder, draw = results / "many", random.Random(0)
    folder.mkdir(parents=True)
    provenance = {"versions": {}, "code": "x", "machine": "m", "devices": "2 x cpu"}
    for cell in prepare(plan, folder, "ebm sweep"):
        metrics = {name: draw.random() for name in NAMES} | {"verdict": "healthy", "verdict_reason": "auroc 0.95"}
        run = store.claim(folder, cell.id, cell.config)
        store.save_result(run, Record(cell.id, "done", cell.config, metrics, {"train": 1.0}, provenance))
    return len(plan.runs)


def timed(command: list[str], folder: Path) -> tuple[float, float, float]:
    """(seconds, seconds of the processor, MiB at most) of a command."""
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        errors = process.stderr.read() if process.stderr else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {errors[-500:]}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(calls: int) -> None:
    """Print a row a command."""
    with tempfile.TemporaryDirectory() as root:
        results = Path(root) / "results"
        print(f"{make_up(results):,} runs\n")
        print("| command | seconds | range | processor | MiB |\n| --- | --- | --- | --- | --- |")
        commands = {
            "sweep --dry-run": ["sweep", *GRID, "--dry-run"],
            "sweep, all finished": ["sweep", *GRID, "--no-pictures"],
            "status": ["status", "many"],
            "report --format md": ["report", "many", "--format", "md"],
            "report --format html": ["report", "many", "--format", "html"],
            "export, csv": ["export", "many", "--output", "many.csv"],
        }
        for name, arguments in commands.items():
            figures = [timed([*EBM, *arguments], results.parent) for _ in range(calls)]
            clock, busy, memory = zip(*figures, strict=True)
            spread = f"{min(clock):.2f} to {max(clock):.2f} | {statistics.median(busy):.2f}"
            print(f"| {name} | {statistics.median(clock):.2f} | {spread} | {max(memory):.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
