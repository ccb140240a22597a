"""Pictures of one run, drawn from what it left on disk: what it learned, and how its margin came about."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.core.margins import Margin
from ebmcli.core.needs import Answers, Need
from ebmcli.core.registry import find_or_none
from ebmcli.core.texts import printable, shortened
from ebmcli.core.types import Box, Units
from ebmcli.core.units import TaskUnit
from ebmcli.figures import letters, source, strips
from ebmcli.figures.style import BLUE, GREEN, MARKERS, ORANGE, PALETTE, RED, outlined, own_style, points
from ebmcli.metrics.answers import inferred_answers
from ebmcli.report import formatting
from ebmcli.report.columns import heading, main_measure
from ebmcli.storage import store
from ebmcli.storage.atomic import write
from ebmcli.storage.records import Config, Metrics

ABOVE = 12.0  # the surface is shown from its lowest value to this much above it (in units of 1/beta), or to its highest
VISIBLE = 0.03  # the share of a picture below which it would show nothing
SHOWN_NEGATIVES = 512
LINEAR = 1e3  # margins or 1/beta, the larger: curves that range over more are shown on a logarithmic scale, both signs
LONGEST_TASK = 60  # letters of the name of a task
LONGEST_NAME = 40  # letters of the name of a column
LARGEST = 1e39  # past any float32: no energy is that large

Arrays = Mapping[str, np.ndarray]


@own_style()
def draw(run: Path, task: TaskUnit, config: Config, metrics: Metrics, arrays: Arrays) -> Path:
    """Draw the picture of a finished run into its directory: the energy surface, or words with what was read; and the
    gap over training."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{_title(task, config)}\n{_outcome(config, metrics)}", fontsize=12, parse_math=False)
    left, right = figure.subfigures(1, 2, width_ratios=(6.4, 5.0), squeeze=False)[0]
    _learned(left, task, config, arrays)
    _training(right, config, store.curves(run), metrics)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, metadata={source.KEY: source.of_run(run)})
    write(run / store.PICTURE, buffer.getvalue())
    return run / store.PICTURE


def is_current(run: Path) -> bool:
    """True if the picture of a finished run is there, whole, and shows what lies there now."""
    return source.is_of(run / store.PICTURE, source.of_run(run))


def _learned(figure: Any, task: TaskUnit, config: Config, arrays: Arrays) -> None:
    """Draw what the run learned."""
    kind = task.traits.answers
    if kind is Answers.FINITE:
        _regions(figure, arrays)
    elif kind is Answers.SEQUENCE:
        (strips if "shown_table" in arrays else letters).draw(figure, config, arrays)
    else:
        (_curve if task.traits.conditional else _surface)(figure, task, config, arrays)


def _title(task: TaskUnit, config: Config) -> str:
    energy = "" if config["energy"] == task.traits.energy else f", energy {config['energy']}"
    task_name = shortened(printable(config["task"]), LONGEST_TASK)
    return f"{config['loss']}, negatives {config['sampler']}{energy}, {task_name}, seed {config['seed']}"


def _outcome(config: Config, metrics: Metrics) -> str:
    """Verdict, gap and the main measure, in words."""
    main = main_measure(config["task"])
    gap, value = (formatting.number(metrics.get(name)) for name in ("gap_q50", main))
    return f"{metrics['verdict']}, gap {gap} (median), {heading(main)} {value}"


def middles(low: float, high: float, count: int) -> np.ndarray:
    """[count] the middles of that many cells between low and high."""
    return low + (high - low) * (np.arange(count) + 0.5) / count


# --- what was learned ------------------------------------------------------------------------------------------------


def _surface(figure: Any, task: TaskUnit, config: Config, arrays: Arrays) -> None:
    """The energy over the box as filled contours, with data and negatives of one batch."""
    built = task.build(config)
    box: Any = built.space
    energy = arrays["energy"]
    low = float(energy.min())
    high = low + _shown_up_to(energy - low, config["beta"])
    if high - low < 1e-4 * max(abs(low), abs(high), 1e-30):  # flat: levels must differ in float32
        high = low + max(1.0, abs(low))
    place = built.units.out_of_box if built.units else np.asarray
    side = middles(box[0], box[1], len(energy))
    sides = place(np.stack([side, side], axis=1)).T
    axes = figure.subplots()
    filled = axes.contourf(*sides, energy, levels=np.linspace(low, high, 25), cmap="viridis", extend="max")
    lines = {"colors": "white", "linewidths": 0.4, "linestyles": "solid"}
    axes.contour(*sides, energy, levels=np.linspace(low, high, 9), **lines)
    figure.colorbar(filled, ax=axes, label=f"energy F(y), shown up to {high:.3g}", ticks=_ticks(low, high))
    if "y_negative" in arrays and _scattered(config):
        axes.plot(
            *place(arrays["y_negative"].reshape(-1, 2)[:SHOWN_NEGATIVES]).T,
            "x",
            color="black",
            markersize=3.5,
            path_effects=outlined(1.8),
            label="negatives",
        )
    axes.plot(*place(arrays["y"]).T, label="data", **points(3.2))
    _frame(axes, box, built.units)
    axes.legend(loc="upper right", framealpha=0.8)


def _shown_up_to(above: np.ndarray, beta: float) -> float:
    """How far above the lowest an energy is shown: ABOVE / beta, or all of it where next to nothing lies below that, so
    that a collapsed one shows its valley."""
    highest, limit = float(above.max()), ABOVE / beta
    return highest if np.mean(above < limit) < VISIBLE else min(highest, limit)


def _frame(axes: Any, box: Box, units: Units | None) -> None:
    """The limits and names of the axes: those of the box, or in the user's units."""
    if units is None:
        axes.set(xlim=box[:2], ylim=box[:2], aspect="equal", xlabel="$y_1$", ylabel="$y_2$")
        return
    x, y = units.out_of_box(np.array([[box.low] * 2, [box.high] * 2])).T
    axes.set(xlim=x, ylim=y, box_aspect=1)
    for axis, name in zip((axes.xaxis, axes.yaxis), units.names or ("column 1", "column 2"), strict=True):
        axis.set_label_text(shortened(printable(name), LONGEST_NAME), parse_math=False)  # a user's word, no formula


def _scattered(config: Config) -> bool:
    """True if the negatives are points that tell something by where they lie: not where they cover the box evenly."""
    sampler = find_or_none("sampler", config["sampler"])
    return sampler is None or Need.PARTITION not in sampler.traits.offers(Answers.CONTINUOUS)


def _ticks(low: float, high: float) -> np.ndarray:
    """Round numbers between the two."""
    from matplotlib.ticker import MaxNLocator

    ticks = np.asarray(MaxNLocator(7).tick_values(low, high))
    return ticks[(low <= ticks) & (ticks <= high)]


def _curve(figure: Any, task: TaskUnit, config: Config, arrays: Arrays) -> None:
    """F(x, y) above its lowest value at each x, with the data and the answers that are found."""
    box: Any = task.build(config).space
    energy, x = arrays["energy"], arrays["questions"][:, 0]
    above = energy - energy.min(axis=1, keepdims=True)
    above = np.minimum(above, _shown_up_to(above, config["beta"]))
    axes = figure.subplots()
    extent = (x[0], x[-1], box.low, box.high)
    picture = axes.imshow(above.T, origin="lower", extent=extent, aspect="auto", cmap="viridis")
    figure.colorbar(picture, ax=axes, label=f"F(x, y) above its lowest at that x, up to {above.max():.3g}")
    y = middles(box.low, box.high, energy.shape[1])
    question, answer = np.nonzero(inferred_answers(energy))
    axes.plot(arrays["x"][:, 0], arrays["y"][:, 0], label="data", **points(4.5))
    axes.plot(x[question], y[answer], "k.", markersize=2.5, path_effects=outlined(1.2), label="answers inferred")
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="$x$", ylabel="$y$")
    axes.legend(loc="upper center", framealpha=0.8)


def _regions(figure: Any, arrays: Arrays) -> None:
    """The label of lowest energy at every question of a square, and the data of one batch."""
    axes = figure.subplots()
    draw_labels(axes, arrays, 1 + int(max(arrays["label"].max(), arrays["y"].max())), 14)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_title("areas: the label of lowest energy; points: the data, a shape and colour a label", fontsize=10)


def draw_labels(axes: Any, arrays: Arrays, labels: int, size: float) -> None:
    """Draw the areas of labels, with lines between them, and the data: a colour and a shape for each of so many."""
    low, high = arrays["shown"]
    extent = (low, high, low, high)
    areas = {"cmap": label_colours(labels), "vmin": -0.5, "vmax": labels - 0.5, "alpha": 0.5}
    axes.imshow(arrays["label"], origin="lower", extent=extent, **areas)
    side = middles(low, high, len(arrays["label"]))
    for label in range(labels):
        inside = arrays["label"] == label
        if inside.any() and not inside.all():
            axes.contour(side, side, inside, levels=[0.5], colors="black", linewidths=0.5)
        data = arrays["x"][arrays["y"] == label]
        shape = MARKERS[label % len(MARKERS)]
        axes.scatter(
            *data.T, s=size, color=label_colours(labels)(label), marker=shape, edgecolors="black", linewidths=0.4
        )


def label_colours(count: int) -> Any:
    """A colour map of the first so many labels."""
    from matplotlib.colors import ListedColormap

    return ListedColormap([PALETTE[number % len(PALETTE)] for number in range(max(count, 1))])


# --- how training went -----------------------------------------------------------------------------------------------


def _training(figure: Any, config: Config, curves: Sequence[Mapping[str, Any]], metrics: Metrics) -> None:
    """The gap over the steps with the promised margin and, where they were recorded, the levels of the energies.

    The curve is measured on the way, on fewer points and a coarser grid than the figures at the end, which stand beside
    it: they differ a little.
    """
    names = ("step", "gap_q50", "gap_q10", "gap_q90", "energy_level")
    step, median, low, high, level = (series(curves, name) for name in names)
    levels = np.isfinite(level).any()
    axes = figure.subplots(2 if levels else 1, 1, sharex=True, squeeze=False, height_ratios=(3, 2) if levels else None)
    gaps, scale = axes[0, 0], max(1 / config["beta"], config.get("margin", 0.0))
    promised = _promised(config)
    margin = promised.value(config)
    gaps.axhline(0, color="0.6", linewidth=0.8)
    if _finite(margin) and not promised.absolute:
        label = f"promised margin: {promised.text(config)}"
        gaps.axhline(margin, color="black", linestyle="--", label=label)
    gaps.fill_between(step, low, high, color=BLUE, alpha=0.25, linewidth=0, label="10 to 90 %")
    gaps.plot(step, median, ".-", color=BLUE, label="median, on the way")
    end = series([metrics], "gap_q50")
    if len(step) and np.isfinite(end).all():
        label = f"at the end, on more points: {formatting.number(float(end[0]))}"
        gaps.plot(step[-1:], end, "D", color=RED, markeredgecolor="black", clip_on=False, zorder=3, label=label)
    gaps.set_ylabel("gap F(offending) - F(right)")
    _finish(gaps, np.concatenate([median, low, high, end, [margin if _finite(margin) else 0.0]]), scale)
    if levels:
        _levels(axes[1, 0], config, (step, level, level + median), scale)
    axes[-1, 0].set_xlabel("step")
    if not np.isfinite(median).any():
        gaps.text(0.5, 0.5, "no gap was recorded", ha="center", va="center", transform=gaps.transAxes, color="0.4")


def _levels(axes: Any, config: Config, curves: tuple[np.ndarray, ...], scale: float) -> None:
    """Draw the levels of the energies: a gap can be kept while both of them run away."""
    step, right, offending = curves
    promised = _promised(config)
    margin = promised.value(config)
    if _finite(margin) and promised.absolute:
        axes.axhline(margin, color="black", linestyle="--", label=f"promised: {promised.text(config)}")
    axes.plot(step, offending, "s--", color=ORANGE, markersize=3.5, label="right + gap")
    axes.plot(step, right, "o-", color=GREEN, markersize=3.5, label="right (mean)")
    axes.set_ylabel("energy F")
    _finish(axes, np.concatenate([right, offending, [margin if _finite(margin) else 0.0]]), scale)


def series(curves: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """[N] one measure over training; nan where it is missing or not a finite number."""
    values = [line.get(name) for line in curves]
    return np.array([v if isinstance(v, int | float) and abs(v) < LARGEST else np.nan for v in values], float)


def _promised(config: Config) -> Margin:
    """The margin that the loss promises."""
    unit = find_or_none("loss", config["loss"])
    return unit.traits.promised if unit else Margin(None)


def _finite(margin: float | None) -> bool:
    return margin is not None and np.isfinite(margin)


def _finish(axes: Any, values: np.ndarray, scale: float) -> None:
    """Grid, legend, and a scale on which all values can be read."""
    if np.nanmax(values) - np.nanmin(values) > LINEAR * scale:
        axes.set_yscale("symlog", linthresh=scale)
    axes.grid(alpha=0.3)
    tight = {"fontsize": 9, "frameon": False, "columnspacing": 1.2, "handlelength": 1.6}
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **tight)
