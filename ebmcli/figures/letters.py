"""Segmented words as a run reads them: some words with their most offending answers, which letters are confused, which
words to reject."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebmcli.figures.style import BLUE, RED
from ebmcli.metrics import sequence
from ebmcli.storage.records import Config

REJECTED = 0.01  # wrong and not rejected, where the curve is marked
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
LETTERS = len(ALPHABET)

# Of the drawn words, in pixels of a letter: its width and height, a line of text, a word with two lines beneath it.
WIDE, TALL, TEXT, LINE = 12, 18, 8, 36
BENEATH: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8}

Arrays = Mapping[str, np.ndarray]


def draw(figure: Any, config: Config, arrays: Arrays) -> None:
    """Draw test words above, the confusion of letters and the reject curve below."""
    above, below = figure.subfigures(2, 1, height_ratios=(5, 6), squeeze=False)[:, 0]
    _words(above, arrays)
    confusion, reject = below.subplots(1, 2)
    _confusion(confusion, arrays)
    _reject(reject, arrays)


def _words(figure: Any, arrays: Arrays) -> None:
    """Words from the smallest gap to the largest: what is read, and beneath it the right letter where that is another,
    or where the most offending answer differs; that answer is what was read where a word is wrong."""
    places, gaps = arrays["shown"], arrays["offending"] - arrays["right"]
    axes = figure.subplots()
    for number, (row, packed) in enumerate(zip(places, arrays["pixels"], strict=True)):
        length, top = arrays["length"][row], LINE * number
        pixels = np.unpackbits(packed[:length], axis=-1).reshape(length, 16, 8)
        strip = np.pad(pixels, ((0, 0), (1, 1), (2, 2))).transpose(1, 0, 2).reshape(TALL, -1)
        axes.imshow(1 - strip, cmap="gray", vmin=0, vmax=1, extent=(0, WIDE * length, top + TALL, top))
        for place in range(length):
            middle = WIDE * (place + 0.5)
            read, right, other = (arrays[name][row][place] for name in ("found", "label", "other"))
            tone = {} if read == right else {"color": RED, "weight": "bold"}
            axes.text(middle, top + TALL, ALPHABET[read], **BENEATH, **tone)
            if read != right:
                axes.text(middle, top + TALL + TEXT, ALPHABET[right], color=BLUE, **BENEATH)
            elif other != right:
                axes.text(middle, top + TALL + TEXT, ALPHABET[other], color="0.5", **BENEATH)
    axes.set(xlim=(0, WIDE * int(arrays["length"].max())), ylim=(LINE * len(places), 0), xticks=[])
    axes.set_yticks(LINE * np.arange(len(places)) + TALL / 2, [f"gap {gaps[row]:.2g}" for row in places], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.suptitle("what is read (bold: wrong, beneath it what is right), by gap; grey: most offending", fontsize=9)


def confusion_shares(arrays: Arrays) -> np.ndarray:
    """[26, 26] the share of each letter (row) that is read as each letter; NaN where there is none of it."""
    label, length = arrays["label"], arrays["length"]
    present = np.arange(label.shape[1]) < length[:, None]
    counts = np.zeros((LETTERS, LETTERS))
    np.add.at(counts, (label[present], arrays["found"][present]), 1)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def _confusion(axes: Any, arrays: Arrays) -> None:
    shares = confusion_shares(arrays)
    np.fill_diagonal(shares, np.nan)
    top = max(np.nanmax(shares, initial=0.0), 1e-3)
    picture = axes.imshow(100 * shares, cmap="Reds", vmin=0, vmax=100 * top)
    axes.figure.colorbar(picture, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)
    axes.set_title("% of a letter read as another", fontsize=9)
    axes.set_xlabel("read", fontsize=8)
    axes.set_ylabel("right", fontsize=8)
    axes.set_xticks(range(LETTERS), ALPHABET, fontsize=6)
    axes.set_yticks(range(LETTERS), ALPHABET, fontsize=6)


def _reject(axes: Any, arrays: Arrays) -> None:
    wrong = (arrays["found"] != arrays["label"]).any(axis=1)
    rejected, error = sequence.reject_curve(arrays["sure"], wrong)
    axes.plot(100 * rejected, 100 * error, color=BLUE)
    share = sequence.reject_at(arrays["sure"], wrong, REJECTED)
    axes.plot(100 * share, 100 * REJECTED, "o", color=RED, label=f"{REJECTED:.0%} wrong: reject {share:.0%}")
    axes.set_title("wrong words against rejected ones", fontsize=9)
    axes.set_xlabel("% rejected", fontsize=8)
    axes.set_ylabel("% wrong of all", fontsize=8)
    axes.set(xlim=(0, 100), ylim=(0, None))
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
