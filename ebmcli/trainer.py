"""One training loop for every loss, sampler, energy and task: a run is a function of arrays.

The static half (a Program) goes in by closure, the array half (a lane: seed, loss, hyperparameters) as an argument, so
that many runs share one compiled program. Knows no unit by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Le

from ebmcli.lazy import Array, jax, jnp, optax
from ebmcli.registry import Unit, parameters_of
from ebmcli.types import (
    Batch,
    Count,
    Energies,
    Energy,
    Negatives,
    NonNegative,
    Positive,
    Sampler,
    Setting,
    Task,
    Traced,
    bind,
)

# The array half of a run: `seed` [] uint32, `loss` [] int32 (branch), `loss_values` [P] float32 (its hyperparameters in
# the order of its signature), `reward` [] float32 (margin per wrong label) and `values` {name: []}, all others.
Lane = Mapping[str, Any]

# One stream of random numbers for each purpose: a new purpose changes no other, and at one seed all losses see the same
# data and the same initial weights.
INIT, DATA, NEGATIVES, CHAINS, PROBE = range(5)


@dataclass(frozen=True)
class Program:
    """What is compiled: everything of a run that is not an array."""

    task: Unit
    energy: Unit
    sampler: Unit
    static: tuple[tuple[str, Any], ...]  # resolved hyperparameters that shape the program, sorted by name
    losses: tuple[Unit, ...]  # the branches of the switch, after which comes an idle one (there are always two)
    needs: frozenset[str]  # what the energies record is filled with

    def setting(self, name: str) -> Any:
        """The value of a static hyperparameter."""
        return dict(self.static)[name]


class State(NamedTuple):
    """What a run carries from step to step."""

    params: Any
    optimiser: Any
    chains: Any  # the sampler's
    step: Array  # [] int32, steps done
    diverged: Array  # [] int32, the step whose loss or gradient was not finite, -1 while there is none


class Progress(NamedTuple):
    """Means over the steps of a chunk."""

    loss: Array
    active_share: Array  # of the examples, those whose energies had a non-zero gradient


def training(
    steps: Annotated[int, Ge(1), Le(100_000_000), Traced] = 2_000,
    batch_size: Count = 256,
    lr: Positive = 1e-3,
    beta: Positive = 1.0,
    weight_decay: NonNegative = 0.0,
    optimizer: Literal["adam", "sgd"] = "adam",
    schedule: Literal["cosine", "constant"] = "cosine",
) -> Any:
    """The optimiser; and this signature is the list of the settings that every run has, with defaults and ranges."""
    decay = {"cosine": 1.0, "constant": 0.0}[schedule]
    core = {"adam": optax.scale_by_adam, "sgd": optax.identity}[optimizer]()

    def matrices(params: Any) -> Any:  # biases are not decayed: on `letters` that alone costs a point
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(
        core,
        optax.add_decayed_weights(weight_decay, matrices),  # decoupled from Adam's scaling (Loshchilov & Hutter 2019)
        optax.scale_by_learning_rate(lambda t: lr * (1 - decay * 0.5 * (1 - jnp.cos(jnp.pi * t / steps)))),
    )


SETTINGS = parameters_of(training)


def init(program: Program, lane: Lane, data: Any) -> State:
    """The state before the first step."""
    task, energy, sampler = parts(program, lane)
    key = jax.random.key(lane["seed"])
    x, y = jax.tree.map(lambda leaf: leaf[0], task.draw(_stream(key, INIT, 1), data, 1))
    params = energy.init(_stream(key, INIT, 0), x, y)
    chains = sampler.init(_stream(key, CHAINS, 0))
    return State(params, _optimiser(program, lane).init(params), chains, jnp.int32(0), jnp.int32(-1))


def step(program: Program, lane: Lane, data: Any, state: State) -> tuple[State, Progress]:
    """One update of the parameters."""
    task, energy, sampler = parts(program, lane)
    key = jax.random.key(lane["seed"])
    batch = task.draw(_stream(key, DATA, state.step), data, program.setting("batch_size"))
    model = bind(energy, state.params)
    negatives, chains = sampler.draw(_stream(key, NEGATIVES, state.step), state.chains, model, batch)
    energies, pull = jax.vjp(
        lambda params: energies_of(program.needs, bind(energy, params), task, batch, negatives, lane["values"]["beta"]),
        state.params,
    )
    # The switch wraps only energies -> (loss, slopes): every branch is cheap, and one that goes NaN cannot reach
    # another lane's gradient even where lanes are vectorised and the switch becomes a select.
    branches = [_branch(unit) for unit in program.losses] + [_branch(None)]
    loss, slopes = jax.lax.switch(lane["loss"], branches, energies, lane["loss_values"])
    (gradient,) = pull(slopes)
    updates, optimiser = _optimiser(program, lane).update(gradient, state.optimiser, state.params)
    healthy = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradient))
    diverged = jnp.where(healthy, state.diverged, state.step)
    params = optax.apply_updates(state.params, updates)
    return State(params, optimiser, chains, state.step + 1, diverged), Progress(loss, _active_share(slopes))


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


def probe(program: Program, lane: Lane, state: State, data: Any, targets: Any) -> dict[str, Any]:
    """What the measures read: `task`, the task's own probe; and of one batch `y`, its negatives and their energies."""
    task, energy, sampler = parts(program, lane)
    key = jax.random.key(lane["seed"])
    model = bind(energy, state.params)
    batch = task.draw(_stream(key, PROBE, 0), data, program.setting("batch_size"))
    negatives, _ = sampler.draw(_stream(key, PROBE, 1), state.chains, model, batch)
    needs = frozenset() if negatives.y is None else frozenset({"negatives"})
    seen = energies_of(needs, model, task, batch, negatives, lane["values"]["beta"])
    found = {"positive": seen.positive, "negatives": seen.negatives, "y": batch.y, "y_negative": negatives.y}
    return {"task": task.probe(model, data, targets), "train": found}


def energies_of(
    needs: frozenset[str], model: Energy, task: Task, batch: Batch, negatives: Negatives, beta: Array
) -> Energies:
    """The energies of a batch: positive [B], negatives and distance [B, K], free and minimum [B], beta [B]."""
    positive = jax.vmap(model.apply)(batch.x, batch.y)
    size = len(positive)
    others = distance = free = minimum = None
    if negatives.y is not None and needs:
        scored = _scored(model, batch, negatives.y)
        if "negatives" in needs:
            others = jnp.broadcast_to(scored, (size, scored.shape[-1]))
            distance = _distances(task, batch, negatives.y, others.shape)
        if "partition" in needs:
            free = jnp.broadcast_to(_free(model, batch, scored, negatives.log_weight, beta), (size,))
        if "minimum" in needs:
            minimum = jnp.broadcast_to(scored.min(axis=-1), (size,))
    return Energies(positive, others, distance, free, minimum, jnp.full(size, beta))  # type: ignore[arg-type]


def _scored(model: Energy, batch: Batch, y: Any) -> Array:
    """Energies of the negatives: [K] where the batch shares them, else [B, K]."""
    if batch.x is None:
        return jax.vmap(model.apply, (None, 0))(None, y)
    return jax.vmap(jax.vmap(model.apply, (None, 0)))(batch.x, y)


def _distances(task: Task, batch: Batch, y: Any, shape: tuple[int, ...]) -> Array:
    """Margin distances of the negatives, [B, K]; shared negatives are one margin away."""
    if batch.x is None:
        return jnp.ones(shape)
    return jax.vmap(jax.vmap(task.distance, (None, 0)))(batch.y, y)


def _free(model: Energy, batch: Batch, scored: Array, log_weight: Array | None, beta: Array) -> Array:
    """Free energies, [] or [B]: summed over the nodes where the negatives cover all answers, else the energy's own."""
    if log_weight is None:
        return jax.vmap(lambda x: model.free(x, beta))(batch.x)  # type: ignore[misc]
    return -jax.nn.logsumexp(log_weight - beta * scored, axis=-1) / beta


def usable(unit: Unit, needs: frozenset[str]) -> None:
    """Raise what a loss raises, or TypeError if it is no differentiable scalar: before it can spoil a program."""

    def some(*shape: int) -> Any:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    listed = some(2, 3) if "negatives" in needs else None
    free, minimum = (some(2) if need in needs else None for need in ("partition", "minimum"))
    energies = Energies(some(2), listed, listed, free, minimum, some(2))  # type: ignore[arg-type]
    example = jax.tree.map(lambda leaf: some(*leaf.shape[1:]), energies)
    value = jax.eval_shape(lambda e: unit.function(e, **dict.fromkeys(unit.parameters, 1.0)), example)
    if getattr(value, "shape", None) != () or value.dtype != jnp.float32:
        raise TypeError(f"the loss of one example must be a float32 scalar, {unit.name} returned {value}")
    jax.eval_shape(_branch(unit), energies, some(len(unit.parameters)))  # differentiated, as a program does


def _branch(unit: Unit | None) -> Callable[[Energies, Array], tuple[Array, Energies]]:
    """(energies, hyperparameters [P]) -> (the batch's mean loss, its slopes in the energies). None: idle."""

    def mean(energies: Energies, values: Array) -> Array:
        if unit is None:
            return 0 * energies.positive.sum()
        named = dict(zip(unit.parameters, values, strict=False))
        return jax.vmap(lambda example: unit.function(example, **named))(energies).mean()

    return jax.value_and_grad(mean)


def _active_share(slopes: Energies) -> Array:
    """The share of examples to whose energies the loss gives a non-zero gradient."""
    size = len(slopes.positive)
    pushed = [(leaf.reshape(size, -1) != 0).any(axis=1) for leaf in slopes[:-1] if leaf is not None]
    return jnp.stack(pushed).any(axis=0).mean()


def parts(program: Program, lane: Lane) -> tuple[Task, Energy, Sampler]:
    """The units of a program, built with the hyperparameters of a lane."""
    values = dict(program.static) | lane["values"]
    task = program.task.build(values)
    at = Setting(program.setting("batch_size"), task.box, lane["values"]["beta"], lane["reward"])
    return task, program.energy.build(values), program.sampler.build(values, at)


def _optimiser(program: Program, lane: Lane) -> Any:
    values = dict(program.static) | lane["values"]
    return training(**{name: values[name] for name in SETTINGS})


def _stream(key: Array, purpose: int, index: Any) -> Array:
    return jax.random.fold_in(jax.random.fold_in(key, purpose), index)
