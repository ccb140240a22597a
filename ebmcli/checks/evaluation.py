"""A loss of energies on records of its own: values and slopes in float64, from the registered function alone."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.needs import Need, Needs
from ebmcli.core.types import Energies
from ebmcli.core.units import LossUnit
from ebmcli.training.objective import FILLED

TOP = 3.0  # energies of a loss are looked at in [-TOP, TOP], or [0, TOP] where they are never negative
LOT = {1: 4096}  # records that a compiled program takes, by negatives
SMALL = 256  # for any other number of negatives


class Records(NamedTuple):
    """N examples of K negatives. Every field but the energies may be one number, for all."""

    energies: np.ndarray  # [N, 1 + K], that of the right answer first
    distance: Any = 1.0  # [N, K]
    log_q: Any = 0.0  # [N, 1 + K]
    log_z: Any = 0.0  # [N]
    beta: Any = 1.0  # [N]
    values: Mapping[str, Any] = {}  # [N] of hyperparameters; one that is missing has its default

    def at(self, energies: Any) -> "Records":
        """The records with these energies."""
        return self._replace(energies=np.asarray(energies, float))


class Slopes(NamedTuple):
    """The losses of N examples and their slopes."""

    loss: np.ndarray  # [N]
    slopes: np.ndarray  # [N, 1 + K] in the energies
    log_z: np.ndarray  # [N] in log Z


class NotFiniteError(Exception):
    """A loss or a slope that is no number."""


class Subject:
    """A loss that is judged: what it declares, and how it is evaluated."""

    def __init__(self, unit: LossUnit):
        self.unit = unit
        self.needs, self.wants, self.promised = unit.traits.needs, unit.traits.wants, unit.traits.promised
        self.traced = [parameter.name for parameter in unit.parameters.values() if parameter.traced]
        self._programs: dict[bool, Callable[..., Any]] = {}

    @property
    def asks(self) -> Needs:
        """The needs and the wants of the loss."""
        return self.needs | self.wants

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest energy at which it is looked at: a margin that it promises must fit in."""
        bound = self.promised.bound
        top = max(TOP, 2 * bound) if isinstance(bound, float) and bound < np.inf else TOP
        return (0.0 if Need.NONNEGATIVE in self.asks else -top), top

    @cached_property
    def defaults(self) -> dict[str, float]:
        """The hyperparameters that travel as arrays."""
        return {name: float(self.unit.parameters[name].default) for name in self.traced}

    @cached_property
    def bare(self) -> dict[str, float]:
        """The hyperparameter that bounds it below, if there is one, at 0: the loss without its penalty."""
        name = self.unit.traits.penalty
        return {name: 0.0} if name in self.defaults else {}

    def __call__(self, records: Records, *, fitted: bool = False, anywhere: bool = False) -> Slopes:
        """The losses and their slopes.

        Args:
            records: The examples.
            fitted: Whether log Z, of a loss that asks for it, is the one that minimises the loss of each example.
            anywhere: Whether it may be no number.

        Raises:
            NotFiniteError: It is no number, and may not be.
            Exception: What the loss raises.
        """
        energies, size = records.energies, len(records.energies)
        negatives = energies.shape[1] - 1
        values = np.stack(
            [np.broadcast_to(records.values.get(name, self.defaults[name]), size) for name in self.traced]
            or [np.zeros(size)],
            axis=1,
        )
        arrays = [
            energies,
            np.broadcast_to(records.log_z, size),
            np.broadcast_to(records.distance, (size, negatives)),
            np.broadcast_to(records.log_q, energies.shape),
            np.broadcast_to(records.beta, size),
            values,
        ]
        lot = LOT.get(negatives, SMALL)
        parts = [
            self._lot([array[start : start + lot] for array in arrays], lot, fitted) for start in range(0, size, lot)
        ]
        found = Slopes(*(np.concatenate(leaves)[:size] for leaves in zip(*parts, strict=True)))
        if not anywhere:
            _finite(energies, found, self.needs)
        return found

    def _lot(self, arrays: list[np.ndarray], lot: int, fitted: bool) -> tuple[np.ndarray, ...]:
        """Evaluate at most `lot` records, filled up with the last one: a program is compiled for one size."""
        size = len(arrays[0])
        places = np.minimum(np.arange(lot), size - 1)
        padded = [array[places].astype(float) for array in arrays]
        with jax.enable_x64(True):
            loss, (slopes, log_z) = self._program(fitted)(*padded)
            return np.asarray(loss)[:size], np.asarray(slopes)[:size], np.asarray(log_z)[:size]

    def _program(self, fitted: bool) -> Callable[..., Any]:
        fitted = fitted and Need.LOG_Q in self.needs
        if fitted not in self._programs:
            sloped = jax.value_and_grad(partial(self._loss, fitted), (0, 1))
            self._programs[fitted] = compiled(sloped, 0)
        return self._programs[fitted]

    def _loss(
        self, fitted: bool, energies: Array, log_z: Array, distance: Array, log_q: Array, beta: Array, values: Array
    ) -> Array:
        static = {name: unit.default for name, unit in self.unit.parameters.items() if name not in self.traced}
        named = static | {name: values[place] for place, name in enumerate(self.traced)}

        def at(log_z: Array, energies: Array) -> Array:
            seen = example(self.needs, energies, distance, log_q, log_z, beta)
            return self.unit.function(seen, **named)

        if fitted:
            # Sloped there with log Z held still (the envelope theorem). A number put in its place would pin the level
            # of the energies and make the value on a flat energy depend on it; the margin would be the same.
            log_z = _minimiser(partial(at, energies=jax.lax.stop_gradient(energies)))
        return at(log_z, energies)


def example(needs: Needs, energies: Array, distance: Array, log_q: Array, log_z: Array, beta: Array) -> Energies:
    """The Energies of one example whose answers are the right one and the negatives at a distance, [1 + K].

    As in a run, only what the loss declares that it needs is filled.
    """
    answers = jnp.concatenate([energies[:1], jnp.where(distance > 0, energies[1:], jnp.inf)])
    known: dict[str, Any] = {
        "positive": energies[0],
        "negatives": energies[1:],
        "distance": distance,
        "log_q": log_q[1:],
        "log_q_positive": log_q[0],
        "log_z": log_z,
        "beta": beta,
    }
    if Need.PARTITION in needs:
        known["free"] = -jax.nn.logsumexp(-beta * answers) / beta
    if Need.MINIMUM in needs:
        known["minimum"] = answers.min()
    filled = {"positive", "beta"}.union(*(FILLED.get(need, ()) for need in needs))
    fields: dict[str, Any] = {name: known[name] if name in filled else None for name in Energies._fields}
    return Energies(**fields)


def compiled(function: Callable[..., Any], axes: Any) -> Callable[..., Any]:
    """A function of many, as `jax.vmap` makes it, in small kernels: fused ones take five times as long to compile."""
    fused = {} if jax.version.__version_info__ >= (0, 11) else {"xla_cpu_use_fusion_emitters": False}  # no option since
    return jax.jit(jax.vmap(function, axes), compiler_options={"xla_backend_optimization_level": 0, **fused})


def _minimiser(function: Callable[[Array], Array]) -> Array:
    """[]: where a convex function of one number is lowest, among those that energies within reach can ask for."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        rising = jax.grad(function)(middle) > 0
        return jnp.where(rising, ends[0], middle), jnp.where(rising, middle, ends[1])

    return sum(jax.lax.fori_loop(0, 40, halve, (jnp.asarray(-4 * TOP), jnp.asarray(4 * TOP)))) / 2


def _finite(energies: np.ndarray, found: Slopes, needs: Needs) -> None:
    """Raise NotFiniteError with the first energies at which a value or a slope is no number."""
    several = energies.shape[1] > 2
    named = ["F+", *(f"F-{place}" if several else "F-" for place in range(1, energies.shape[1]))]
    columns = [("value", found.loss), *((f"slope in {name}", found.slopes[:, i]) for i, name in enumerate(named))]
    for what, values in columns:
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            where = ", ".join(f"{name} = {energy:g}" for name, energy in zip(named, energies[bad[0]], strict=True))
            raise NotFiniteError(f"its {what} at {where} is {values[bad[0]]}")
