"""Segmented words as a run reads them: some words with their most offending answers, which letters are confused, which
words to reject."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebmcli.metrics import sequence
from ebmcli.storage.records import Config

REJECTED = 0.01  # wrong and not rejected, where the curve is marked
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
LETTERS = len(ALPHABET)

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
    longest = int(arrays["length"].max())
    for axes, row, packed in zip(figure.subplots(len(places), 1), places, arrays["pixels"], strict=True):
        length = arrays["length"][row]
        pixels = np.unpackbits(packed[:length], axis=-1).reshape(length, 16, 8)
        strip = np.pad(pixels, ((0, 0), (1, 1), (2, 2))).transpose(1, 0, 2).reshape(18, -1)
        axes.imshow(1 - strip, cmap="gray", vmin=0, vmax=1)
        for place in range(length):
            read, right, other = (arrays[name][row][place] for name in ("found", "label", "other"))
            beneath = {"ha": "center", "va": "top", "fontsize": 8}
            axes.text(12 * place + 6, 18, ALPHABET[read], color="black" if read == right else "tab:red", **beneath)
            if read != right:
                axes.text(12 * place + 6, 28, ALPHABET[right], color="tab:green", **beneath)
            elif other != right:
                axes.text(12 * place + 6, 28, ALPHABET[other], color="0.5", **beneath)
        axes.set_ylabel(f"gap {gaps[row]:.2g}", rotation=0, ha="right", va="center", fontsize=8)
        axes.set(xticks=[], yticks=[], xlim=(0, 12 * longest))
        axes.spines[:].set_visible(False)
    figure.suptitle("what is read (red: wrong, green: right), by gap; grey: the most offending answer", fontsize=9)


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
    axes.plot(100 * rejected, 100 * error, color="tab:blue")
    share = sequence.reject_at(arrays["sure"], wrong, REJECTED)
    axes.plot(100 * share, 100 * REJECTED, "o", color="tab:red", label=f"{REJECTED:.0%} wrong: reject {share:.0%}")
    axes.set_title("wrong words against rejected ones", fontsize=9)
    axes.set_xlabel("% rejected", fontsize=8)
    axes.set_ylabel("% wrong of all", fontsize=8)
    axes.set(xlim=(0, 100), ylim=(0, None))
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.3)
