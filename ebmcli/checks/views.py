"""Laws of a loss of a View, which is shown a Gaussian well on Gaussian data, whose optimum is known."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ebmcli.checks.evaluation import NotFiniteError, compiled
from ebmcli.checks.facts import DIFFERENT, alike, declared_flat, other_value, tried
from ebmcli.checks.judgement import Judgement, judged, noticed
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.needs import Need
from ebmcli.core.types import Model
from ebmcli.core.units import LossUnit
from ebmcli.training.objective import view

PRECISIONS = np.array([1.0, 4.0])  # of the data, by coordinate: N(0, 1 / precision)
KEYS = 160  # random numbers beside each point of data
SIGMAS = 5.0  # standard errors by which a mean over random numbers may be off
LEFT = 0.2  # share of its slope at a flat energy that an expectation may have left at its lowest point


class Seen(NamedTuple):
    """The losses of all points of the data and all keys, and their slopes."""

    loss: np.ndarray  # [N]
    wells: np.ndarray  # [N, 2] in the curvatures of the energy
    reconstruction: np.ndarray  # [N] in the factor of the reconstruction


class Scene:
    """A loss of a View of F(y) = sum of curvature y^2 / 2 + level, that reconstructs y as factor y."""

    def __init__(self, unit: LossUnit):
        self.unit = unit
        self.traced = [parameter.name for parameter in unit.parameters.values() if parameter.traced]
        nodes, weights = np.polynomial.hermite_e.hermegauss(5)
        grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2) / np.sqrt(PRECISIONS)
        self.y = np.repeat(grid, KEYS, axis=0)  # [N, 2]
        self.weight = np.repeat(np.outer(weights, weights).ravel(), KEYS) / (weights.sum() ** 2 * KEYS)  # [N]
        self.defaults = {name: float(unit.parameters[name].default) for name in self.traced}

    @cached_property
    def _program(self) -> Callable[..., Any]:
        static = {name: unit.default for name, unit in self.unit.parameters.items() if name not in self.traced}

        def loss(
            curvature: Array, factor: Array, level: Array, beta: Array, values: Array, y: Array, key: Array
        ) -> Array:
            reconstruct = (lambda x, y: factor * y) if Need.RECONSTRUCT in self.unit.traits.needs else None
            well = Model(lambda x, y: jnp.sum(curvature * jnp.square(y)) / 2 + level, reconstruct=reconstruct)
            named = static | {name: values[place] for place, name in enumerate(self.traced)}
            return self.unit.function(view(well, None, y, key, beta), **named)

        return compiled(jax.value_and_grad(loss, (0, 1)), (None, None, None, None, None, 0, 0))

    def __call__(self, share: float, level: float = 0.0, beta: float = 1.0, values: Mapping[str, float] = {}) -> Seen:
        """The losses where -beta F is a share of the log density of the data, and the reconstruction of y one of y.

        Raises NotFiniteError where one is no number.
        """
        named = [values.get(name, self.defaults[name]) for name in self.traced] or [0.0]
        with jax.enable_x64(True):
            keys = jax.random.split(jax.random.key(0), len(self.y))
            curvature = share * PRECISIONS / beta
            found = self._program(curvature, 0.9 * share, level, beta, np.array(named, float), self.y, keys)
            seen = Seen(np.asarray(found[0]), *map(np.asarray, found[1]))
        if not all(np.isfinite(leaf).all() for leaf in seen):
            raise NotFiniteError(f"its value or a slope is no number where F = {share:g} (1/2 y^2) / variance")
        return seen

    def mean(self, values: np.ndarray) -> Any:
        """The mean over data and random numbers of what was seen, [N] or [N, ...]."""
        return self.weight @ values

    def error(self, values: np.ndarray) -> Any:
        """Its standard error, random numbers being what varies."""
        by_point = values.reshape(-1, KEYS, *values.shape[1:])
        spread = by_point.std(axis=1) / np.sqrt(KEYS)
        weight = self.weight.reshape(-1, KEYS).sum(axis=1)
        return np.sqrt(np.square(weight) @ np.square(spread))


def laws(unit: LossUnit) -> list[Judgement]:
    """Judge a loss of a View. Raises what the loss raises, and NotFiniteError."""
    scene = Scene(unit)
    every = (_flat_energy(scene), _well(scene), _temperature(scene), _constant(scene), _reads(scene), _optimum(scene))
    return [judgement for judgement in every if judgement]


def _flat_energy(scene: Scene) -> Judgement | None:
    """The mean where the energy is flat is what the loss declares."""
    text = scene.unit.traits.flat
    if not text:
        return None
    declared = declared_flat(scene.unit, ("F", "D", "beta", "|y|"))
    if not declared:
        return noticed("flat energy", f"no formula: {text}")
    sizes = np.linalg.norm(scene.y[::KEYS], axis=1)
    for values, beta in tried(scene.unit, scene.defaults, declared):
        symbols = {**declared.given, **scene.defaults, **values, "D": 2.0, "beta": beta, "F": 0.5}
        seen = scene(0.0, 0.5, beta, values=values).loss
        off = seen - np.repeat([declared.value.value(symbols | {"|y|": size}) for size in sizes], KEYS)
        room = SIGMAS * scene.error(off) + declared.value.rounding + DIFFERENT * max(1.0, abs(scene.mean(seen)))
        if abs(scene.mean(off)) > room:
            mean = scene.mean(seen)
            wrong = f"of a flat energy it is {mean:.3g} on average, and {text} is {mean - scene.mean(off):.3g}"
            return judged("flat energy", text, f"{mean:.3g}", wrong)
    return judged("flat energy", text, "the same")


def _well(scene: Scene) -> Judgement:
    """A well on the data has a lower loss than a flat energy, and that than a hill; its slopes say so."""
    well, flat, hill = (scene(share) for share in (1.0, 0.0, -1.0))
    mean = [float(scene.mean(seen.loss)) for seen in (well, flat, hill)]
    reconstructs = Need.RECONSTRUCT in scene.unit.traits.needs
    slopes = np.atleast_1d(scene.mean(flat.reconstruction if reconstructs else flat.wells))
    wrong = ""
    if not mean[0] < mean[1] < mean[2]:
        wrong = f"a well on the data has the loss {mean[0]:.3g}, a flat energy {mean[1]:.3g}, a hill {mean[2]:.3g}"
    elif not (slopes < 0).all():
        wrong = "its slopes do not lead from a flat energy to a well on the data"
    return judged("well on the data", "is better", "is not" if wrong else "is better", wrong)


def _temperature(scene: Scene) -> Judgement:
    """Energies go with beta."""
    one, other = scene(0.7, 0.3, 1.0).loss, scene(0.7, 0.6, 0.5).loss
    same = alike(one, other) or alike(2 * one, other)
    wrong = (
        ""
        if same
        else "with energies doubled and beta halved it is neither the same nor twice itself: each goes with beta"
    )
    return judged("unit of energies", "1 / beta", "1 / beta" if same else "another", wrong)


def _constant(scene: Scene) -> Judgement:
    """A constant added to the energy changes nothing."""
    same = alike(scene(0.7).loss, scene(0.7, 1.0).loss)
    wrong = "" if same else "a constant added to the energy changes it"
    return judged("constant in energies", "irrelevant", "irrelevant" if same else "matters", wrong)


def _reads(scene: Scene) -> Judgement:
    """Every hyperparameter changes it, and a reconstruction that it needs."""
    before = scene(0.7).loss
    idle = [
        name for name in scene.defaults if alike(before, scene(0.7, values={name: other_value(scene.unit, name)}).loss)
    ]
    if Need.RECONSTRUCT in scene.unit.traits.needs and not scene(0.7).reconstruction.any():
        idle.append("reconstruct")
    wrong = f"it never reads {', '.join(idle)}, and declares {'it' if len(idle) == 1 else 'them'}" if idle else ""
    return judged("declared is read", "all", f"not {', '.join(idle)}" if idle else "all", wrong)


def _optimum(scene: Scene) -> Judgement | None:
    """The mean has no slope where -beta F is the log density of the data, if that is what it estimates."""
    if not scene.unit.traits.density:
        return None
    for beta in (1.0, 2.0):
        left, flat = (np.abs(scene.mean(scene(share, beta=beta).wells)) for share in (1.0, 0.0))
        if (left > LEFT * flat).any():
            wrong = "at a well of the data's own width its slopes do not vanish"
            return judged("optimum", "-log p / beta", "another", wrong)
    return judged("optimum", "-log p / beta", "-log p / beta")
