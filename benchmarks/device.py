"""What an accelerator does: its measures beside a CPU's, and steps a second against the lanes that it trains at once.

    python benchmarks/device.py measures [--output FILE.json]
    python benchmarks/device.py lanes [--seconds 1] [--output FILE.json]

`measures` trains the same runs on the accelerator and on the CPUs. Their numbers are rounded in another order, and a
run amplifies that from step to step; so the runs are short, and the table has the largest difference of a measure from
the CPU's, relative to it, beside the tolerance.
`lanes` trains contrastive divergence on moons with an MLP 2-128-128-1 and with one 2-512-512-1 (batch 256, 256 chains
of 10 Langevin steps, Adam), and `words` with nll, from 1 to 1,024 runs at once; beside them PyTorch with one run at a
time, eager and compiled, PyTorch with all runs in batched products, and TorchEBM. The card's matrix rate is that of
jax's product of two 8192 x 8192 matrices. Where there is no accelerator, everything runs on the CPUs, fewer lanes.
"""

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cd import ALPHA, BATCH, CHAIN, RATE, STEP_SIZE, torchebm_step
from ours import EBM, machine, planned
from peers import langevin, moons, network

from ebmcli.training import devices

BEGAN = time.monotonic()
SIDE = 8192  # of the matrices whose product gives the card's rate
LANES = (1, 8, 64, 256, 1024)
FEW = (1, 64, 1024)
NETS = {"cd, 2-128-128-1": (128, LANES), "cd, 2-512-512-1": (512, FEW)}
ON_CPUS = 8  # lanes at most
# What is trained on both: options of `ebm sweep`, and the largest relative difference that passes.
TRAINED: Mapping[str, tuple[list[str], float]] = {
    "hinge, uniform": (["--loss", "hinge,square-square", "--sampler", "uniform", "--steps", "200"], 5e-2),
    "ml, infonce, langevin": (["--loss", "ml,infonce", "--sampler", "langevin", "--steps", "100"], 5e-2),
    "nll, quadrature": (["--loss", "nll", "--sampler", "quadrature", "--steps", "100"], 5e-2),
    "letters": (["--task", "letters", "--loss", "hinge,nll", "--steps", "40"], 5e-2),
    "words": (["--task", "words", "--loss", "hinge,nll", "--steps", "20"], 5e-2),
}
LEFT_OUT = ("gap_growth",)  # a slope over few points


def operations(hidden: int) -> int:
    """Floating-point operations of the matrix products of a step of `cd`: chains differentiate in y, training too in
    the weights."""
    return BATCH * 2 * (2 * hidden + hidden * hidden + hidden) * (2 * CHAIN + 3 * 2)


# --- measures --------------------------------------------------------------------------------------------------------


def measures(options: argparse.Namespace) -> bool:
    """Print a table of the largest differences; false where one is too large."""
    figures: dict[str, Any] = {}
    print("| runs | largest difference | of | tolerance |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, tolerance) in TRAINED.items():
            if not name.startswith(options.only or ""):
                continue
            with ThreadPoolExecutor() as pool:
                trained = (
                    pool.submit(_trained, arguments, Path(folder) / name.replace(", ", "-") / platform, platform)
                    for platform in ("default", "cpu")
                )
                here, there = (future.result() for future in list(trained))
            worst, measure = max(_differences(here, there))
            figures[name] = {"difference": worst, "measure": measure, "tolerance": tolerance}
            print(f"| {name} | {worst:.1e} | {measure} | {tolerance:.0e} |", flush=True)
    if options.output:
        options.output.write_text(json.dumps(figures, indent=1) + "\n")
    return all(found["difference"] <= found["tolerance"] for found in figures.values())


def _trained(arguments: list[str], results: Path, platform: str) -> dict[str, Mapping[str, Any]]:
    """The measures of the runs of a sweep by id, trained on the CPUs or on jax's default platform."""
    environment = os.environ | ({"JAX_PLATFORMS": platform} if platform == "cpu" else {})
    command = [*EBM, "sweep", *arguments, "--seeds", "0,1", "--results", str(results), "--name", "all", "--no-pictures"]
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    from ebmcli.storage import store

    records = store.records(results / "all")
    if not all(record.finished for record in records):
        sys.exit(f"{' '.join(command)}: {[record.reason for record in records]}")
    return {record.id: record.metrics for record in records}


def _differences(
    here: Mapping[str, Mapping[str, Any]], there: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[float, str]]:
    """The relative difference of every number; numbers below 1 are compared as they are."""
    for run, found in there.items():
        for name, value in found.items():
            if isinstance(value, float | int) and name not in LEFT_OUT:
                other = here[run][name]
                same = other is not None and math.isfinite(other)
                yield (abs(other - value) / max(abs(value), 1.0) if same else math.inf), f"{name} of {run}"


# --- lanes -----------------------------------------------------------------------------------------------------------


def lanes(options: argparse.Namespace) -> bool:
    """Print a table for each net, of ours by lanes and of the others."""
    import jax

    devices.start(1)
    most = ON_CPUS if jax.default_backend() == "cpu" else max(LANES)
    peak, side = rate_of_products(options.seconds), _side()
    print(f"jax's product of two {side}-square float32 matrices: {peak / 1e12:.1f} TFLOP/s")
    figures: dict[str, Any] = {"matrix rate": peak, "device": str(jax.devices()[0].device_kind)}
    for name, (hidden, counts) in NETS.items():
        print(f"\n| {name} | lanes | steps/s | energy evaluations/s | share of matrix rate | compile s | MiB |")
        print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for contender, run in contenders(hidden, [count for count in counts if count <= most]).items():
            figures[f"{name}: {contender}"] = found = _measured(partial(run, options.seconds), options.limit)
            steps = found.get("steps")
            if not steps:
                print(f"| {contender} | {found.get('lanes', '')} | {found['error']} | | | | |", flush=True)
                continue
            share, evaluated = steps * operations(hidden) / peak, steps * BATCH * (CHAIN + 2)
            print(
                f"| {contender} | {found['lanes']:,} | {steps:,.0f} | {evaluated:,.0f} | {share:.0%} "
                f"| {found.get('compile', 0):.1f} | {found.get('MiB', 0):,.0f} |",
                flush=True,
            )
    print("\n| words, nll | lanes | steps/s | images/s | compile s | MiB |\n| --- | --- | --- | --- | --- | --- |")
    for count in (count for count in FEW if count <= most):
        figures[f"words: ebm {count}"] = found = _measured(
            partial(ours, {"task": "words", "loss": "nll"}, {}, count, options.seconds), options.limit
        )
        if steps := found.get("steps"):
            spent = f"{found['compile']:.1f} | {found['MiB']:,.0f}"
            print(f"| ebm | {count:,} | {steps:,.0f} | {32 * steps:,.0f} | {spent} |", flush=True)
        else:
            print(f"| ebm | {count:,} | {found['error']} | | | |", flush=True)
    if options.output:
        options.output.write_text(json.dumps(figures, indent=1) + "\n")
    return True


def _measured(run: Callable[[], dict[str, Any]], limit: float) -> dict[str, Any]:
    """The figures, or the error where memory is short; nothing is begun after so many seconds of this process."""
    if time.monotonic() - BEGAN > limit:
        return {"error": "left out, time is up"}
    try:
        return run()
    except Exception as error:  # jax and torch each have their own
        return {"error": f"{type(error).__name__}: {str(error)[:60]!r}"}
    finally:
        gc.collect()


def rate_of_products(seconds: float) -> float:
    """Operations a second of jax's float32 matrix product, as exact as that of our nets."""
    import jax

    side = _side()
    product, matrix = jax.jit(lambda a: a @ a), jax.random.normal(jax.random.key(0), (side, side))
    product(matrix).block_until_ready()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        product(matrix).block_until_ready()
        count += 1
    return count * 2 * side**3 / (time.perf_counter() - began)


def _side() -> int:
    import jax

    return SIDE if jax.default_backend() != "cpu" else SIDE // 4


def contenders(hidden: int, counts: list[int]) -> dict[str, Callable[[float], dict[str, Any]]]:
    """By name, functions of seconds that return steps a second of all lanes, lanes, seconds to compile and memory."""
    net = {"hidden": hidden, "layers": 2, "batch_size": BATCH, "lr": RATE}
    chain = {"chain_steps": CHAIN, "step_size": STEP_SIZE, "alpha": ALPHA}
    axes = {"task": "moons", "loss": "ml", "sampler": "cd"}
    most = counts[-1]
    found = {f"ebm {count}": partial(ours, axes, net | chain, count) for count in counts}
    found |= {
        f"ebm {most}, chains in bfloat16": partial(ours, axes, net | chain | {"chain_precision": "bfloat16"}, most),
        f"ebm {most}, every loss": partial(ours, axes, net | chain, most, every_loss=True),
        "PyTorch": partial(pytorch, hidden),
        "PyTorch, compiled": partial(compiled, hidden, 1, ""),
        "PyTorch, compiled, CUDA graphs": partial(compiled, hidden, 1, "reduce-overhead"),
    }
    found |= {
        f"PyTorch, compiled, {count} runs in batched products": partial(compiled, hidden, count, "")
        for count in counts
        if count in FEW[1:]
    }
    return found | {"TorchEBM": partial(torchebm, hidden)}


def ours(
    axes: Mapping[str, Any], settings: Mapping[str, Any], count: int, seconds: float, every_loss: bool = False
) -> dict[str, Any]:
    """So many runs at once on one device, after a trial that finds how many steps take `seconds`.

    every_loss: in a program with all losses that the sampler admits, as where a sweep has them.
    """
    runs = planned(dict(axes) | {"seed": f"0..{count - 1}"}, dict(settings))
    trained, configs = machine(runs[0]), [cell.config for cell in runs]
    if not every_loss:
        trained.program = replace(trained.program, losses=(runs[0].units.loss,))
    trained.lanes = count
    steps = max(1, int(trained.rate(configs, 10) * seconds / count))
    found: dict[str, Any] = {"steps": trained.rate(configs, steps), "lanes": count, "compile": trained.compile_seconds}
    (advance,) = (program.result() for (name, *_), program in trained._compiled.items() if name == "advance")
    needed = advance.memory_analysis()
    return found | {"MiB": (needed.temp_size_in_bytes + needed.argument_size_in_bytes) / 2**20}


# --- in PyTorch ------------------------------------------------------------------------------------------------------


def _on_card() -> Any:
    """PyTorch, with the card as its default device where there is one."""
    import torch

    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))
    if torch.cuda.is_available():
        torch.set_default_device("cuda")
        torch.cuda.reset_peak_memory_stats()
    return torch


def _timed(torch: Any, step: Callable[[], Any], count: int, seconds: float) -> dict[str, Any]:
    """Steps a second of all lanes; the first five calls compile and warm up."""

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    began = time.perf_counter()
    for _ in range(5):
        step()
    wait()
    compiled, calls, began = time.perf_counter() - began, 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        if calls % 10 == 0:
            wait()
        calls += 1
    wait()
    rate = count * calls / (time.perf_counter() - began)
    memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0
    return {"steps": rate, "lanes": count, "compile": compiled, "MiB": memory}


def pytorch(hidden: int, seconds: float) -> dict[str, Any]:
    """The loop of one run, as one writes it by hand."""
    torch = _on_card()
    net = network(torch, hidden, 2)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)

    def step() -> None:
        data = moons(torch, BATCH)
        y = langevin(torch, net, data.clone(), CHAIN, STEP_SIZE)
        right, wrong = net(data), net(y)
        loss = right.mean() - wrong.mean() + ALPHA * (right.square().mean() + wrong.square().mean())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return _timed(torch, step, 1, seconds)


def compiled(hidden: int, count: int, mode: str, seconds: float) -> dict[str, Any]:
    """So many runs at once, their products batched, compiled; torch.compile does not follow autograd.grad, so the slope
    of the chains is written by hand. mode: of torch.compile."""
    torch = _on_card()
    noise, silu = (2 * STEP_SIZE) ** 0.5, torch.nn.functional.silu
    weights = [
        (torch.randn(count, *shape) / shape[0] ** 0.5).requires_grad_(True)
        for shape in ((2, hidden), (1, hidden), (hidden, hidden), (1, hidden), (hidden, 1), (1, 1))
    ]
    optimiser = torch.optim.Adam(weights, lr=RATE, fused=torch.cuda.is_available())
    first, bias, second, other_bias, last, level = weights

    def energy(y: Any) -> Any:
        return silu(silu(y @ first + bias) @ second + other_bias) @ last + level

    def slope(y: Any) -> Any:
        one = y @ first + bias
        gate = torch.sigmoid(one)
        two = one * gate @ second + other_bias
        other_gate = torch.sigmoid(two)
        back = (last.mT * other_gate * (1 + two * (1 - other_gate))) @ second.mT
        return (back * gate * (1 + one * (1 - gate))) @ first.mT

    def chain(y: Any) -> Any:
        with torch.no_grad():
            for _ in range(CHAIN):
                y = y - STEP_SIZE * slope(y) + noise * torch.randn_like(y)
        return y

    def loss(data: Any, y: Any) -> Any:
        right, wrong = energy(data), energy(y)
        return (right.mean((1, 2)) - wrong.mean((1, 2)) + ALPHA * (right**2 + wrong**2).mean((1, 2))).sum()

    moved, objective = (torch.compile(function, mode=mode or None) for function in (chain, loss))

    def step() -> None:
        torch.compiler.cudagraph_mark_step_begin()
        data = moons(torch, count * BATCH).reshape(count, BATCH, 2)
        value = objective(data, moved(data))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()

    return _timed(torch, step, count, seconds)


def torchebm(hidden: int, seconds: float) -> dict[str, Any]:
    """TorchEBM's own loss and sampler, of one run."""
    torch = _on_card()
    step = torchebm_step(hidden, "cuda" if torch.cuda.is_available() else "cpu")
    return _timed(torch, step, 1, seconds)


def main() -> None:
    """Run one of the two; exit code 1 where a difference is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measures", "lanes"])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds after which nothing more is begun")
    parser.add_argument("--only", help="of `measures`: the runs whose name begins so")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    sys.exit(0 if {"measures": measures, "lanes": lanes}[options.what](options) else 1)


if __name__ == "__main__":
    main()
