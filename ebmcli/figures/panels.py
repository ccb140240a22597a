"""Draw one run into a cell of a page, on scales that all cells share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.core.needs import Answers
from ebmcli.core.registry import find, task_of
from ebmcli.figures.picture import ABOVE, draw_labels, middles
from ebmcli.figures.shapes import can_be_drawn
from ebmcli.figures.style import BLUE, RED, outlined, points
from ebmcli.metrics.answers import inferred_answers
from ebmcli.metrics.density import grid

BEYOND = "0.87"  # the colour of energies above the scale
SHADES = ("0.45", "0.88")  # the same in a collapsed cell: the lower, the darker
STEPS = 9  # of these shades
LINES = 5  # of equal energy, where a cell spans less than a step of the scale
LOWEST_LOG = -1e30  # of a density, in place of minus infinity
BARS = 30  # of a histogram, some more where 0 is to be an edge
SHOWN = (0.05, 0.99)  # the quantiles of the gaps of every leading cell that lie within the bars


@dataclass(frozen=True)
class Panel:
    """A finished run with its arrays."""

    config: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    healthy: bool

    @property
    def kind(self) -> str:
        """The kind of its panel."""
        return kind(self.config["task"])

    @property
    def drawable(self) -> bool:
        """True if its arrays are there, and can be drawn."""
        return _is_known(self.config) and can_be_drawn(self.kind, self.arrays)

    def above(self) -> np.ndarray:
        """The energy above its lowest value in the cell, on a curve at each x: any f(x) may be added there."""
        energy = self.arrays["energy"].astype(np.float64)
        return energy - energy.min(axis=1 if self.kind == "curve" else None, keepdims=True)

    def gaps(self) -> np.ndarray:
        """[N] of the test words."""
        return np.float64(self.arrays["offending"]) - self.arrays["right"]


def kind(task: str) -> str:
    """The kind of panel of a run of this task."""
    unit = find("task", task)
    points = "curve" if unit.traits.conditional else "surface"
    return {Answers.CONTINUOUS: points, Answers.FINITE: "labels", Answers.SEQUENCE: "gaps"}[unit.traits.answers]


def _is_known(config: Mapping[str, Any]) -> bool:
    """True if the settings of the task are such as it has today."""
    try:
        for name, parameter in find("task", config["task"]).parameters.items():
            parameter.validate(config.get(name, parameter.default))
    except UsageError:
        return False
    return True


def truth_beside(panel: Panel) -> Panel | None:
    """The cell of the truth beside a run, with its data: the energy -log p / beta, or the likeliest label of each
    question; None where the truth is not known, or is none that can be drawn."""
    task = task_of(panel.config).build(panel.config)
    if task.truth is None:
        return None
    if panel.kind == "surface":
        box: Any = task.space
        cells = len(panel.arrays["energy"])
        log_density = np.maximum(task.truth(grid(box[:2], cells)), LOWEST_LOG).reshape(cells, cells)
        return Panel(panel.config, {**panel.arrays, "energy": -log_density / panel.config["beta"]}, True)
    if panel.kind == "labels":
        low, high = panel.arrays["shown"]
        side = len(panel.arrays["label"])
        likeliest = task.truth(grid((float(low), float(high)), side)).argmax(axis=1).reshape(side, side)
        return Panel(panel.config, {**panel.arrays, "label": likeliest}, True)
    return None


@dataclass(frozen=True)
class Scales:
    """The scales that all cells of a page share."""

    levels: np.ndarray  # of energies above the lowest; empty where no cell shows energies
    edges: np.ndarray  # of the bars of histograms; likewise
    highest: float  # bar that is shown whole
    labels: int  # how many there are


def scales(panels: Sequence[Panel]) -> Scales:
    """Scales on which the healthy cells can be read, or all where there are none: a collapsed energy is cut off."""
    lead = [panel for panel in panels if panel.healthy]
    lead += [panel for panel in panels if panel.kind not in {leader.kind for leader in lead}]
    energies = [panel for panel in lead if panel.kind in ("surface", "curve")]
    counted = [panel for panel in lead if panel.kind == "gaps"]
    edges = _edges([panel.gaps() for panel in counted]) if counted else np.zeros(0)
    highest = max((_shares(panel, edges).max() for panel in counted), default=1.0)
    labels = [panel.arrays[name].max() for panel in panels if panel.kind == "labels" for name in ("label", "y")]
    levels = _levels(energies) if energies else np.zeros(0)
    return Scales(levels, edges, float(highest), int(max(labels, default=-1)) + 1)


def _levels(panels: Sequence[Panel]) -> np.ndarray:
    """Round levels from 0 up to what the energies reach, at most ABOVE in units of the highest temperature."""
    from matplotlib.ticker import MaxNLocator

    cap = ABOVE / min(panel.config["beta"] for panel in panels)
    top = min(cap, max(float(panel.above().max()) for panel in panels))
    return np.asarray(MaxNLocator(12).tick_values(0.0, top)) if top > 1e-9 * cap else np.linspace(0.0, cap, 13)


def _edges(gaps: Sequence[np.ndarray]) -> np.ndarray:
    """Edges of bars for nearly all gaps; 0, where right turns to wrong, is one of them."""
    ends = [np.quantile(np.clip(values, -1e30, 1e30), SHOWN) for values in gaps]
    low, high = min(0.0, *(low for low, _ in ends)), max(0.0, *(high for _, high in ends))
    width = max(high - low, 1e-9) / BARS
    return width * np.arange(min(np.floor(low / width), -1), max(np.ceil(high / width), 1) + 1)


def _shares(panel: Panel, edges: np.ndarray) -> np.ndarray:
    """The share of words in each bar; the outer bars hold what lies beyond them."""
    inside = np.clip(panel.gaps(), edges[0], edges[-1])
    return np.histogram(inside, edges)[0] / len(inside)


def draw(axes: Any, panel: Panel, shared: Scales) -> None:
    """Draw a run into its cell."""
    {"surface": _surface, "curve": _curve, "labels": _labels, "gaps": _gaps}[panel.kind](axes, panel, shared)


def colours(shared: Scales) -> dict[str, Any]:
    """The colour scale of energies, as matplotlib takes it; what lies above it is grey."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    return {
        "cmap": colormaps["viridis"].with_extremes(over=BEYOND),
        "norm": BoundaryNorm(shared.levels, 256, extend="max"),
    }


def _surface(axes: Any, panel: Panel, shared: Scales) -> None:
    box: Any = task_of(panel.config).build(panel.config).space
    side = middles(box[0], box[1], len(panel.arrays["energy"]))
    above = np.minimum(panel.above(), 1e3 * shared.levels[-1])
    axes.contourf(side, side, above, levels=shared.levels, extend="max", **colours(shared))
    if not panel.healthy and panel.above().max() > shared.levels[-1]:
        axes.contourf(side, side, panel.above(), levels=_beyond(panel, shared), colors=_shades())
    if _has_own_valley(panel.above(), shared):
        axes.contour(side, side, panel.above(), levels=LINES, colors="white", linewidths=0.6)
    axes.plot(*panel.arrays["y"].T, **points(2.2))
    axes.set(xlim=box[:2], ylim=box[:2], xticks=[], yticks=[])


def _curve(axes: Any, panel: Panel, shared: Scales) -> None:
    box: Any = task_of(panel.config).build(panel.config).space
    above, x = panel.above(), panel.arrays["questions"][:, 0]
    extent = (x[0], x[-1], box.low, box.high)
    axes.imshow(above.T, origin="lower", extent=extent, aspect="auto", interpolation="nearest", **colours(shared))
    if not panel.healthy and above.max() > shared.levels[-1]:
        axes.contourf(above.T, extent=extent, levels=_beyond(panel, shared), colors=_shades())
    y = middles(box.low, box.high, above.shape[1])
    axes.plot(panel.arrays["x"][:, 0], panel.arrays["y"][:, 0], **points(4.5))
    question, answer = np.nonzero(inferred_answers(above))
    axes.plot(x[question], y[answer], "k.", markersize=2, path_effects=outlined(1.2))
    axes.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])


def _has_own_valley(above: np.ndarray, shared: Scales) -> bool:
    """True if an energy spans less than a step of the scale, which would show one colour, and yet more than nothing."""
    return 1e-4 * shared.levels[1] < above.max() < shared.levels[1]


def _beyond(panel: Panel, shared: Scales) -> np.ndarray:
    """Levels from the end of the scale up to what a collapsed energy reaches, in steps that show its valley."""
    top, above = float(shared.levels[-1]), panel.above()
    return top + (float(above.max()) * (1 + 1e-9) - top) * np.linspace(0, 1, STEPS + 1)


def _shades() -> list[str]:
    dark, light = map(float, SHADES)
    return [f"{dark + (light - dark) * step / (STEPS - 1):.3f}" for step in range(STEPS)]


def _labels(axes: Any, panel: Panel, shared: Scales) -> None:
    low, high = panel.arrays["shown"]
    draw_labels(axes, panel.arrays, shared.labels, 9)
    axes.set(xlim=(low, high), ylim=(low, high), xticks=[], yticks=[])


def _gaps(axes: Any, panel: Panel, shared: Scales) -> None:
    edges: Any = shared.edges
    wrong = edges[:-1] < 0
    style = {"align": "edge", "color": np.where(wrong, RED, BLUE), "hatch": ["///" if w else "" for w in wrong]}
    axes.bar(edges[:-1], _shares(panel, edges), np.diff(edges), edgecolor="white", linewidth=0, **style)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.1 * shared.highest), yticks=[])
    axes.tick_params(labelsize=11, pad=2)
    axes.locator_params(axis="x", nbins=4)
