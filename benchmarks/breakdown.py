"""Where a training step goes: microseconds of its parts on one core, each compiled alone and repeated in a loop.

    python benchmarks/breakdown.py [--seconds 20]

The step of benchmarks/cd.py: an MLP 2-128-128-1, batch 256, 256 chains of 10 Langevin steps, Adam. Parts are timed in
turn, again and again, and the table has their medians. What is left over is what the parts miss: dispatch of kernels,
copies, and what XLA makes of the whole and not of the part.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from cd import ALPHA, BATCH, CHAIN, HIDDEN, RATE, STEP_SIZE
from ours import machine, planned

from ebmcli.core.lazy import jax, jnp, optax
from ebmcli.numerics.silu import silu
from ebmcli.samplers._box import reflect
from ebmcli.tasks._plane import BOX
from ebmcli.training import devices, engine

LOOP = 100


def repeated(body: Callable[..., Any], start: Any, *fixed: Any) -> Callable[[], Any]:
    """The part, LOOP times in one program."""
    looped = jax.jit(lambda carry, *fixed: jax.lax.fori_loop(0, LOOP, lambda t, one: body(t, one, *fixed), carry))
    program = devices.compile_lowered(looped.lower(start, *fixed))
    return lambda: jax.block_until_ready(program(start, *fixed))


def step() -> Callable[[], Any]:
    """The whole step, as `ebm run` trains: LOOP of them."""
    settings: dict[str, Any] = {"hidden": HIDDEN, "layers": 2, "batch_size": BATCH, "lr": RATE, "alpha": ALPHA}
    settings |= {"chain_steps": CHAIN, "step_size": STEP_SIZE, "steps": LOOP * engine.CHUNKS}
    (run,) = planned({"task": "moons", "loss": "ml", "sampler": "cd"}, settings)
    trained = machine(run)
    snapshots = trained.launch([run.config])

    def chunk() -> float:
        nonlocal snapshots
        before = next(snapshots, None)
        after = next(snapshots, None)
        if before is None or after is None or after.fine:
            snapshots = trained.launch([run.config])
            return chunk()
        return after.seconds - before.seconds

    return chunk


def parts() -> dict[str, tuple[int, Callable[[], Any]]]:
    """{part: (how often a step does it, the part)}"""
    key = jax.random.key(0)
    y, first = jax.random.normal(key, (BATCH, 2)), jax.random.normal(key, (2, HIDDEN))
    hidden, square = jax.random.normal(key, (BATCH, HIDDEN)), jax.random.normal(key, (HIDDEN, HIDDEN)) / HIDDEN**0.5
    last, bias = jax.random.normal(key, (HIDDEN, 1)), jnp.zeros(HIDDEN)
    weights = (first, bias, square, bias, last, jnp.zeros(1))
    adam = optax.adam(RATE)

    def activated(t: Any, x: Any) -> Any:
        value, slope = jax.vjp(silu, x)
        return value + slope(x)[0]

    def updated(t: Any, carry: Any) -> Any:
        weights, state = carry
        updates, state = adam.update(weights, state, weights)
        return optax.apply_updates(weights, updates), state

    def noise(t: Any, y: Any) -> Any:
        moves = jax.vmap(lambda s: jax.random.normal(jax.random.fold_in(key, t * CHAIN + s), y.shape))
        drawn = moves(jnp.arange(CHAIN))
        return jax.lax.fori_loop(0, CHAIN, lambda s, y: reflect(0.5 * y + drawn[s], BOX), y)

    return {
        "products 256x128x128, forward": (CHAIN + 2, repeated(lambda t, x, w: x @ w, hidden, square)),
        "products 256x128x128, backward": (CHAIN + 2, repeated(lambda t, x, w: x @ w.T, hidden, square)),
        "products 128x256x128, of the weights": (
            2,
            repeated(lambda t, w, x: 1e-3 * (x.T @ (x + w[0, 0])), square, hidden),
        ),
        "products with 2 and 1 columns, of a forward and a backward": (
            CHAIN + 2,
            repeated(lambda t, y, a, b: 1e-2 * (((y @ a) @ b) * b[:, 0]) @ a.T, y, first, last),
        ),
        "silu and its slope, 256x128": (2 * (CHAIN + 2), repeated(activated, hidden)),
        "noise and walls of a chain, 10x256x2": (1, repeated(noise, y)),
        "Adam, 17,025 weights": (1, repeated(updated, (weights, adam.init(weights)))),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # before the first use of jax
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    devices.start(1)
    every, whole = parts(), step()
    times: dict[str, list[float]] = {name: [] for name in every}
    steps = []
    for _, part in every.values():
        part()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, (_, part) in every.items():
            began = time.perf_counter()
            part()
            times[name].append((time.perf_counter() - began) / LOOP * 1e6)
        steps.append(whole() / LOOP * 1e6)
    total, left = statistics.median(steps), statistics.median(steps)
    print("| part | µs | in a step | µs of it | share |\n| --- | --- | --- | --- | --- |")
    for name, (count, _) in every.items():
        middle = statistics.median(times[name])
        left -= count * middle
        print(f"| {name} | {middle:.1f} | {count} | {count * middle:.0f} | {count * middle / total:.0%} |")
    print(f"| what is left over | | | {left:.0f} | {left / total:.0%} |\n| the step | | | {total:.0f} | |")


if __name__ == "__main__":
    main()
