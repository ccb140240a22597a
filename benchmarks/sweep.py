"""Seconds of a whole sweep, cold start to finished report, against the same runs as PyTorch loops.

    pip install -e ".[bench]" && python benchmarks/sweep.py [--steps 1000] [--seeds 5] [--output FILE.json]

Every loss that `langevin` admits on `moons` (its programs compiled anew), `--seeds` each, evaluated, and reported. The
PyTorch loops train alone: no evaluation, no report. Of them ten losses are run, one seed each, once a process a core
and once with all threads, and the time is extrapolated to as many runs as ours; the table says so. Ours runs twice, the
second time with the matrix products of the chains in bfloat16 (chain_precision), which PyTorch gains nothing from (cd).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ours import EBM
from peers import langevin, moons, network

from ebmcli.training.devices import cores

BATCH, NEGATIVES, CHAIN, STEP_SIZE, RATE = 256, 256, 10, 0.1, 5e-3


def admitted() -> list[str]:
    """The losses that langevin admits on moons."""
    asked = ["sweep", "--loss", "all", "--sampler", "langevin", "--task", "moons", "--dry-run", "--json"]
    said = json.loads(subprocess.run([*EBM, *asked], check=True, capture_output=True, text=True).stdout)
    return [cell["config"]["loss"] for cell in said if cell["verdict"] != "refuse"]


def losses(torch: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """Ten losses of energies right [B, 1] and wrong [1, K], over all pairs."""
    functional = torch.nn.functional
    relu, softplus, sigmoid, square = torch.relu, functional.softplus, torch.sigmoid, torch.square
    return {
        "hinge": lambda right, wrong: relu(1 + right - wrong),
        "log": lambda right, wrong: softplus(right - wrong),
        "square-square": lambda right, wrong: square(right) + square(relu(1 - wrong)),
        "square-exp": lambda right, wrong: square(right) + torch.exp(-wrong),
        "square-hinge": lambda right, wrong: square(right) + relu(1 - wrong),
        "mce": lambda right, wrong: sigmoid(right - wrong),
        "lvq2": lambda right, wrong: torch.clamp(right - wrong, 0, 1),
        "simple": lambda right, wrong: relu(right) + relu(1 - wrong),
        "squared hinge": lambda right, wrong: square(relu(1 + right - wrong)),
        "ml": lambda right, wrong: right - wrong + 0.1 * (square(right) + square(wrong)),
    }


def looped(name: str, steps: int) -> None:
    """Train one loss."""
    import torch

    torch.manual_seed(0)
    net, loss = network(torch, 64, 3), losses(torch)[name]
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    for _ in range(steps):
        y = langevin(torch, net, 10 * torch.rand(NEGATIVES, 2) - 5, CHAIN, STEP_SIZE)
        value = loss(net(moons(torch, BATCH)), net(y).T).mean()
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()


def ours(runs: list[str], steps: int, seeds: int, precision: str = "float32") -> tuple[float, str]:
    """Seconds to the report, with an empty folder of compiled programs; and what the plan says of programs."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}
        asked = ["--loss", ",".join(runs), "--sampler", "langevin", "--task", "moons", "--seeds", f"0..{seeds - 1}"]
        asked += ["--steps", str(steps), "--results", f"{folder}/results", "--name", "all"]
        asked += ["--set", f"chain_precision={precision}"]
        plan = subprocess.run([*EBM, "sweep", *asked, "--dry-run"], check=True, capture_output=True, text=True)
        began = time.perf_counter()
        subprocess.run([*EBM, "sweep", *asked, "--no-pictures"], check=True, capture_output=True, env=environment)
        report = [*EBM, "report", "all", "--results", f"{folder}/results", "--output", f"{folder}/report.md"]
        subprocess.run(report, check=True, capture_output=True)
        return time.perf_counter() - began, (plan.stdout + plan.stderr).strip().splitlines()[-1]


def of_pytorch(names: list[str], steps: int, side_by_side: bool) -> float:
    """Seconds of these runs: a process a core, or one after the other with all threads."""
    at_once, each = (cores(), 1) if side_by_side else (1, cores())
    environment = os.environ | {"OMP_NUM_THREADS": str(each)}
    began = time.perf_counter()
    for first in range(0, len(names), at_once):
        commands = [
            [sys.executable, __file__, "--looped", name, "--steps", str(steps)]
            for name in names[first : first + at_once]
        ]
        for child in [subprocess.Popen(command, env=environment) for command in commands]:
            if child.wait():
                sys.exit("a PyTorch loop failed, see above")
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--looped", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.looped:
        looped(options.looped, options.steps)
        return
    import torch

    runs, sample = admitted(), list(losses(torch))
    number = len(runs) * options.seeds
    own, plan = ours(runs, options.steps, options.seeds)
    lower, _ = ours(runs, options.steps, options.seeds, "bfloat16")
    share = number / len(sample)
    peers = {
        "PyTorch, a process a core": share * of_pytorch(sample, options.steps, side_by_side=True),
        "PyTorch, all threads": share * of_pytorch(sample, options.steps, side_by_side=False),
    }
    print(f"{number} runs of {options.steps:,} steps: {len(runs)} losses x {options.seeds} seeds; {plan}\n")
    print("| contender | seconds | ebm is |\n| --- | --- | --- |")
    print(f"| ebm, cold start to report | {own:.0f} | 1.00 times |")
    print(f"| the same, chains in bfloat16 | {lower:.0f} | {lower / own:.2f} times |")
    for name, seconds in peers.items():
        print(f"| {name}, extrapolated from {len(sample)} runs | {seconds:.0f} | {seconds / own:.2f} times |")
    if options.output:
        found = {"runs": number, "ebm": own, "ebm, chains in bfloat16": lower, "pytorch": peers}
        options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
