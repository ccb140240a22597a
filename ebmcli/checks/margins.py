"""Find the margin that a loss keeps: the conditions of the tutorial as numbers, from the registered function alone.

An example is reduced to two energies, e1 = F+ of the right answer and e2 = F- of the most offending wrong one; R, the
energies that can be reached, is a box of such points. LeCun et al. 2006, section 5: HP1 is e1 + m < e2, HP2 the rest;
condition 3, which makes a loss a good one, asks for a point of R in HP1 with a lower loss than every point of HP2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.needs import Need, Needs
from ebmcli.core.types import Energies
from ebmcli.core.units import LossUnit
from ebmcli.training.objective import FILLED

TOP = 3.0  # R is [0, TOP]^2 for losses of energies that are never negative, [-TOP, TOP]^2 for the others
STEP = 1 / 32  # of the grid: exact in binary, as are the margins
LEVELS = 1000  # flat energies per unit
MARGINS = (0.5, 1.0, 2.0)  # all are tried, so that `m` is found and not 1
ROUNDING = 1e-12  # losses closer than this share of their spread are equal


class Surface(NamedTuple):
    """A loss over the points of R, at one value of the margin m."""

    m: float
    right: np.ndarray  # [N] e1
    wrong: np.ndarray  # [N] e2
    loss: np.ndarray  # [N]
    slopes: np.ndarray  # [N, 2] in e1 and e2

    @property
    def gap(self) -> np.ndarray:
        """[N] e2 - e1, an odd multiple of STEP / 2: no point lies on the kink of a hinge or at a tie."""
        return self.wrong - self.right

    @property
    def pushed(self) -> np.ndarray:
        """[N] whether e2 is pushed up. Exactly zero is the measure: a tail that saturates still pushes."""
        return self.slopes[:, 1] < 0


# --- the loss as a function of two energies --------------------------------------------------------------------------


def example(needs: Needs, energies: Array, log_z: Array) -> Energies:
    """The Energies of one example with two answers, [2] the right one and the wrong one, at beta = 1 and distance 1.

    As in a run, only what the loss declares that it needs is filled; the densities of both answers are 1.
    """
    zero = jnp.zeros(())
    known = {
        "positive": energies[0],
        "negatives": energies[1:],
        "distance": jnp.ones(1),
        "log_q": jnp.zeros(1),
        "log_q_positive": zero,
        "free": -jax.nn.logsumexp(-energies),
        "minimum": energies.min(),
        "log_z": log_z,
        "beta": jnp.ones(()),
    }
    filled = {"positive", "beta"}.union(*(FILLED.get(need, ()) for need in needs))
    return Energies(*(known[name] if name in filled else None for name in Energies._fields))  # type: ignore[arg-type]


def surface(unit: LossUnit) -> Callable[[Array, Array], tuple[Array, Array]]:
    """(points [N, 2], hyperparameters [P]) -> (losses [N], their slopes [N, 2]), compiled once for all margins.

    log Z is a weight that training fits along with the energy, so a loss that asks for it is taken at the one that
    minimises it at that point, and sloped there with log Z held still (the envelope theorem). A number put in its place
    would pin the level of the energies and make the value on a flat energy depend on it; the margin would be the same.
    """
    traced = [parameter.name for parameter in unit.parameters.values() if parameter.traced]
    fixed = {name: parameter.default for name, parameter in unit.parameters.items() if name not in traced}

    def loss(energies: Array, values: Array) -> Array:
        named = fixed | dict(zip(traced, values, strict=True))

        def at(log_z: Array, energies: Array) -> Array:
            return unit.function(example(unit.traits.needs, energies, log_z), **named)

        log_z = (
            _minimiser(partial(at, energies=jax.lax.stop_gradient(energies)))
            if Need.LOG_Q in unit.traits.needs
            else 0.0
        )
        return at(jnp.asarray(log_z), energies)

    return jax.jit(jax.vmap(jax.value_and_grad(loss), (0, None)))


def _minimiser(function: Callable[[Array], Array]) -> Array:
    """[]: where a convex function of one number is lowest, among those that two energies of R can ask for."""

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        rising = jax.grad(function)(middle) > 0
        return jnp.where(rising, ends[0], middle), jnp.where(rising, middle, ends[1])

    return sum(jax.lax.fori_loop(0, 40, halve, (jnp.asarray(-3 * TOP), jnp.asarray(3 * TOP)))) / 2


# --- what is found on it ---------------------------------------------------------------------------------------------


def reach(unit: LossUnit) -> tuple[float, float]:
    """The lowest and the highest energy of R."""
    return (0.0 if Need.NONNEGATIVE in unit.traits.needs | unit.traits.wants else -TOP), TOP


def survey(unit: LossUnit) -> tuple[list[Surface], np.ndarray]:
    """The loss over R at every margin (at 1 alone where it has none), and [N, 2] flat energies and their loss at 1.

    Raises what the loss raises, and ValueError where it or a slope is not finite.
    """
    low, high = reach(unit)
    right, wrong = np.arange(low, high + STEP / 2, STEP), np.arange(low + STEP / 2, high, STEP)
    grid = np.stack(np.meshgrid(right, wrong), axis=-1).reshape(-1, 2)
    level = np.arange(int(low * LEVELS), int(high * LEVELS) + 1) / LEVELS
    points = np.concatenate([grid, np.stack([level, level], axis=1)])
    defaults = {parameter.name: parameter.default for parameter in unit.parameters.values() if parameter.traced}
    surfaces, flat, size = [], level, len(grid)
    with jax.enable_x64(True):
        evaluate = surface(unit)
        for m in MARGINS if "margin" in unit.parameters else (1.0,):
            values = [m if name == "margin" else value for name, value in defaults.items()]
            loss, slopes = map(np.asarray, evaluate(jnp.asarray(points), jnp.asarray(values, float)))
            _finite(points, loss, slopes[:size])
            surfaces.append(Surface(m, grid[:, 0], grid[:, 1], loss[:size], slopes[:size]))
            flat = np.stack([level, loss[size:]], axis=1) if m == 1 else flat
    return surfaces, flat


def _finite(points: np.ndarray, loss: np.ndarray, slopes: np.ndarray) -> None:
    for what, values in (("value", loss), ("slope in F+", slopes[:, 0]), ("slope in F-", slopes[:, 1])):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            (right, wrong), value = points[bad[0]], values[bad[0]]
            raise ValueError(f"its {what} at F+ = {right:g}, F- = {wrong:g} is {value}")


def largest_margin(surface: Surface) -> float:
    """The largest margin for which condition 3 holds: the smallest gap at which the loss is at its lowest over R.

    (It holds just when all of the lowest points lie in HP1.) Infinite where the loss still pushes up at each of them:
    they lie at the edge of R, or in a tail that has underflowed.
    """
    lowest = surface.loss <= surface.loss.min() + ROUNDING * np.ptp(surface.loss)
    rest = lowest & ~surface.pushed
    margin = surface.gap[rest if rest.any() else lowest].min() - STEP / 2
    return float(margin if rest.any() or margin < STEP else np.inf)


def gradient_test(surface: Surface) -> str:
    """True if a step narrows the violation everywhere in the open HP2, no slope underflowing; by F+: by F+ alone."""
    slopes = surface.slopes[surface.gap < surface.m]
    if not (slopes @ [1, -1] > 0).all():
        return "no"
    return "yes" if slopes[:, 1].any() else "by F+"


def support(surface: Surface) -> tuple[str, float]:
    """(where F- is pushed up, its bound): never, up to any gap, up to a `gap`, or up to a `level` of its own."""
    if not surface.pushed.any():
        return "never", -np.inf
    gap = surface.gap[surface.pushed].max()
    if gap == surface.gap.max():
        return "any gap", np.inf
    level = surface.wrong[surface.pushed].max() + STEP / 2
    if ((surface.wrong < level) == surface.pushed).all():
        return "level", float(level)
    return "gap", float(gap + STEP / 2)


def lowest_flat(flat: np.ndarray) -> tuple[float, list[float] | None]:
    """The lowest loss of an energy that knows nothing, and from which level to which; None: at all of them."""
    level, loss = flat.T
    lowest = level[loss <= loss.min() + ROUNDING * max(1, np.abs(loss).max())]
    return float(loss.min()), None if len(lowest) == len(level) else [float(lowest[0]), float(lowest[-1])]


# --- the judgement ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """The promise of a loss beside what is found. Fields that do not apply are None."""

    loss: str
    promised: str
    found: str | None = None  # the margin, in the words of the registry
    condition_3: str | None = None  # the margins for which it holds
    gradient_test: str | None = None
    push_up: str | None = None  # where F- is pushed up
    flat: float | None = None  # the lowest loss of an energy that knows nothing
    flat_at: list[float] | None = None  # from which level to which; None: at all of them
    box: tuple[float, float] | None = None
    agrees: bool | None = None  # None: not to be judged
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return asdict(self)

    def sentence(self) -> str:
        """The fault of a loss that breaks its promise, in words."""
        against = f", found is {self.found}" if self.found else ""
        return f"{self.loss} promises the margin {self.promised}{against}: {self.reason}"


def judge(unit: LossUnit) -> Finding:
    """Judge a loss from its function alone."""
    needs, wants, promised = unit.traits.needs, unit.traits.wants, unit.traits.promised
    head = unit.name, promised.text()
    if Need.VIEW in needs and promised.applies:
        return Finding(*head, agrees=False, reason="a loss of a View sees no energies of answers: declare -")
    if not promised.applies:
        sampled, blind = Need.MODEL in wants, Need.VIEW in needs
        known = "its F- is a sample of the model" if sampled else "sees no pair of answers" if blind else ""
        return Finding(*head, reason=known or "declares that it has none")
    try:
        surfaces, flat = survey(unit)
    except Exception as error:  # a stranger's code
        lines = str(error).strip().splitlines() or ["no message"]
        return Finding(*head, agrees=False, reason=f"it fails on two energies: {type(error).__name__}: {lines[0]}")
    described = _described(surfaces)
    agrees = described["found"] == promised.text()
    why = None if agrees else _why(surfaces, described["push_up"])
    value, levels = lowest_flat(flat)
    return Finding(*head, **described, flat=value, flat_at=levels, box=reach(unit), agrees=agrees, reason=why)


def _described(surfaces: Sequence[Surface]) -> Mapping[str, str]:
    """Describe what the surfaces at all margins have in common, in the words of the registry."""
    margins = [largest_margin(surface) for surface in surfaces]
    kinds, bounds = zip(*map(support, surfaces), strict=True)
    kind = kinds[0] if len(set(kinds)) == 1 else "gap"
    margin = "none" if kind == "never" or min(margins) <= -STEP else _bound(surfaces, margins)
    good, what = margin not in ("none", "0"), "F-" if kind == "level" else "gap"
    tests = {gradient_test(surface) for surface in surfaces}
    return {
        "found": f"{margin}, absolute" if good and kind == "level" else margin,
        "condition_3": "no" if not good else "yes" if margin == "infinite" else f"below {margin}",
        "gradient_test": tests.pop() if len(tests) == 1 else "no",
        "push_up": kind if kind in ("never", "any gap") else f"{what} < {_bound(surfaces, bounds)}",
    }


def _bound(surfaces: Sequence[Surface], bounds: Sequence[float]) -> str:
    """One word for the bounds found at each m: m where they follow it, else a number."""
    if min(bounds) == np.inf:
        return "infinite"
    if max(bounds) - min(bounds) < STEP:
        return f"{bounds[0]:g}"
    follows = all(abs(bound - surface.m) < STEP for surface, bound in zip(surfaces, bounds, strict=True))
    return "m" if follows else ", ".join(f"{bound:g}" for bound in bounds)


def _why(surfaces: Sequence[Surface], push_up: str) -> str:
    """Say what the numbers show where they contradict the promise."""
    gaps = [f"{largest_margin(surface):g}".replace("inf", "as wide as the box") for surface in surfaces]
    until = gaps[0] if len(set(gaps)) == 1 else ", ".join(gaps)
    where = (
        f"at m = {', '.join(f'{surface.m:g}' for surface in surfaces)}"
        if len(surfaces) > 1
        else "it has no hyperparameter margin;"
    )
    whole = {"never": "never pushes F- up", "any gap": "pushes F- up at any gap"}
    pushes = whole.get(push_up) or f"pushes F- up where {push_up.replace('gap', 'F- - F+')}"
    return f"{where} its loss falls until the gap F- - F+ is {until}, and it {pushes}"
