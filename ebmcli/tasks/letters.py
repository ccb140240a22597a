"""Handwritten words, letter by letter: the Stanford OCR set (Kassel; Taskar et al. 2003)."""

from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from ebmcli.lazy import jax, jnp
from ebmcli.metrics import margin, sequence
from ebmcli.registry import task
from ebmcli.types import Batch, Strings, Task, Traced, Word

FOLDS = 10
LABELS = 26
COARSE = 6  # the running evaluation looks at every sixth word
RANDOM_SEED = 2003  # of the random answers, one a word, against which auroc and spread are taken
Fold = Annotated[int, Ge(0), Le(FOLDS - 1), Traced]


@lru_cache
def words() -> dict[str, np.ndarray]:
    """All 6,877 words, sorted by fold.

    pixels [N, T, 16] uint8 (packed), label [N, T] int32, length [N] int32, fold [N] int32, start [11] int32 (the first
    word of each fold); letters past a word's length are 0.
    """
    with resources.as_file(resources.files("ebmcli.tasks") / "data" / "letters.npz") as path, np.load(path) as file:
        pixels, label, offset, fold = (file[name] for name in ("pixels", "label", "offset", "fold"))
    order = np.argsort(fold, kind="stable")
    length = np.diff(offset)[order]
    position = np.arange(length.max())
    present = position < length[:, None]
    source = np.where(present, offset[:-1][order][:, None] + position, 0)
    start = np.searchsorted(fold[order], np.arange(FOLDS + 1))
    return {
        "pixels": np.where(present[..., None], pixels[source], 0).astype(np.uint8),
        "label": np.where(present, label[source], 0).astype(np.int32),
        "length": length.astype(np.int32),
        "fold": fold[order].astype(np.int32),
        "start": start.astype(np.int32),
    }


def tested(protocol: str, fold: int) -> np.ndarray:
    """[N] bool: the words of the test set."""
    here = words()["fold"] == fold
    return ~here if protocol == "small" else here


def examples(data, index) -> Batch:
    """The words of that index, as a batch."""
    letters = jnp.unpackbits(data["pixels"][index], axis=-1).astype(jnp.float32)
    mask = jnp.arange(letters.shape[-2]) < data["length"][index][..., None]
    return Batch(Word(letters, mask), data["label"][index])


@task(
    answers="sequence",
    conditional=True,
    energy="linear-chain",
    samplers={
        "log_q": "uniform",
        "independent": "uniform",
        "model": "exact",
        "partition": "exhaustive",
        "minimum": "exhaustive",
        "all": "n-best",
        "distance": "loss-augmented",
        "negatives": "most-offending",
        "": "none",
    },
    measures="cer wer word_list_cer",
    defaults={"steps": 5_000, "batch_size": 24, "lr": 0.03, "weight_decay": 0.1, "negatives": 8},
    reference="Taskar, Guestrin, Koller, Max-Margin Markov Networks (2003)",
)
def letters(
    protocol: Literal["small", "large"] = "small",
    fold: Fold = 0,
    margin_distance: Literal["hamming", "constant"] = "hamming",
) -> Task:
    """handwritten words, segmented: `small` trains on one fold and tests on nine, `large` the other way round"""

    def draw(key, data, size):
        first, end = data["start"][fold], data["start"][fold + 1]
        if protocol == "small":
            return examples(data, jax.random.randint(key, (size,), first, end))
        index = jax.random.randint(key, (size,), 0, len(data["label"]) - (end - first))
        return examples(data, jnp.where(index < first, index, index + end - first))

    def distance(y, other):
        return jnp.sum(y != other).astype(jnp.float32) if margin_distance == "hamming" else jnp.ones(())

    def measure(probed, fine, beta, threshold):
        chosen = tested(protocol, fold)[:: 1 if fine else COARSE]
        return measures(probed, chosen, fine, threshold) | {"word_list_cer": word_list_error(protocol, fold)}

    def keep(probed):
        chosen = tested(protocol, fold)
        return {name: probed[name][chosen] for name in ("found", "right", "offending")} | {
            "word": np.flatnonzero(chosen)
        }

    trained = int((~tested(protocol, fold)).sum()) if isinstance(fold, int) else None
    space = Strings(LABELS, words()["label"].shape[1], fixed=True)
    return Task(words, draw, distance, _targets, _probe, measure, keep, space, trained)


def _targets(fine: bool) -> dict[str, np.ndarray]:
    """Which words are looked at, and one random answer for each."""
    index = np.arange(0, len(words()["length"]), 1 if fine else COARSE)
    answers = np.random.default_rng(RANDOM_SEED).integers(0, LABELS, words()["label"].shape)
    present = np.arange(answers.shape[1]) < words()["length"][:, None]
    return {"index": index, "random": np.where(present, answers, 0)[index].astype(np.int32)}


def _probe(model, data, targets):
    def word(target):
        (x, y), random = examples(data, target["index"]), target["random"]
        other = model.best_different(x, y, 0.0)
        right, offending = model.apply(x, y), model.apply(x, other)
        # What is read is the lower of the two; a tie is read wrong, so that a flat energy is not called perfect.
        found = jnp.where(right < offending, y, other)
        return {"found": found, "right": right, "offending": offending, "random": model.apply(x, random)}

    return jax.lax.map(word, targets, batch_size=256)


def measures(
    probed: dict[str, np.ndarray], chosen: np.ndarray, fine: bool, threshold: float
) -> dict[str, float | None]:
    """All measures from what the probe found: `found` [N, T]; `right`, `offending`, `random` [N] energies."""
    label, length = (words()[name][:: 1 if fine else COARSE][chosen] for name in ("label", "length"))
    found, right, offending, random = (probed[name][chosen] for name in ("found", "right", "offending", "random"))
    matched = sequence.exact_match(found, label, length)
    # Energies of different words are not comparable (any f(x) may be added): right and random are paired word by word.
    apart = np.float64(random) - right
    return {
        "cer": sequence.character_error(found, label, length),
        "wer": 1 - matched,
        "exact_match": matched,
        "auroc": float(np.mean(apart > 0) + np.mean(apart == 0) / 2),
        "energy_spread": float(np.std(apart)),
        "energy_level": float(np.mean(np.float64(right))),
        **margin.summary(np.float64(offending) - right, threshold),
    }


@lru_cache
def word_list_error(protocol: str, fold: int) -> float:
    """Character error of the reference that every result is printed beside: naive Bayes letters and the word list.

    Bernoulli pixels with add-one smoothing; the answer is the likeliest of the training words of that length. What it
    reaches is due to the list of 55 words, and so is that much of any figure on this task.
    """
    data = words()
    test = tested(protocol, fold)
    pixels = np.unpackbits(data["pixels"], axis=-1).astype(np.float64)
    present = np.arange(data["label"].shape[1]) < data["length"][:, None]
    train = present & ~test[:, None]
    ink = np.zeros((LABELS, pixels.shape[-1]))
    np.add.at(ink, data["label"][train], pixels[train])
    ink = (ink + 1) / (np.bincount(data["label"][train], minlength=LABELS)[:, None] + 2)
    score = pixels @ np.log(ink / (1 - ink)).T + np.log(1 - ink).sum(axis=1)  # [N, T, C]
    found = np.zeros_like(data["label"])
    for length in np.unique(data["length"][test]):
        rows = np.flatnonzero(test & (data["length"] == length))
        known = np.unique(data["label"][(data["length"] == length) & ~test], axis=0)[:, :length]
        if len(known):
            total = score[rows][:, np.arange(length), known].sum(axis=-1)  # [rows, words]
            found[rows, :length] = known[np.argmax(total, axis=1)]
    return sequence.character_error(found[test], data["label"][test], data["length"][test])
