"""Contenders side by side: each in processes of its own, one after the other, and all of them again."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebmcli.training.devices import cores


def threads() -> int:
    """That a contender may use, if it is told."""
    return int(os.environ["OMP_NUM_THREADS"])


@dataclass(frozen=True)
class Contender:
    """A function of seconds that returns a rate; the rates of its processes are added."""

    run: Callable[[float], float]
    processes: int = 1  # more than one: each on a core of its own
    threads: int | None = None  # of each process; None: as it likes


Groups = Mapping[str, Mapping[str, Contender]]  # by what is measured; the first contender is ours


def timed(step: Callable[[], Any], seconds: float, each: float = 1) -> float:
    """How many there are a second where a call does `each`, after a tenth of the time to warm up."""
    for limit in (seconds / 10, seconds):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < limit:
            step()
            count += 1
    return each * count / (time.perf_counter() - began)


def race(about: str, groups: Groups, unit: str, repetitions: int = 5, seconds: float = 5.0) -> None:
    """The command line of a benchmark: prints a table of medians for each group, and keeps all figures as JSON.

    about: its help; unit: of the rates.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=repetitions)
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--output", type=Path, help="a file for all figures, as JSON")
    parser.add_argument("--contender", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        group, name = options.contender
        print(groups[group][name].run(options.seconds))
        return
    found: dict[str, dict[str, list[float]]] = {group: {name: [] for name in groups[group]} for group in groups}
    for _ in range(options.repetitions):
        for group, contenders in groups.items():
            for name, contender in contenders.items():
                found[group][name].append(_measured(group, name, contender, options.seconds))
    print(
        f"{cores()} cores, {platform.processor() or platform.machine()}, python {platform.python_version()}; ", end=""
    )
    print(f"medians of {options.repetitions} interleaved repetitions")
    for group, rates in found.items():
        print(f"\n{table(group, unit, rates)}")
    if options.output:
        options.output.write_text(json.dumps({"cores": cores(), "unit": unit, "rates": found}, indent=1) + "\n")


def table(group: str, unit: str, rates: Mapping[str, list[float]]) -> str:
    """Markdown: median, range, and how many times as fast the first one is as each."""
    own = statistics.median(next(iter(rates.values())))
    lines = [f"| {group} | {unit} | range | ebm is |", "| --- | --- | --- | --- |"]
    for name, values in rates.items():
        middle, span = statistics.median(values), f"{min(values):,.0f} to {max(values):,.0f}"
        lines.append(f"| {name} | {middle:,.0f} | {span} | {own / middle:.2f} times |")
    return "\n".join(lines)


def _measured(group: str, name: str, contender: Contender, seconds: float) -> float:
    """The rates of all processes of a contender, added."""
    environment = dict(os.environ)
    if contender.threads:
        single = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if contender.threads == 1 else {}
        environment |= {"OMP_NUM_THREADS": str(contender.threads)} | single
    command = [sys.executable, sys.argv[0], "--contender", group, name, "--seconds", str(seconds)]

    def pinned(place: int) -> Callable[[], None] | None:
        places = sorted(os.sched_getaffinity(0))
        return (lambda: os.sched_setaffinity(0, {places[place]})) if contender.threads == 1 else None

    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=pinned(place))
        for place in range(contender.processes)
    ]
    outputs = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        sys.exit(f"{name}: failed, see above")
    return sum(float(output.split()[-1]) for output in outputs)
