"""Seconds from a command to what its user waits for: help, a list, a report, the first training step.

    python benchmarks/start.py [--calls 5] [--output FILE.json]

The report is that of 1,000 made-up runs. The first training step is seen on disk, where a run of 20 steps writes its
measures after each of them: cold, with an empty folder of compiled programs, and warm, with what the cold one left.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ours import EBM
from report import make_up


def command(*arguments: str) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run([*EBM, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_step(root: Path, cold: bool) -> float:
    """Seconds from `ebm run --loss hinge` to the measures after its first step."""
    cache, results = root / "cache", root / "results"
    if cold:
        shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(results, ignore_errors=True)
    asked = ["run", "--loss", "hinge", "--steps", "20", "--results", str(results), "--no-pictures"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*EBM, *asked],
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not any(len(path.read_text().splitlines()) > 1 for path in results.glob("*/runs/*/curves.jsonl")):
        if process.poll() is not None:
            sys.exit(f"the run ended without a step: {process.communicate()[1].decode()}")
        time.sleep(0.01)
    found = time.perf_counter() - began
    process.communicate()
    return found


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_up(root / "many")
        waits: dict[str, Callable[[], float]] = {
            "ebm --help": lambda: command("--help"),
            "ebm list losses": lambda: command("list", "losses"),
            "ebm report (1,000 runs)": lambda: command("report", str(root / "many")),
            "first training step, cold": lambda: first_step(root, cold=True),
            "first training step, warm": lambda: first_step(root, cold=False),
        }
        command("--help")  # of the imports, the first one writes what Python compiles
        times = {name: [wait() for _ in range(options.calls)] for name, wait in waits.items()}
    print("| wait for | seconds | range |\n| --- | --- | --- |")
    for name, found in times.items():
        print(f"| {name} | {statistics.median(found):.2f} | {min(found):.2f} to {max(found):.2f} |")
    if options.output:
        options.output.write_text(json.dumps({"unit": "s", "seconds": times}, indent=1) + "\n")


if __name__ == "__main__":
    main()
