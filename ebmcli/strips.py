"""What the tasks share whose words are read off a strip: drawing it, looking at an energy on it, measuring what was read."""

from typing import Any

import numpy as np

from ebmcli.lazy import Array, jax, jnp
from ebmcli.metrics import margin, sequence
from ebmcli.types import Energy, Strings, Strip

LABELS = 26
STEP = 6  # pixels: no two windows of an energy are closer, and every letter has room for two


def space(width: int) -> Strings:
    """The answers on strips of at most this many pixels: a letter a window at most."""
    return Strings(LABELS, width // STEP, fixed=False)


def drawn(glyphs: Array, start: Array, count: Array, width: int) -> Array:
    """[width, H]: the first `count` glyphs [T, G, H], each beginning at its column `start` [T], from left to right."""
    column = jnp.arange(width)
    letter = jnp.sum(column[:, None] >= start, axis=1) - 1
    within = column - start[letter]
    ink = glyphs[letter, jnp.clip(within, 0, glyphs.shape[1] - 1)]
    inside = (letter >= 0) & (letter < count) & (within < glyphs.shape[1])
    return jnp.where(inside[:, None], ink, 0).astype(jnp.float32)


def random_words(key: Array, shape: tuple[int, ...], length: Array, longest: int) -> Array:
    """[*shape, longest] int32: letters drawn uniformly; -1 past the length."""
    y = jax.random.randint(key, (*shape, longest), 0, LABELS)
    return jnp.where(jnp.arange(longest) < length, y, -1)


# --- what an energy makes of a test word -----------------------------------------------------------------------------


def look(model: Energy, x: Strip, y: Array, key: Array) -> dict[str, Array]:
    """What the measures need of one word, on the device."""
    seen = x if model.encode is None else model.encode(x)
    others = model.n_best(seen, y, 2)  # type: ignore[misc]
    right, (first, second) = model.apply(seen, y), (model.apply(seen, other) for other in others)
    correct = right < first  # a tie is read wrong, so that a flat energy is not called perfect
    aligned = model.align(seen, y)  # type: ignore[misc]
    reads = aligned.state == 2 * jnp.arange(len(y))[:, None] + 1  # [T, L]
    random = random_words(key, (), jnp.sum(y >= 0), len(y))
    return {
        "found": jnp.where(correct, y, others[0]),
        "right": right,
        "offending": first,
        "random": model.apply(seen, random),
        # How far the next best answer lies above the one that is read: known without the truth.
        "confidence": jnp.where(correct, first - right, jnp.minimum(right, second) - first),
        "greedy": jnp.where(aligned.state < 0, -1, aligned.table.argmin(axis=1)),
        "centre": jnp.sum(reads * aligned.column, axis=1) / jnp.maximum(reads.sum(axis=1), 1),
    }


def shown(model: Energy, x: Strip, y: Array) -> dict[str, Array]:
    """What the picture of a word needs."""
    other = model.best_different(x, y, 0.0)  # type: ignore[misc]
    right, wrong = model.align(x, y), model.align(x, other)  # type: ignore[misc]
    found = {"image": x.image, "width": x.width, "y": y, "other": other, "table": right.table}
    energies = {"right": model.apply(x, y), "offending": model.apply(x, other)}
    return found | energies | {"state": right.state, "other_state": wrong.state, "column": right.column}


# --- measures --------------------------------------------------------------------------------------------------------


def measures(
    probed: dict[str, np.ndarray], label: np.ndarray, centre: np.ndarray, threshold: float
) -> dict[str, float | None]:
    """All measures of N words, from what `look` found; label [N, T], centre [N, T] the true columns of the letters."""
    found, right, offending = (probed[name] for name in ("found", "right", "offending"))
    errors = sequence.edit_distances(found, label)
    wrong = errors > 0
    # Energies of different words are not comparable (any f(x) may be added): right and random are paired word by word.
    apart = np.float64(probed["random"]) - right
    greedy = sequence.edit_distances(sequence.collapsed(probed["greedy"], LABELS), label) > 0
    return {
        "cer": float(errors.sum() / (label >= 0).sum()),
        "wer": float(wrong.mean()),
        "exact_match": float(1 - wrong.mean()),
        "auroc": float(np.mean(apart > 0) + np.mean(apart == 0) / 2),
        "energy_spread": float(np.std(apart)),
        "energy_level": float(np.mean(np.float64(right))),
        "reject_at_1pct": sequence.reject_at(probed["confidence"], wrong),
        "decoder_gap": float(greedy.mean() - wrong.mean()),
        "alignment_error": float(np.abs(probed["centre"] - centre)[label >= 0].mean()),
        **margin.summary(np.float64(offending) - right, threshold),
    }


def chosen(probed: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """What was found of these words alone."""
    return {name: array[rows] for name, array in probed.items()}


def exact_match(probed: dict[str, np.ndarray], label: np.ndarray) -> float:
    """The share of words that are read without an error."""
    return float((probed["found"] == label).all(axis=1).mean())
