"""Pictures of one run, drawn from what it left on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli import store
from ebmcli.registry import find

ABOVE = 12.0  # the surface is shown from its lowest value to this much above it, or to its highest
SHOWN_WORDS = 6
SHOWN_NEGATIVES = 512


def picture(run: Path, config: Mapping[str, Any], metrics: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Draw the picture of a finished run into its directory: the energy surface, or words with what was read."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    task = find("task", config["task"])
    question = _curve if task.conditional else _surface
    draw = {"continuous": question, "finite": _regions, "sequence": _words}[task.answers]
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure, config, metrics, arrays)
    path = run / store.PICTURE
    figure.savefig(path, dpi=110)
    return path


def _title(config: Mapping[str, Any]) -> str:
    return f"{config['loss']}, negatives {config['sampler']}, {config['task']}, seed {config['seed']}"


def _surface(figure: Any, config: Mapping[str, Any], metrics: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """The energy over the box as filled contours, with data and negatives of one batch."""
    box: Any = find("task", config["task"]).build(config).space
    energy = arrays["energy"]
    low = float(energy.min())
    high = min(float(energy.max()), low + ABOVE / config["beta"])
    if high - low < 1e-4 * max(abs(low), abs(high), 1e-30):  # flat: levels must differ in float32
        high = low + max(1.0, abs(low))
    side = np.linspace(box[0], box[1], len(energy) + 1)
    side = (side[:-1] + side[1:]) / 2
    axes = figure.subplots()
    filled = axes.contourf(side, side, energy, levels=np.linspace(low, high, 25), cmap="viridis", extend="max")
    lines = {"colors": "white", "linewidths": 0.4, "linestyles": "solid"}
    axes.contour(side, side, energy, levels=np.linspace(low, high, 9), **lines)
    figure.colorbar(filled, ax=axes, label=f"energy F(y), shown up to {high:.3g}")
    if "y_negative" in arrays and config["sampler"] != "quadrature":
        axes.plot(
            *arrays["y_negative"].reshape(-1, 2)[:SHOWN_NEGATIVES].T,
            "x",
            color="black",
            markersize=3,
            alpha=0.7,
            label="negatives",
        )
    axes.plot(*arrays["y"].T, ".", color="tab:red", markersize=3, label="data")
    axes.set(xlim=box[:2], ylim=box[:2], aspect="equal", xlabel="$y_1$", ylabel="$y_2$")
    axes.legend(loc="upper right", framealpha=0.8)
    axes.set_title(f"{_title(config)}\n{metrics['verdict']}, gap {metrics['gap_q50']:.2g} (median)", fontsize=10)


def _curve(figure: Any, config: Mapping[str, Any], metrics: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """F(x, y) above its lowest value at each x, with the data and the answers that are found."""
    box: Any = find("task", config["task"]).build(config).space
    energy, x = arrays["energy"], arrays["questions"][:, 0]
    above = np.minimum(energy - energy.min(axis=1, keepdims=True), ABOVE / config["beta"])
    axes = figure.subplots()
    extent = (x[0], x[-1], box.low, box.high)
    shown = axes.imshow(above.T, origin="lower", extent=extent, aspect="auto", cmap="viridis")
    figure.colorbar(shown, ax=axes, label=f"F(x, y) above its lowest at that x, up to {above.max():.3g}")
    y = box.low + (box.high - box.low) * (np.arange(energy.shape[1]) + 0.5) / energy.shape[1]
    axes.plot(x, y[energy.argmin(axis=1)], color="white", linewidth=1.2, label="lowest energy")
    axes.plot(arrays["x"][:, 0], arrays["y"][:, 0], ".", color="tab:red", markersize=4, label="data")
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="$x$", ylabel="$y$")
    axes.legend(loc="upper center", framealpha=0.8)
    axes.set_title(f"{_title(config)}\n{metrics['verdict']}, gap {metrics['gap_q50']:.2g} (median)", fontsize=10)


def _regions(figure: Any, config: Mapping[str, Any], metrics: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """The label of lowest energy at every question of a square, and the data of one batch."""
    axes = figure.subplots()
    low, high = arrays["shown"]
    colours = {"cmap": "tab10", "vmin": 0, "vmax": 9}
    axes.imshow(arrays["label"], origin="lower", extent=(low, high, low, high), alpha=0.5, **colours)
    axes.scatter(*arrays["x"].T, c=arrays["y"], s=8, edgecolors="black", linewidths=0.3, **colours)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_title(
        f"{_title(config)}\n{metrics['error']:.1%} wrong, gap {metrics['gap_q50']:.2g} (median)", fontsize=10
    )


def _words(figure: Any, config: Mapping[str, Any], metrics: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Test words from the smallest gap to the largest, each with what was read; wrong letters in red."""
    from ebmcli.tasks.letters import words

    data = words()
    gap = arrays["offending"] - arrays["right"]
    order = np.argsort(gap)
    chosen = order[np.linspace(0, len(order) - 1, SHOWN_WORDS).astype(int)]
    for axes, row in zip(figure.subplots(SHOWN_WORDS, 1), chosen, strict=True):
        word = arrays["word"][row]
        length = data["length"][word]
        pixels = np.unpackbits(data["pixels"][word, :length], axis=-1).reshape(length, 16, 8)
        strip = np.pad(pixels, ((0, 0), (1, 1), (2, 2))).transpose(1, 0, 2).reshape(18, -1)
        axes.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
        for position in range(length):
            found, right = arrays["found"][row, position], data["label"][word, position]
            text = chr(97 + found) if found == right else f"{chr(97 + found)} ({chr(97 + right)})"
            colour = "black" if found == right else "tab:red"
            axes.text(12 * position + 6, 22, text, ha="center", va="top", fontsize=8, color=colour)
        axes.set_ylabel(f"gap {gap[row]:.2g}", rotation=0, ha="right", va="center", fontsize=8)
        axes.set(xticks=[], yticks=[], xlim=(0, 12 * int(data["length"].max())))
        axes.spines[:].set_visible(False)
    figure.suptitle(f"{_title(config)}\n{metrics['cer']:.1%} of letters wrong; (x): the right letter", fontsize=10)
