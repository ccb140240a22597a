"""The Stanford OCR set: handwritten words letter by letter (Kassel; Taskar et al. 2003). One loader for all tasks."""

from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from ebmcli.core import files
from ebmcli.core.types import Repeat, Traced
from ebmcli.metrics import sequence

FOLDS = 10
LABELS = 26
Fold = Annotated[int, Ge(0), Le(FOLDS - 1), Traced, Repeat]
Protocol = Literal["small", "large", "held-out-words"]  # the last is of `letters` alone


@lru_cache
def letters() -> dict[str, np.ndarray]:
    """All 52,152 letters, and the words that they make, sorted by fold.

    Of letters: pixels [N, 16] uint8 (packed) and label [N] int32. Of words: first [W], the place of their first letter,
    length [W] and fold [W], all int32; start [11], the first word of each fold.
    """
    with resources.as_file(resources.files("ebmcli.tasks") / "data" / "letters.npz") as path:
        file = files.arrays(path)
    pixels, label, offset, fold = (file[name] for name in ("pixels", "label", "offset", "fold"))
    order = np.argsort(fold, kind="stable")
    return {
        "pixels": pixels,
        "label": label.astype(np.int32),
        "first": offset[:-1][order].astype(np.int32),
        "length": np.diff(offset)[order].astype(np.int32),
        "fold": fold[order].astype(np.int32),
        "start": np.searchsorted(fold[order], np.arange(FOLDS + 1)).astype(np.int32),
    }


@lru_cache
def words() -> dict[str, np.ndarray]:
    """All 6,877 words, sorted by fold.

    pixels [W, T, 16] uint8 (packed), label [W, T], length [W] and fold [W] int32; letters past a word's length are 0.
    """
    known = letters()
    length = known["length"]
    position = np.arange(length.max())
    present = position < length[:, None]
    source = np.where(present, known["first"][:, None] + position, 0)
    return {
        "pixels": np.where(present[..., None], known["pixels"][source], 0).astype(np.uint8),
        "label": np.where(present, known["label"][source], 0).astype(np.int32),
        "length": length,
        "fold": known["fold"],
    }


def spellings() -> list[str]:
    """All words as text, in their order."""
    data = words()
    return ["".join(chr(97 + c) for c in label[:n]) for label, n in zip(data["label"], data["length"], strict=True)]


def word_list_error(test: np.ndarray) -> float:
    """Character error of the baseline shown next to every result: naive Bayes letters, constrained to the word list of
    the training words. test: [W] bool, the words of the test set.

    Bernoulli pixels with add-one smoothing; the answer is the likeliest of the training words of that length. What it
    reaches is due to the list of 55 words, and so is that much of any figure on this task; where words are held out the
    list does not have them, and it can only read others.
    """
    data = words()
    pixels = np.unpackbits(data["pixels"], axis=-1).astype(np.float64)
    present = np.arange(data["label"].shape[1]) < data["length"][:, None]
    train = present & ~test[:, None]
    ink = np.zeros((LABELS, pixels.shape[-1]))
    np.add.at(ink, data["label"][train], pixels[train])
    ink = (ink + 1) / (np.bincount(data["label"][train], minlength=LABELS)[:, None] + 2)
    score = pixels @ np.log(ink / (1 - ink)).T + np.log(1 - ink).sum(axis=1)  # [W, T, C]
    reading = np.zeros_like(data["label"])
    for length in np.unique(data["length"][test]):
        rows = np.flatnonzero(test & (data["length"] == length))
        reading[rows, :length] = score[rows, :length].argmax(axis=-1)  # letter by letter where no word has this length
        known = np.unique(data["label"][(data["length"] == length) & ~test], axis=0)[:, :length]
        if len(known):
            total = score[rows][:, np.arange(length), known].sum(axis=-1)  # [rows, words]
            reading[rows, :length] = known[np.argmax(total, axis=1)]
    return sequence.character_error(reading[test], data["label"][test], data["length"][test])
