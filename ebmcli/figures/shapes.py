"""The arrays that a cell of a page is drawn from, and their shapes: files may be damaged, or of another version."""

from collections.abc import Mapping

import numpy as np

LONGEST = 4096  # cells along a side of what is drawn
MOST_POINTS = 1_000_000
MOST_LABELS = 1000
LARGEST = 1e39  # past any float32: no energy and no answer is that large

# By kind of panel the arrays and their shapes: sizes of one name are equal.
NEEDS: Mapping[str, Mapping[str, tuple[int | str, ...]]] = {
    "surface": {"energy": ("side", "side"), "y": ("points", 2)},
    "curve": {"energy": ("across", "up"), "questions": ("across", 1), "x": ("points", 1), "y": ("points", 1)},
    "labels": {"label": ("side", "side"), "shown": (2,), "x": ("points", 2), "y": ("points",)},
    "gaps": {"right": ("words",), "offending": ("words",)},
}
COUNTS = ("points", "words")  # of these sizes, that are no sides of what is drawn


def can_be_drawn(kind: str, arrays: Mapping[str, np.ndarray]) -> bool:
    """True if a panel of this kind can be drawn from these arrays: all are there, fit each other and are finite."""
    needed = NEEDS[kind]
    if not all(name in arrays and _is_of_numbers(arrays[name], len(shape)) for name, shape in needed.items()):
        return False
    sizes = [pair for name, shape in needed.items() for pair in zip(shape, arrays[name].shape, strict=True)]
    if not all(length == size if isinstance(size, int) else _is_legal(size, length) for size, length in sizes):
        return False
    named = {(size, length) for size, length in sizes if isinstance(size, str)}
    return len(named) == len(dict(named)) and (kind != "labels" or _are_labels(arrays))


def _is_of_numbers(array: np.ndarray, axes: int) -> bool:
    numbers = array.dtype.kind in "fiu" and array.ndim == axes and array.size > 0
    return numbers and all(abs(float(end)) <= LARGEST for end in (array.min(), array.max()))  # of nan nothing is true


def _is_legal(size: str, length: int) -> bool:
    low, high = (1, MOST_POINTS) if size in COUNTS else (2, LONGEST)
    return low <= length <= high


def _are_labels(arrays: Mapping[str, np.ndarray]) -> bool:
    """True if labels are whole numbers from 0 on, and what is shown runs upwards."""
    labels = [arrays[name] for name in ("label", "y")]
    whole = all(array.dtype.kind in "iu" and array.min() >= 0 and array.max() < MOST_LABELS for array in labels)
    return whole and bool(arrays["shown"][0] < arrays["shown"][1])
