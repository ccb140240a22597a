"""Words on a strip, for the tasks that share them: drawing, looking at an energy, measuring."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from ebmcli.core.lazy import Array, jnp
from ebmcli.core.types import Model, Strings, Strip
from ebmcli.metrics import sequence
from ebmcli.numerics import alignment

LABELS = 26
STEP = 6  # pixels: no two windows of an energy are closer, and every letter has room for two

MarginDistance = Literal["edit", "constant"]  # how the margin of a wrong word grows


def space(width: int) -> Strings:
    """The answers on strips of at most this many pixels: at most one letter per window."""
    return Strings(LABELS, width // STEP, fixed=False)


def distance(kind: MarginDistance) -> Callable[[Array, Array], Array]:
    """(y, other) -> [] the distance of two words in margins: 1, or the letters to insert, drop or replace."""
    if kind == "edit":
        return lambda y, other: alignment.edit_distance(y, other).astype(jnp.float32)
    return lambda y, other: (y != other).any().astype(jnp.float32)


def draw_letters(glyphs: Array, start: Array, count: Array, width: int) -> Array:
    """[width, H]: the first `count` glyphs [T, G, H], each beginning at its column `start` [T], from left to right."""
    column = jnp.arange(width)
    letter = jnp.sum(column[:, None] >= start[None], axis=1) - 1
    within = column - start[letter]
    ink = glyphs[letter, jnp.clip(within, 0, glyphs.shape[1] - 1)]
    inside = (letter >= 0) & (letter < count) & (within < glyphs.shape[1])
    return jnp.where(inside[:, None], ink, 0).astype(jnp.float32)


def guesses(shape: tuple[int, int]) -> np.ndarray:
    """[N, T]: random letters; the words that they make, cut to the right lengths, are what auroc and spread compare."""
    return np.random.default_rng(2006).integers(0, LABELS, shape).astype(np.int32)


# --- what an energy makes of a test word -----------------------------------------------------------------------------


def look(model: Model, x: Strip, y: Array, guess: Array) -> dict[str, Any]:
    """Look at an energy on one word, for the measures and the picture; guess [T]: random letters."""
    assert model.n_best is not None
    assert model.align is not None
    encoded = x if model.encode is None else model.encode(x)
    others = model.n_best(encoded, y, 2)
    right, first, second = model.apply(encoded, y), model.apply(encoded, others[0]), model.apply(encoded, others[1])
    correct = right < first  # a tie is read wrong, so that a flat energy is not called perfect
    aligned, wrong = model.align(encoded, y), model.align(encoded, others[0])
    reads = aligned.state[None] == 2 * jnp.arange(len(y))[:, None] + 1  # [T, L]
    return {
        "found": jnp.where(correct, y, others[0]),
        "other": others[0],
        "right": right,
        "offending": first,
        "random": model.apply(encoded, jnp.where(y >= 0, guess, -1)),
        # How far the next best answer lies above the one that is read: known without the truth.
        "sure": jnp.where(correct, first - right, jnp.minimum(right, second) - first),
        "greedy": jnp.where(aligned.state < 0, -1, aligned.table.argmin(axis=1)),
        "centre": jnp.sum(reads * aligned.column[None], axis=1) / jnp.maximum(reads.sum(axis=1), 1),
        "shown": {
            "image": x.image.astype(bool), "width": x.width, "y": y, "other": others[0], "table": aligned.table,
            "state": aligned.state, "other_state": wrong.state, "column": aligned.column,
        },
    }  # fmt: skip


def closest(looked: dict[str, Any], own: Array) -> dict[str, Array]:
    """Keep what `look` found of many words, but of what a picture shows only that of one word: among `own` [N] the word
    with the smallest gap."""
    gap = jnp.where(own, looked["offending"] - looked["right"], jnp.inf)
    example = {f"shown_{name}": leaf[jnp.argmin(gap)] for name, leaf in looked["shown"].items()}
    return {name: leaf for name, leaf in looked.items() if name != "shown"} | example


# --- what the measures look at ---------------------------------------------------------------------------------------


def evaluation(
    probed: dict[str, np.ndarray],
    label: np.ndarray,
    centre: np.ndarray,
    threshold: float,
    kind: MarginDistance,
    parts: Mapping[str, float] | None = None,
) -> tuple[sequence.WordsEvaluation, sequence.StripEvaluation]:
    """The evaluation of N words from what `look` found; label [N, T], centre [N, T] the true columns of the letters;
    threshold: the margin, of one edit where it grows with them; parts: exact match by part of the test set."""
    errors = sequence.edit_distances(probed["found"], label)
    wrong = errors > 0
    read = sequence.WordsEvaluation(
        sequence.read_strips(errors, label),
        probed["right"],
        probed["offending"],
        probed["random"],
        probed["sure"],
        wrong,
        threshold * sequence.edit_distances(probed["other"], label) if kind == "edit" else threshold,
    )
    greedy = sequence.edit_distances(sequence.collapse_symbols(probed["greedy"], LABELS), label) > 0
    shift = (probed["centre"] - centre)[label >= 0]
    return read, sequence.StripEvaluation(greedy, wrong, shift, parts or {})


def select(probed: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """The part of what was found that belongs to these words."""
    return {name: array[rows] for name, array in probed.items() if not name.startswith("shown_")}


def picture_arrays(probed: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """The arrays that pictures need: the energies of these words, and all of the one that is shown."""
    some = {name: probed[name][rows] for name in ("found", "right", "offending")}
    return some | shown_word(probed)


def shown_word(probed: dict[str, Any]) -> dict[str, Any]:
    """All of the word that pictures show: its strip, its windows, its paths."""
    return {name: leaf for name, leaf in probed.items() if name.startswith("shown_")}


def exact_match(probed: dict[str, np.ndarray], label: np.ndarray) -> float:
    """The share of words that are read without an error."""
    return float((probed["found"] == label).all(axis=1).mean())
