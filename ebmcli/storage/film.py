"""The film of a run: what it had learned at every chunk end, small enough to be kept with every run.

A frame is what the task shows of its coarse probe, with the answers and negatives of one batch and their energies.
Arrays of numbers are kept as twelve bits of the square root of their height above the lowest of the frame: valleys
stay sharp where peaks are high. Neighbours are told from each other, which zip makes small.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEVELS = 2**12 - 1  # of the square root of a height
NEGATIVES = 128  # of a frame at most
PARTS = ("high", "rest", "low", "span")  # of the numbers of a name: the two bytes of a level, and the scale of a frame

Frame = Mapping[str, Any]


def frame(step: int, shown: Frame, batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Make a frame.

    Args:
        step: The steps done.
        shown: What the task shows of its probe.
        batch: `y` and `y_negative` of a batch, `positive` and `negatives`, their energies; None for what it has not.

    Returns:
        The arrays by name; of the batch the first NEGATIVES negatives with their energies, its answers with theirs.
    """
    arrays = {"step": np.int32(step), **shown}
    energies, negatives = batch.get("negatives"), batch.get("y_negative")
    if negatives is not None and energies is not None and energies.size:
        answers = np.asarray(negatives).reshape(-1, *batch["y"].shape[1:])
        own = len(answers) == energies.size  # else the negatives are shared, and each has an energy at every example
        arrays["negative"] = answers[:NEGATIVES]
        arrays["negative_energy"] = (energies.reshape(-1) if own else energies[0])[:NEGATIVES]
    arrays |= {"answer": batch["y"][:NEGATIVES], "answer_energy": batch["positive"][:NEGATIVES]}
    return {name: np.asarray(array) for name, array in arrays.items()}


def pack(frames: Sequence[Frame]) -> dict[str, np.ndarray]:
    """The arrays of a film on disk, of frames with the same names and shapes."""
    packed: dict[str, np.ndarray] = {}
    for name in frames[0]:
        stack = np.stack([each[name] for each in frames])
        if stack.dtype.kind == "f":
            packed |= {f"{name}.{part}": array for part, array in _heights(stack.astype(np.float64)).items()}
        else:
            packed[name] = stack.astype(
                np.result_type(*(np.min_scalar_type(end) for end in (stack.min(), stack.max())))
            )
    return packed


def unpack(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """[T, ...] the frames of a film by name, those of real numbers as float32."""
    names = dict.fromkeys(name.partition(".")[0] for name in packed)
    whole = [name for name in names if name in packed or all(f"{name}.{part}" in packed for part in PARTS)]
    return {name: packed[name] if name in packed else _numbers(packed, name) for name in whole}


def _heights(stack: np.ndarray) -> dict[str, np.ndarray]:
    """[T, ...] numbers as levels, the lowest number of each frame, and how far the highest is above it."""
    flat = stack.reshape(len(stack), -1)
    low = flat.min(axis=1)
    span = flat.max(axis=1) - low
    share = (flat - low[:, None]) / np.where(span > 0, span, 1.0)[:, None]
    level = np.rint(np.sqrt(share) * LEVELS).astype(np.uint16).reshape(stack.shape)
    for axis in range(1, stack.ndim)[-2:]:  # a surface is told by how its slope changes
        level = np.diff(level, axis=axis, prepend=np.uint16(0))  # modulo 2**16
    high, rest = (level >> 8).astype(np.uint8), (level & 255).astype(np.uint8)
    return {"high": high, "rest": rest, "low": low, "span": span}


def _numbers(packed: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """[T, ...] the numbers again, each within half a level of what it was."""
    high, rest, low, span = (packed[f"{name}.{part}"] for part in PARTS)
    level = high.astype(np.uint16) << 8 | rest
    for axis in range(1, level.ndim)[-2:]:
        level = np.cumsum(level, axis=axis, dtype=np.uint16)
    shape = (-1, *(1,) * (level.ndim - 1))
    numbers: np.ndarray = low.reshape(shape) + (level / LEVELS) ** 2 * span.reshape(shape)
    return numbers.astype(np.float32)
