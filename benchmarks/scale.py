"""Time and memory of training against lanes, steps, batch and negatives; and memory maps over a sweep of programs.

    python benchmarks/scale.py [--output FILE.json]

The plane's default task, `moons` with hinge and langevin: each figure from a process of its own, compilation apart.
Lanes are the runs of one launch after the other on a CPU, one a core at a time; they lie side by side on a GPU. Then 50
programs (batch sizes) are compiled, trained and dropped in one process, and its memory maps counted after each.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from ours import machine, planned

from ebmcli.core.lazy import jax
from ebmcli.training import devices

USUAL = {"lanes": 2, "steps": 500, "batch_size": 256, "negatives": 256}
AXES = {
    "lanes": [1, 2, 8, 64],
    "steps": [500, 2_000],
    "batch_size": [64, 256, 1_024],
    "negatives": [64, 256, 1_024],
}
PROGRAMS, MAPS = 50, Path("/proc/self/maps")


def trained(lanes: int, **settings: int) -> dict[str, float]:
    """Seconds of compilation and training, and the most memory that the process held, in MiB."""
    devices.start()
    runs = planned({"task": "moons", "loss": "hinge", "seed": f"0..{lanes - 1}"}, settings)
    trained, configs, seconds = machine(runs[0]), [cell.config for cell in runs], 0.0
    trained.widen(configs)
    for first in range(0, lanes, trained.width):
        *_, last = trained.launch(configs[first : first + trained.width])
        seconds += last.seconds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"compile": trained.compile_seconds, "train": seconds, "MiB": memory}


def maps() -> list[int]:
    """Memory maps of a process after each of its programs, dropped as a sweep drops them."""
    devices.start(cache=devices.cache_folder())
    counts = []
    for number in range(PROGRAMS):
        (run,) = planned({"task": "moons", "loss": "hinge"}, {"steps": 20, "batch_size": 32 + number})
        for _ in machine(run).launch([run.config]):
            pass
        jax.clear_caches()
        counts.append(len(MAPS.read_text().splitlines()) if MAPS.exists() else 0)
    return counts


def main() -> None:
    """Print a table for each axis, and the maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        sizes = json.loads(options.inside)
        print(json.dumps(trained(**sizes) if sizes else maps()))
        return
    figures: dict[str, Any] = {}
    for axis, values in AXES.items():
        print(f"| {axis} | compile s | train s | MiB |\n| --- | --- | --- | --- |")
        for value in values:
            spent = figures[f"{axis}={value}"] = _inside(USUAL | {axis: value})
            print(f"| {value:,} | {spent['compile']:.1f} | {spent['train']:.2f} | {spent['MiB']:,.0f} |", flush=True)
        print()
    figures["maps"] = counted = _inside({})
    print(f"memory maps after 1, 10, 25 and {PROGRAMS} programs: {[counted[n - 1] for n in (1, 10, 25, PROGRAMS)]}")
    if options.output:
        options.output.write_text(json.dumps(figures, indent=1) + "\n")


def _inside(sizes: dict[str, int]) -> Any:
    """The figures from a process of its own."""
    command = [sys.executable, __file__, "--inside", json.dumps(sizes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
