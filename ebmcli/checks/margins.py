"""Find the margin that a loss keeps: the conditions of the tutorial as numbers, from the registered function alone.

An example is reduced to two energies, e1 = F+ of the right answer and e2 = F- of the most offending wrong one; R, the
energies that can be reached, is a box of such points. LeCun et al. 2006, section 5: HP1 is e1 + m < e2, HP2 the rest;
condition 3, which makes a loss a good one, asks for a point of R in HP1 with a lower loss than every point of HP2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ebmcli.checks.evaluation import Records, Subject
from ebmcli.checks.judgement import Judgement, judged

STEP = 1 / 32  # of the grid: exact in binary, as are the margins
LEVELS = 1000  # flat energies per unit
MARGINS = (0.5, 1.0, 2.0)  # all are tried, so that `m` is found and not 1
ROUNDING = 1e-12  # losses closer than this share of their spread are equal
SIZEABLE = 1e-6  # share of the largest slope: one that ends from there ends at a kink


class Surface(NamedTuple):
    """A loss over the points of R, at one value of the margin m."""

    m: float  # the margin that is asked for: the hyperparameter, times the distance of the wrong answer
    right: np.ndarray  # [N] e1
    wrong: np.ndarray  # [N] e2
    loss: np.ndarray  # [N]
    slopes: np.ndarray  # [N, 2] in e1 and e2

    @property
    def step(self) -> float:
        """The distance of neighbours."""
        return float(self.right[1] - self.right[0])

    @property
    def shape(self) -> tuple[int, int]:
        """The points of e2, each with all of e1."""
        across = int(np.argmax(self.wrong != self.wrong[0]))
        return len(self.wrong) // across, across

    @property
    def gap(self) -> np.ndarray:
        """[N] e2 - e1, an odd multiple of half a step: no point lies on the kink of a hinge or at a tie."""
        return self.wrong - self.right

    @property
    def pushed(self) -> np.ndarray:
        """[N] whether e2 is pushed up. Exactly zero is the measure: a tail that saturates still pushes."""
        return self.slopes[:, 1] < 0


class Survey(NamedTuple):
    """A loss over R: at every margin, and beside it where beta or the distance is 2."""

    margins: list[Surface]  # at beta 1 and distance 1; at the margin 1 alone where it has none
    beta: Surface  # at beta 2, and the margin 1
    distance: Surface  # at distance 2, and the hyperparameter 1
    flat: np.ndarray  # [N, 2] flat energies and their loss, at the margin 1


def survey(subject: Subject) -> Survey:
    """Evaluate a loss over R. Raises what the loss raises, and NotFiniteError where it or a slope is not finite."""
    low, high = subject.reach
    level = np.arange(int(low * LEVELS), int(high * LEVELS) + 1) / LEVELS

    def surface(m: float, beta: float = 1.0, distance: float = 1.0, step: float = STEP) -> Surface:
        right, wrong = np.arange(low, high + step / 2, step), np.arange(low + step / 2, high, step)
        grid = np.stack(np.meshgrid(right, wrong), axis=-1).reshape(-1, 2)
        seen = subject(Records(grid, distance, beta=beta, values={"margin": m}), fitted=True)
        return Surface(m * distance, grid[:, 0], grid[:, 1], seen.loss, seen.slopes)

    margins = [surface(m) for m in (MARGINS if "margin" in subject.defaults else (1.0,))]
    flat = subject(Records(np.stack([level, level], axis=1), values={"margin": 1.0}), fitted=True)
    coarse = surface(1.0, 2.0, step=4 * STEP), surface(1.0, 1.0, 2.0, 4 * STEP)
    return Survey(margins, *coarse, np.stack([level, flat.loss], axis=1))


def largest_margin(surface: Surface) -> float:
    """The largest margin for which condition 3 holds: the smallest gap at which the loss is at its lowest over R.

    (It holds just when all of the lowest points lie in HP1.) Infinite where the loss still pushes up at each of them:
    they lie at the edge of R, or in a tail that has underflowed.
    """
    lowest = surface.loss <= surface.loss.min() + ROUNDING * np.ptp(surface.loss)
    rest = lowest & ~surface.pushed
    margin = surface.gap[rest if rest.any() else lowest].min() - surface.step / 2
    return float(margin if rest.any() or margin < surface.step else np.inf)


def gradient_test(surface: Surface) -> str:
    """True if a step narrows the violation everywhere in the open HP2; by F+: by F+ alone.

    A tail that underflows does not count against it: where the slopes end all at once they do not narrow.
    """
    inside = (surface.gap < surface.m).reshape(surface.shape)
    narrows = np.where(inside, (surface.slopes @ [1, -1]).reshape(surface.shape), np.nan)
    largest = np.nanmax(narrows)
    if not largest > 0 or (narrows < -ROUNDING * largest).any():
        return "no"
    for one, other in ((narrows[1:], narrows[:-1]), (narrows[:, 1:], narrows[:, :-1])):
        low, high = np.minimum(one, other), np.maximum(one, other)
        if ((low <= 0) & (high > SIZEABLE * largest)).any():
            return "no"
    return "yes" if surface.slopes[surface.gap < surface.m, 1].any() else "by F+"


def support(surface: Surface) -> tuple[str, float]:
    """(where F- is pushed up, its bound): never, up to any gap, up to a `gap`, or up to a `level` of its own."""
    if not surface.pushed.any():
        return "never", -np.inf
    gap = surface.gap[surface.pushed].max()
    if gap == surface.gap.max():
        return "any gap", np.inf
    level = surface.wrong[surface.pushed].max() + surface.step / 2
    if ((surface.wrong < level) == surface.pushed).all():
        return "level", float(level)
    return "gap", float(gap + surface.step / 2)


def lowest_flat(flat: np.ndarray) -> tuple[float, list[float] | None]:
    """The lowest loss of an energy that knows nothing, and from which level to which; None: at all of them."""
    level, loss = flat.T
    lowest = level[loss <= loss.min() + ROUNDING * max(1, np.abs(loss).max())]
    return float(loss.min()), None if len(lowest) == len(level) else [float(lowest[0]), float(lowest[-1])]


# --- the judgement ---------------------------------------------------------------------------------------------------


def described(surfaces: Sequence[Surface]) -> Mapping[str, str]:
    """Describe what surfaces at several margins have in common, in the words of the registry."""
    margins = [largest_margin(surface) for surface in surfaces]
    kinds, bounds = zip(*map(support, surfaces), strict=True)
    kind = kinds[0] if len(set(kinds)) == 1 else "gap"
    margin = "none" if kind == "never" or min(margins) <= -surfaces[0].step else _bound(surfaces, margins)
    good, what = margin not in ("none", "0"), "F-" if kind == "level" else "gap"
    tests = {gradient_test(surface) for surface in surfaces}
    return {
        "found": f"{margin}, absolute" if good and kind == "level" else margin,
        "condition_3": "no" if not good else "yes" if margin == "infinite" else f"below {margin}",
        "gradient_test": tests.pop() if len(tests) == 1 else "no",
        "push_up": kind if kind in ("never", "any gap") else f"{what} < {_bound(surfaces, bounds)}",
    }


def judgements(subject: Subject, found: Survey) -> list[Judgement]:
    """Hold the margin that a loss promises against the one that is found, at each beta and distance."""
    promised, words = subject.promised, described(found.margins)
    why = "" if words["found"] == promised.text() else _why(found.margins, words["push_up"])
    law = [judged("margin", promised.text(), words["found"], why), *_test(subject, words["gradient_test"])]
    if not why:
        law.append(_again(subject, "margin at beta 2", found.beta, "at beta 2"))
    if not why and isinstance(promised.bound, str):
        law.append(_again(subject, "margin at distance 2", found.distance, "a wrong answer at distance 2 asks for 2 m"))
    return law


def _again(subject: Subject, law: str, surface: Surface, where: str) -> Judgement:
    """Judge the margin on one more surface."""
    expected, measured = subject.promised.text({"margin": surface.m}), described([surface])["found"]
    wrong = f"{where}: with m = 1 its margin is {measured}, and should be {expected}" if measured != expected else ""
    return judged(law, expected, measured, wrong)


def _test(subject: Subject, measured: str) -> list[Judgement]:
    """Judge the gradient test of a loss that promises a margin: a step must narrow every violation, by F- too."""
    bound: Any = subject.promised.bound
    if bound is None or bound == 0:
        return []
    by = (
        "F- is never pushed up"
        if measured == "by F+"
        else "somewhere a step along its slopes does not narrow a violation"
    )
    return [judged("gradient test", "yes", measured, "" if measured == "yes" else by)]


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
