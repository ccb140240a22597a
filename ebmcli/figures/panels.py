"""Draw one run into a cell of a page, on scales that all cells share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmcli.core.needs import Answers
from ebmcli.core.registry import find, task_of
from ebmcli.figures.picture import ABOVE, middles
from ebmcli.metrics.answers import inferred_answers

BEYOND = "0.87"  # the colour of energies above the scale
POINTS = {"linestyle": "none", "marker": ".", "color": "#ff4a3a", "markeredgewidth": 0}  # data
BARS = 30  # of a histogram, some more where 0 is to be an edge
SHOWN = (0.05, 0.99)  # the quantiles of the gaps of every leading cell that lie within the bars
NEEDS = {  # arrays, by kind
    "surface": ("energy", "y"),
    "curve": ("energy", "questions", "x", "y"),
    "labels": ("label", "shown", "x", "y"),
    "gaps": ("right", "offending"),
}


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
        """True if its arrays are there, and finite."""
        return all(name in self.arrays and np.isfinite(self.arrays[name]).all() for name in NEEDS[self.kind])

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


def label_colours(count: int) -> Any:
    """A colour map of the first so many labels."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap([colormaps["tab10"](number % 10) for number in range(count)])


def _surface(axes: Any, panel: Panel, shared: Scales) -> None:
    box: Any = task_of(panel.config).build(panel.config).space
    side = middles(box[0], box[1], len(panel.arrays["energy"]))
    above = np.minimum(panel.above(), 1e3 * shared.levels[-1])
    axes.contourf(side, side, above, levels=shared.levels, extend="max", **colours(shared))
    axes.plot(*panel.arrays["y"].T, markersize=3, **POINTS)
    axes.set(xlim=box[:2], ylim=box[:2], xticks=[], yticks=[])


def _curve(axes: Any, panel: Panel, shared: Scales) -> None:
    from matplotlib.patheffects import Normal, Stroke

    box: Any = task_of(panel.config).build(panel.config).space
    above, x = panel.above(), panel.arrays["questions"][:, 0]
    extent = (x[0], x[-1], box.low, box.high)
    axes.imshow(above.T, origin="lower", extent=extent, aspect="auto", interpolation="nearest", **colours(shared))
    y = middles(box.low, box.high, above.shape[1])
    axes.plot(panel.arrays["x"][:, 0], panel.arrays["y"][:, 0], markersize=6.5, **POINTS)
    outlined = [Stroke(linewidth=2.4, foreground="black"), Normal()]  # white shows on no grey
    question, answer = np.nonzero(inferred_answers(above))
    axes.plot(x[question], y[answer], "w.", markersize=2, path_effects=outlined)
    axes.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])


def _labels(axes: Any, panel: Panel, shared: Scales) -> None:
    low, high = panel.arrays["shown"]
    tones = {"cmap": label_colours(shared.labels), "vmin": -0.5, "vmax": shared.labels - 0.5}
    axes.imshow(panel.arrays["label"], origin="lower", extent=(low, high, low, high), alpha=0.5, **tones)
    axes.scatter(*panel.arrays["x"].T, c=panel.arrays["y"], s=6, edgecolors="black", linewidths=0.2, **tones)
    axes.set(xlim=(low, high), ylim=(low, high), xticks=[], yticks=[])


def _gaps(axes: Any, panel: Panel, shared: Scales) -> None:
    edges: Any = shared.edges
    tone = np.where(edges[:-1] < 0, "tab:red", "tab:blue")
    axes.bar(edges[:-1], _shares(panel, edges), np.diff(edges), align="edge", color=tone)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.1 * shared.highest), yticks=[])
    axes.tick_params(labelsize=11, pad=2)
    axes.locator_params(axis="x", nbins=4)
