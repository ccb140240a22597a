"""From a model and a batch to the loss and its gradient: what a loss sees, how it is chosen and differentiated."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ebmcli.core.batching import each_negative, encode_batch, negative_energies, pairs
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.needs import Need, Needs
from ebmcli.core.types import Batch, Energies, Energy, Model, Negatives, Task, View, bind
from ebmcli.core.units import LossUnit

# The fields of Energies that a need fills. `positive` and `beta` are always there.
FILLED: Mapping[Need, tuple[str, ...]] = {
    Need.NEGATIVES: ("negatives", "distance", "log_q", "log_q_positive"),
    Need.LOG_Q: ("log_z",),
    Need.PARTITION: ("free",),
    Need.MINIMUM: ("minimum",),
}


IMPOSSIBLE = 1e30  # the log density that leaves a negative no share in any softmax


class Weights(NamedTuple):
    """The learned parameters."""

    energy: Any
    log_z: Array | None  # [] of losses that learn the log partition function


class Choice(NamedTuple):
    """The loss that a lane trains: its `place` in `losses` (after the last: an idle one), with its values."""

    losses: Sequence[LossUnit]
    place: Array  # [] int32
    values: Array  # [P] its hyperparameters in the order of its signature


class Progress(NamedTuple):
    """Figures of the training, of one step, or means over the steps of a chunk."""

    loss: Array
    active_share: Array  # of the examples, those whose energies had a non-zero gradient; NaN where a loss needs a View


def contrast_gradient(
    choice: Choice, needs: Needs, energy: Energy, task: Task, weights: Weights, beta: Array, batch: Batch,
    negatives: Negatives,
) -> tuple[Progress, Weights]:  # fmt: skip
    """The loss of a batch from its energies, and the gradient."""

    def both(weights: Weights) -> tuple[Energies, Energies]:
        energies = energies_of(needs, energy, weights, task, batch, negatives, beta)
        return _learned(energies), energies

    _, pull, energies = jax.vjp(both, weights, has_aux=True)
    # The switch wraps only energies -> (loss, slopes): every branch is cheap, and one that goes NaN cannot reach
    # another lane's gradient even where lanes are vectorised and the switch becomes a select.
    branches = [branch(unit) for unit in (*choice.losses, None)]
    loss, slopes = jax.lax.switch(choice.place, branches, energies, choice.values)
    return Progress(loss, _active_share(slopes)), pull(slopes)[0]


def view_gradient(
    choice: Choice, energy: Energy, weights: Weights, beta: Array, batch: Batch, key: Key
) -> tuple[Progress, Weights]:
    """The loss of a batch from views of the model, and the gradient. Both come out of the switch, so that a branch that
    goes NaN cannot leak into other lanes."""
    keys = jax.random.split(key, len(batch.y))

    def mean(unit: LossUnit | None, weights: Weights, values: Array) -> Array:
        model = bind(energy, weights.energy)
        loss = (lambda v: 0 * v.energy(v.y)) if unit is None else partial(unit.function, **_named(unit, values))
        return jax.vmap(lambda key, x, y: loss(view(model, x, y, key, beta)))(keys, batch.x, batch.y).mean()

    branches = [jax.value_and_grad(partial(mean, unit)) for unit in (*choice.losses, None)]
    loss, gradient = jax.lax.switch(choice.place, branches, weights, choice.values)
    return Progress(loss, jnp.nan * loss), gradient


def branch(unit: LossUnit | None) -> Callable[[Energies, Array], tuple[Array, Energies]]:
    """(energies, hyperparameters [P]) -> (the batch's mean loss, its slopes in the energies). None: idle."""

    def mean(learned: Energies, energies: Energies, values: Array) -> Array:
        if unit is None:
            return 0 * learned.positive.sum()
        fields: dict[str, Any] = {name: leaf for name, leaf in learned._asdict().items() if leaf is not None}
        whole = energies._replace(**fields)
        return jax.vmap(partial(unit.function, **_named(unit, values)))(whole).mean()

    return lambda energies, values: jax.value_and_grad(mean)(_learned(energies), energies, values)


def _learned(energies: Energies) -> Energies:
    """The fields that depend on the weights; the others None, so that nothing is differentiated in them."""
    constants: Any = dict.fromkeys(("distance", "log_q", "log_q_positive", "beta"))
    return energies._replace(**constants)


def _named(unit: LossUnit, values: Array) -> Mapping[str, Array]:
    return dict(zip(unit.parameters, values, strict=False))


def _active_share(slopes: Energies) -> Array:
    """The share of examples to whose energies the loss gives a non-zero gradient."""
    size = len(slopes.positive)
    fields = (slopes.positive, slopes.negatives, slopes.free, slopes.minimum)
    pushed = [(leaf.reshape(size, -1) != 0).any(axis=1) for leaf in fields if leaf is not None]
    return jnp.stack(pushed).any(axis=0).mean()


# --- what a loss sees ------------------------------------------------------------------------------------------------


def view(model: Model, x: Any, y: Array, key: Key, beta: Array) -> View:
    """The model seen from one example."""
    again = model.reconstruct
    return View(lambda y: model.apply(x, y), None if again is None else lambda y: again(x, y), y, key, beta)


def energies_of(
    needs: Needs, energy: Energy, weights: Weights, task: Task, batch: Batch, negatives: Negatives, beta: Array
) -> Energies:
    """The Energies of every example of a batch: its fields with a leading axis B."""
    model = bind(energy, weights.energy)
    batch = encode_batch(model, batch)
    positive = jax.vmap(model.apply)(batch.x, batch.y)
    size = len(positive)
    fields: dict[str, Any] = dict.fromkeys(Energies._fields)
    if negatives.y is not None and needs:
        others, possible = negative_energies(model, batch, negatives.y), None
        if model.feasible is not None:  # what is no answer to x has no energy: it counts as y does, and has no density
            possible = each_negative(model.feasible, batch, negatives.y)
            others = jnp.where(possible, others, positive[:, None])
        if Need.NEGATIVES in needs:
            shape = (size, others.shape[-1])
            fields["negatives"] = jnp.broadcast_to(others, shape)
            fields["distance"] = pairs(task.distance, batch.y, negatives.y, batch)
            log_q, fields["log_q_positive"] = _log_q(negatives, batch)
            fields["log_q"] = jnp.broadcast_to(log_q, shape)
            if possible is not None:
                fields["distance"] = jnp.where(possible, fields["distance"], 0)
                fields["log_q"] = jnp.where(possible, fields["log_q"], IMPOSSIBLE)
        if Need.PARTITION in needs:
            fields["free"] = jnp.broadcast_to(_free(model, batch, others, negatives.log_weight, beta), (size,))
        if Need.MINIMUM in needs:
            fields["minimum"] = jnp.broadcast_to(others.min(axis=-1), (size,))
    if Need.LOG_Q in needs:
        fields["log_z"] = jnp.broadcast_to(weights.log_z, (size,))  # type: ignore[arg-type]
    return Energies(**fields | {"positive": positive, "beta": jnp.full(size, beta)})


def _log_q(negatives: Negatives, batch: Batch) -> tuple[Array, Array]:
    """The log densities of the negatives, [K] or [B, K], and of the right answers, [B]; 0 where they are not known."""
    log_q = negatives.log_q or (lambda x, y: jnp.zeros(()))
    return each_negative(log_q, batch, negatives.y), jax.vmap(log_q)(batch.x, batch.y)


def _free(model: Model, batch: Batch, others: Array, log_weight: Array | None, beta: Array) -> Array:
    """Free energies, [] or [B]: summed over the nodes where the negatives cover all answers, else the energy's own."""
    if log_weight is None:
        return jax.vmap(lambda x: model.free(x, beta))(batch.x)  # type: ignore[misc]
    weight = log_weight.reshape((1,) * (others.ndim - 1) + (-1,))
    return -jax.nn.logsumexp(weight - beta * others, axis=-1) / beta


def check_loss(unit: LossUnit, needs: Needs) -> None:
    """Raise what a loss raises, or TypeError if it is no differentiable scalar: before it can spoil a program."""

    def scalar(energies: Any) -> Array:
        value = unit.function(energies, **dict.fromkeys(unit.parameters, 1.0))
        if getattr(value, "shape", None) != () or value.dtype != jnp.float32:
            raise TypeError(f"the loss of one example must be a float32 scalar, {unit.name} returned {value}")
        return value

    def some(*shape: int) -> Any:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    if Need.VIEW in needs:
        again = (lambda x, y: y) if Need.RECONSTRUCT in needs else None
        bowl = Model(lambda x, y: jnp.sum(jnp.square(y)), reconstruct=again)
        seen_from = partial(view, bowl, None, key=jax.random.key(0))
        jax.eval_shape(jax.grad(lambda y, beta: scalar(seen_from(y=y, beta=beta))), some(2), some())
        return
    filled = {"positive", "beta"}.union(*(names for need, names in FILLED.items() if need in needs))
    shapes = {"negatives": some(3), "distance": some(3), "log_q": some(3)}
    fields = (shapes.get(name, some()) if name in filled else None for name in Energies._fields)
    jax.eval_shape(jax.grad(scalar), Energies(*fields))  # type: ignore[arg-type]
