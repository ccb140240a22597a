"""Steps per second of contrastive divergence on two moons, over all cores: ours, PyTorch, TorchEBM, and the floor.

    pip install -e ".[bench]" && python benchmarks/cd.py [--repetitions 5] [--seconds 5] [--output FILE.json]

An MLP 2-128-128-1 (SiLU), batch 256, 256 chains of 10 Langevin steps from the data, Adam. Every contender runs in
processes of its own, one contender after the other and all of them again, `repetitions` times; the table has medians.
The floor: the floating-point operations of the matrix products of a step over the rate of jax's product of two
2048 x 2048 float32 matrices, one process a core, measured in the same run; torch's rate stands beside it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH, CHAIN, HIDDEN, STEP_SIZE, ALPHA, RATE = 256, 10, 128, 0.1, 0.1, 5e-3
SIDE = 2048  # of the matrices whose product gives the floor
# A chain step differentiates in y: forward and one backward product. Training differentiates in the weights too: three
# products, of right answers and of negatives.
FORWARD = 2 * (2 * HIDDEN + HIDDEN * HIDDEN + HIDDEN)
OPERATIONS = BATCH * FORWARD * (2 * CHAIN + 3 * 2)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


# --- contenders, each in a process: seconds -> steps per second -------------------------------------------------------


def timed(step: Callable[[], Any], seconds: float) -> float:
    """Calls per second, after a tenth of the time to warm up."""
    for limit in (seconds / 10, seconds):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < limit:
            step()
            count += 1
    return count / (time.perf_counter() - began)


def ours(seconds: float) -> float:
    """A sweep of as many lanes as cores, the training alone."""
    from ebmcli import engine
    from ebmcli.config import cells, grid
    from ebmcli.engine import Engine
    from ebmcli.plan import program_of

    engine.start(None, None)
    settings: dict[str, Any] = {"hidden": HIDDEN, "layers": 2, "batch_size": BATCH, "lr": RATE}
    settings |= {"chain_steps": CHAIN, "step_size": STEP_SIZE, "alpha": ALPHA}
    axes = {"task": "moons", "loss": "ml", "sampler": "cd", "seed": f"0..{cores() - 1}"}

    def launch(steps: int) -> float:
        *_, last = machine.launch(cells(grid(axes, settings | {"steps": steps}))[0])
        return cores() * steps / last.seconds

    machine = Engine(program_of(cells(grid(axes, settings))[0][0]))
    return launch(int(launch(200) / cores() * seconds))


def pytorch(seconds: float) -> float:
    """The loop as one writes it by hand; it does not reflect at the walls, as ours does."""
    import torch
    from torch.nn import functional

    net = _network(torch)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    noise = (2 * STEP_SIZE) ** 0.5

    def step() -> None:
        data = _moons(torch)
        y = data.clone()
        for _ in range(CHAIN):
            y.requires_grad_(True)
            (slope,) = torch.autograd.grad(net(y).sum(), y)
            y = (y - STEP_SIZE * slope + noise * torch.randn_like(y)).detach()
        right, wrong = net(data), net(y)
        loss = right.mean() - wrong.mean() + ALPHA * (functional.mse_loss(right, 0 * right) + wrong.square().mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return timed(step, seconds)


def torchebm(seconds: float) -> float:
    """TorchEBM's own loss and sampler."""
    import torch
    from torchebm.core import BaseModel
    from torchebm.losses import ContrastiveDivergence
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.net = _network(torch)

        def forward(self, x: Any) -> Any:
            return self.net(x).squeeze(-1)

    model = Model()
    sampler = LangevinDynamics(model=model, step_size=STEP_SIZE)
    loss = ContrastiveDivergence(model=model, sampler=sampler, k_steps=CHAIN, energy_reg_weight=ALPHA)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        value, _ = loss(_moons(torch))
        value.backward()
        optimiser.step()

    return timed(step, seconds)


def _network(torch: Any) -> Any:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layers = torch.nn
    return layers.Sequential(
        layers.Linear(2, HIDDEN), layers.SiLU(), layers.Linear(HIDDEN, HIDDEN), layers.SiLU(), layers.Linear(HIDDEN, 1)
    )


def _moons(torch: Any) -> Any:
    t = torch.pi * torch.rand(BATCH)
    upper = torch.stack([torch.cos(t), torch.sin(t)], dim=1)
    lower = torch.stack([1 - torch.cos(t), 0.5 - torch.sin(t)], dim=1)
    arcs = torch.where(torch.rand(BATCH, 1) < 0.5, upper, lower)
    return 2 * (arcs + 0.1 * torch.randn(BATCH, 2)) + torch.tensor([-1.0, -0.2])


def jax_floor(seconds: float) -> float:
    """Steps per second that the matrix products alone would allow."""
    import jax

    product = jax.jit(lambda a: a @ a)
    matrix = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    return timed(lambda: product(matrix).block_until_ready(), seconds) * 2 * SIDE**3 / OPERATIONS


def torch_floor(seconds: float) -> float:
    """The same with torch's product."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    matrix = torch.randn(SIDE, SIDE)
    return timed(lambda: matrix @ matrix, seconds) * 2 * SIDE**3 / OPERATIONS


# name: (function, processes, threads of each)
CONTENDERS = {
    "ebm, a lane a core": (ours, 1, 0),
    "PyTorch, all threads": (pytorch, 1, cores()),
    "PyTorch, a process a core": (pytorch, cores(), 1),
    "TorchEBM, all threads": (torchebm, 1, cores()),
    "TorchEBM, a process a core": (torchebm, cores(), 1),
    "floor (jax's matrix product)": (jax_floor, cores(), 1),
    "floor (torch's matrix product)": (torch_floor, cores(), 1),
}


def measured(name: str, seconds: float) -> float:
    """Steps per second of a contender, summed over its processes."""
    _, processes, threads = CONTENDERS[name]
    limits = {"OMP_NUM_THREADS": str(threads), "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if threads else {}
    command = [sys.executable, __file__, "--contender", name, "--seconds", str(seconds)]

    def pinned(place: int) -> Callable[[], None] | None:
        places = sorted(os.sched_getaffinity(0))
        return (lambda: os.sched_setaffinity(0, {places[place]})) if processes > 1 else None

    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | limits, preexec_fn=pinned(place))
        for place in range(processes)
    ]
    return sum(float(child.communicate()[0]) for child in children)


def main() -> None:
    """Print the table; the figures behind it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(CONTENDERS[options.contender][0](options.seconds))
        return
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(options.repetitions):
        for name in CONTENDERS:
            found[name].append(measured(name, options.seconds))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    own = middle["ebm, a lane a core"]
    print(f"{cores()} cores, {platform.processor() or platform.machine()}, python {platform.python_version()}\n")
    print("| contender | steps per second | range | ebm is |\n| --- | --- | --- | --- |")
    for name, rates in found.items():
        span = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"| {name} | {middle[name]:,.0f} | {span} | {own / middle[name]:.2f} times |")
    if options.output:
        options.output.write_text(json.dumps({"cores": cores(), "steps_per_second": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
