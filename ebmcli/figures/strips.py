"""Pictures of a strip: the energies of its windows, and where two answers find their letters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebmcli.figures.style import RED
from ebmcli.storage.records import Config

ABOVE = 12.0  # energies are shown up to so much above the lowest of their window, in units of 1/beta


def draw(figure: Any, config: Config, arrays: Mapping[str, np.ndarray]) -> None:
    """Draw the test word with the smallest gap: its ink, the energy of each symbol above the lowest of its window, and
    the best paths of the right answer and of the most offending one."""
    example = {name.removeprefix("shown_"): array for name, array in arrays.items() if name.startswith("shown_")}
    windows = int((example["state"] >= 0).sum())
    table, column = example["table"][:windows].T, example["column"][:windows]
    above = np.minimum(table - table.min(axis=0), ABOVE / config["beta"])
    ink, energies = figure.subplots(2, 1, sharex=True, height_ratios=(1, 4))
    ink.imshow(1 - example["image"][: example["width"]].T, cmap="gray", vmin=0, vmax=1, aspect="auto")
    half = (column[1] - column[0]) / 2
    extent = (column[0] - half, column[-1] + half, len(table) - 0.5, -0.5)
    picture = energies.imshow(above, extent=extent, aspect="auto", cmap="viridis", interpolation="nearest")
    figure.colorbar(picture, ax=energies, label=f"energy above the lowest of its window, up to {above.max():.3g}")
    paths = (("y", "state", "right", "white", "-"), ("other", "other_state", "most offending", RED, "--"))
    for answer, state, name, colour, line in paths:
        word, states = example[answer], example[state][:windows]
        symbol = np.where(states % 2 == 1, word[np.minimum(states // 2, len(word) - 1)], len(table) - 1)
        label = f"{name}: {''.join(chr(97 + letter) for letter in word if letter >= 0)}"
        energies.plot(column, symbol, line, drawstyle="steps-mid", color=colour, linewidth=1.6, label=label)
    ink.set(yticks=[], xlim=(0, int(example["width"])))
    energies.set_yticks(range(len(table)), [*(chr(97 + i) for i in range(len(table) - 1)), "_"], fontsize=7)
    energies.set(xlabel="column, pixels", ylabel="symbol of a window (_: between letters)")
    energies.legend(loc="upper right", fontsize=8, facecolor="0.5", framealpha=0.9)
    gap = float((arrays["offending"] - arrays["right"]).min())
    ink.set_title(f"the test word with the smallest gap, {gap:.3g}", fontsize=10)
