"""One training loop for every loss, sampler, energy and task: a run is a function of arrays.

The static half (a Program) goes in by closure, the array half (a lane: seed, loss, hyperparameters) as an argument, so
that many runs share one compiled program. It knows no unit by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ebmcli.core import streams
from ebmcli.core.batching import encode_batch
from ebmcli.core.lazy import Array, Key, jax, jnp, optax
from ebmcli.core.needs import Need, Needs
from ebmcli.core.types import Batch, BatchShape, Energy, Sampler, SamplerContext, Task, bind
from ebmcli.core.units import EnergyUnit, LossUnit, SamplerUnit, TaskUnit
from ebmcli.training.objective import Choice, Progress, Weights, contrast_gradient, energies_of, view_gradient
from ebmcli.training.optimiser import SETTINGS, optimiser

# The array half of a run: `seed` [] uint32, `loss` [] int32 (branch), `loss_values` [P] float32 (its hyperparameters in
# the order of its signature), `reward` [] float32 (margin per wrong label) and `values` {name: []}, all others.
Lane = Mapping[str, Any]

# One stream of random numbers for each purpose: a new purpose changes no other, and at one seed all losses see the same
# data and the same initial weights.
INIT, DATA, NEGATIVES, CHAINS, PROBE, VIEW = range(6)
FIRST = 4096  # examples that a sampler may look at before training


@dataclass(frozen=True)
class Program:
    """The compiled half of a run: everything that is not an array."""

    task: TaskUnit
    energy: EnergyUnit
    sampler: SamplerUnit
    static: tuple[tuple[str, Any], ...]  # resolved hyperparameters that shape the program, sorted by name
    losses: tuple[LossUnit, ...]  # the branches of the switch, after which comes an idle one (there are always two)
    needs: Needs  # of these losses: what is computed for them

    def setting(self, name: str) -> Any:
        """The value of a static hyperparameter."""
        return dict(self.static)[name]


class State(NamedTuple):
    """The state that a run carries from step to step."""

    params: Weights
    optimiser: Any
    chains: Any  # the sampler's
    step: Array  # [] int32, steps done
    diverged: Array  # [] int32, the step whose loss or gradient was not finite, -1 while there is none


def init(program: Program, lane: Lane, data: Any) -> State:
    """The state before the first step."""
    task, energy, sampler = parts(program, lane)
    key = streams.of_run(lane["seed"], task.test_seed)
    x, y = jax.tree.map(lambda leaf: leaf[0], task.draw(_stream(key, INIT, 1), data, 1))
    params = Weights(energy.init(_stream(key, INIT, 0), x, y), jnp.zeros(()) if Need.LOG_Q in program.needs else None)
    chains = sampler.init(_stream(key, CHAINS, 0), task.draw(_stream(key, INIT, 2), data, FIRST))
    return State(params, _optimiser(program, lane).init(params), chains, jnp.int32(0), jnp.int32(-1))


def step(program: Program, lane: Lane, data: Any, state: State) -> tuple[State, Progress]:
    """One update of the parameters."""
    task, energy, sampler = parts(program, lane)
    key = streams.of_run(lane["seed"], task.test_seed)
    batch = _drawing(task, lane, state)(_stream(key, DATA, state.step), data, program.setting("batch_size"))
    choice, beta = Choice(program.losses, lane["loss"], lane["loss_values"]), lane["values"]["beta"]
    if Need.VIEW in program.needs:
        chains = state.chains
        progress, gradient = view_gradient(choice, energy, state.params, beta, batch, _stream(key, VIEW, state.step))
    else:
        model = bind(energy, state.params.energy)
        negatives, chains = sampler.draw(
            _stream(key, NEGATIVES, state.step), state.chains, model, encode_batch(model, batch)
        )
        progress, gradient = contrast_gradient(
            choice, program.needs, energy, task, state.params, beta, batch, negatives
        )
    updates, optimiser = _optimiser(program, lane).update(gradient, state.optimiser, state.params)
    healthy = jnp.isfinite(progress.loss) & jnp.isfinite(optax.tree.norm(gradient))
    diverged = jnp.where(healthy, state.diverged, state.step)
    params = optax.apply_updates(state.params, updates)
    return State(params, optimiser, chains, state.step + 1, diverged), progress


def _drawing(task: Task, lane: Lane, state: State) -> Callable[[Key, Any, int], Batch]:
    """The function that draws the batch of this step."""
    if task.curriculum is None:
        return task.draw
    return partial(task.curriculum, done=state.step / lane["values"]["steps"])  # type: ignore[call-arg]


def advance(program: Program, lane: Lane, state: State, stop: Array, data: Any) -> tuple[State, Progress]:
    """Train until `stop` steps are done, or until a step diverges; with the means over these steps."""

    def onward(carry: tuple[State, Progress]) -> tuple[State, Progress]:
        state, sums = carry
        state, progress = step(program, lane, data, state)
        return state, jax.tree.map(jnp.add, sums, progress)

    def unfinished(carry: tuple[State, Progress]) -> Array:
        return (carry[0].step < stop) & (carry[0].diverged < 0)

    zero = Progress(jnp.zeros(()), jnp.zeros(()))
    done, sums = jax.lax.while_loop(unfinished, onward, (state, zero))
    return done, jax.tree.map(lambda total: total / (done.step - state.step), sums)  # NaN where no step was to do


def probe_task(program: Program, lane: Lane, state: State, data: Any, targets: Any) -> dict[str, Any]:
    """Evaluate the task's own probe, for its measures."""
    task, energy, _ = parts(program, lane)
    return task.probe(bind(energy, state.params.energy), data, targets)


def probe_sampler(program: Program, lane: Lane, state: State, data: Any) -> dict[str, Any]:
    """Evaluate the sampler, for its measures: `train`, of one batch, its answers, its negatives and their energies;
    `sampler`, what that says of itself."""
    task, energy, sampler = parts(program, lane)
    key = streams.of_run(lane["seed"], task.test_seed)
    model = bind(energy, state.params.energy)
    batch = task.draw(_stream(key, PROBE, 0), data, program.setting("batch_size"))
    drawing = _stream(key, PROBE, 1), state.chains, model, encode_batch(model, batch)
    negatives, _ = sampler.draw(*drawing)
    needs: Needs = frozenset() if negatives.y is None else frozenset({Need.NEGATIVES})
    energies = energies_of(needs, energy, state.params, task, batch, negatives, lane["values"]["beta"])
    probed = {"positive": energies.positive, "negatives": energies.negatives, "y": batch.y, "y_negative": negatives.y}
    if isinstance(batch.x, jax.Array):
        probed["x"] = batch.x
    return {"train": probed, "sampler": {**sampler.report(state.chains), **sampler.watch(*drawing)}}


def parts(program: Program, lane: Lane) -> tuple[Task, Energy, Sampler]:
    """The units of a program, built with the hyperparameters of a lane."""
    values = dict(program.static) | lane["values"]
    task = program.task.build(values)
    shape = BatchShape(program.setting("batch_size"), task.space, program.task.traits.conditional)
    context = SamplerContext(shape, lane["values"]["beta"], lane["reward"])
    return task, program.energy.build(values, task.space), program.sampler.build(values, context)


def _optimiser(program: Program, lane: Lane) -> Any:
    values = dict(program.static) | lane["values"]
    return optimiser(**{name: values[name] for name in SETTINGS})


def _stream(key: Key, purpose: int, index: Any) -> Array:
    return jax.random.fold_in(jax.random.fold_in(key, purpose), index)
