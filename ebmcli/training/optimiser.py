"""The settings of training that every run has, and the optimiser that they make.

An optimiser or a schedule is one function here, and its name is a value of the setting.
"""

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge, Le

from ebmcli.core.decorators import RESERVED
from ebmcli.core.lazy import Array, jax, jnp, optax
from ebmcli.core.parameters import Also, OneOf, parameters_of
from ebmcli.core.shelves import put
from ebmcli.core.types import Count, NonNegative, Positive, Traced

OPTIMIZERS: dict[str, Callable[[], Any]] = {}  # name -> () -> optax's transformation of the gradient
Schedule = Callable[[Array, Array | int], Array]  # (step, steps) -> factor of the learning rate
SCHEDULES: dict[str, Schedule] = {}


def optimizer(function: Callable[[], Any]) -> Callable[[], Any]:
    """Register an optimiser under the name of its function."""
    name = function.__name__.replace("_", "-")
    put(OPTIMIZERS, "optimizer", name, function, function, OPTIMIZERS.get(name))
    return function


def schedule(function: Schedule) -> Schedule:
    """Register a schedule of the learning rate under the name of its function."""
    name = function.__name__.replace("_", "-")
    put(SCHEDULES, "schedule", name, function, function, SCHEDULES.get(name))
    return function


@optimizer
def adam() -> Any:
    """Adam with its usual decay rates."""
    return optax.scale_by_adam()


@optimizer
def sgd() -> Any:
    """Plain gradient descent."""
    return optax.identity()


@schedule
def cosine(step: Array, steps: Array | int) -> Array:
    """From 1 to 0 along half a cosine."""
    return 1 - 0.5 * (1 - jnp.cos(jnp.pi * step / steps))


@schedule
def constant(step: Array, steps: Array | int) -> Array:
    """1 throughout."""
    return jnp.ones(())


def optimiser(
    steps: Annotated[int, Ge(1), Le(100_000_000), Traced, Also("epochs iterations iters updates")] = 2_000,
    batch_size: Annotated[Count, Also("batch bs minibatch")] = 256,
    lr: Annotated[Positive, Also("learning-rate eta")] = 1e-3,
    beta: Annotated[Positive, Also("temperature temp")] = 1.0,
    weight_decay: Annotated[NonNegative, Also("wd l2 decay")] = 0.0,
    optimizer: Annotated[str, OneOf(lambda: OPTIMIZERS), Also("optimiser optim")] = "adam",
    schedule: Annotated[str, OneOf(lambda: SCHEDULES), Also("lr-schedule")] = "cosine",
) -> Any:
    """Make optax's optimiser; this signature is the list of the settings of every run, with defaults and ranges."""
    factor = SCHEDULES[schedule]

    def matrices(params: Any) -> Any:  # biases are not decayed: on `letters` that alone costs a point
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    return optax.chain(
        OPTIMIZERS[optimizer](),
        optax.add_decayed_weights(weight_decay, matrices),  # decoupled from Adam's scaling (Loshchilov & Hutter 2019)
        optax.scale_by_learning_rate(lambda t: lr * factor(t, steps)),
    )


SETTINGS = parameters_of(optimiser)
RESERVED.update(SETTINGS)
