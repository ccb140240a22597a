"""Handwritten words, letter by letter: the Stanford OCR set (Kassel; Taskar et al. 2003)."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le

from ebmcli.core.lazy import jax, jnp
from ebmcli.core.registry import task
from ebmcli.core.types import Batch, Repeat, Strings, Task, Traced, Word
from ebmcli.metrics import margin, sequence
from ebmcli.tasks._defaults import READING

FOLDS = 10
LABELS = 26
COARSE = 6  # the running evaluation looks at every sixth word
RANDOM_SEED = 2003  # of the random answers, one a word, against which auroc and spread are taken
Fold = Annotated[int, Ge(0), Le(FOLDS - 1), Traced, Repeat]
Protocol = Literal["small", "large", "held-out-words"]
# The 55 words (without their first letters, which were capitals) in five groups of eleven: the first random order, by
# seed, dealt out word by word, after which every letter stands in words outside of each group.
GROUP_SEED = 1
GROUPS = (
    "ero hadow idding kiing ncomfortably ommanding omparatively omplex ormalization uizzically uzz",
    "afeteria ate axi ccountability earbook gonizingly nnouncing olcanic uff urrounded ympathetically",
    "acking cknowledgement ejuvenating eography mbraces ndustrialized poiling pproaching rightfully ump wab",
    "anquish ecompress eeker nconsequential nexpected nvulnerable nworkable obble overning ustifications ylophone",
    "abulously ake eclaring enu evving isqualified mitted ransform rojections ugging uzzlement",
)


@lru_cache
def words() -> dict[str, np.ndarray]:
    """All 6,877 words, sorted by fold.

    pixels [N, T, 16] uint8 (packed), label [N, T] int32, length [N] int32, fold [N] int32; letters past a word's length
    are 0.
    """
    with resources.as_file(resources.files("ebmcli.tasks") / "data" / "letters.npz") as path, np.load(path) as file:
        pixels, label, offset, fold = (file[name] for name in ("pixels", "label", "offset", "fold"))
    order = np.argsort(fold, kind="stable")
    length = np.diff(offset)[order]
    position = np.arange(length.max())
    present = position < length[:, None]
    source = np.where(present, offset[:-1][order][:, None] + position, 0)
    return {
        "pixels": np.where(present[..., None], pixels[source], 0).astype(np.uint8),
        "label": np.where(present, label[source], 0).astype(np.int32),
        "length": length.astype(np.int32),
        "fold": fold[order].astype(np.int32),
    }


def spelled() -> list[str]:
    """All words as text, in their order."""
    data = words()
    return ["".join(chr(97 + c) for c in label[:n]) for label, n in zip(data["label"], data["length"], strict=True)]


@lru_cache
def parts(protocol: str) -> np.ndarray:
    """[N] the part that each word belongs to, and that `fold` names: its fold or, to hold out words, its group."""
    if protocol != "held-out-words":
        return words()["fold"]
    group = {word: number for number, line in enumerate(GROUPS) for word in line.split()}
    return np.array([group[word] for word in spelled()], np.int32)


def split(protocol: str) -> dict[str, np.ndarray]:
    """`order` [N] int32, the words sorted by part; `start` [parts + 1] int32, where each part begins."""
    part = parts(protocol)
    order = np.argsort(part, kind="stable").astype(np.int32)
    return {"order": order, "start": np.searchsorted(part[order], np.arange(part.max() + 2)).astype(np.int32)}


def tested(protocol: str, fold: int) -> np.ndarray:
    """[N] bool: the words of the test set."""
    here = parts(protocol) == fold
    return ~here if protocol == "small" else here


def impossible(config: Mapping[str, Any]) -> str:
    """Why there is no such split, or nothing."""
    count = len(GROUPS) if config["protocol"] == "held-out-words" else FOLDS
    return f"{config['protocol']} has folds 0 to {count - 1}, not {config['fold']}" if config["fold"] >= count else ""


def examples(data, index) -> Batch:
    """The words of that index, as a batch."""
    letters = jnp.unpackbits(data["pixels"][index], axis=-1).astype(jnp.float32)
    mask = jnp.arange(letters.shape[-2]) < data["length"][index][..., None]
    return Batch(Word(letters, mask), data["label"][index])


@task(
    **READING | {"energy": "linear-chain"},
    measures="cer wer word_list_cer reject_at_1pct",
    defaults={"steps": 5_000, "batch_size": 24, "lr": 0.03, "weight_decay": 0.1, "negatives": 8},
    impossible=impossible,
    reference="Taskar, Guestrin, Koller, Max-Margin Markov Networks (2003)",
)
def letters(
    protocol: Protocol = "small",
    fold: Fold = 0,
    margin_distance: Literal["hamming", "constant"] = "hamming",
) -> Task:
    """handwritten words, segmented: `small` trains on one fold and tests on nine, `large` the other way round"""

    def draw(key, data, size):
        first, end = data["start"][fold], data["start"][fold + 1]
        if protocol == "small":
            index = jax.random.randint(key, (size,), first, end)
        else:
            index = jax.random.randint(key, (size,), 0, len(data["order"]) - (end - first))
            index = jnp.where(index < first, index, index + end - first)
        return examples(data, data["order"][index])

    def distance(y, other):
        return jnp.sum(y != other).astype(jnp.float32) if margin_distance == "hamming" else jnp.ones(())

    def measure(probed, fine, beta, threshold):
        chosen = tested(protocol, fold)[:: 1 if fine else COARSE]
        return measures(probed, chosen, fine, threshold) | {"word_list_cer": word_list_error(protocol, fold)}

    def keep(probed):
        chosen = tested(protocol, fold)
        kept = ("found", "other", "right", "offending", "sure")
        return {name: probed[name][chosen] for name in kept} | {"word": np.flatnonzero(chosen)}

    trained = int((~tested(protocol, fold)).sum()) if isinstance(fold, int) else None
    space = Strings(LABELS, words()["label"].shape[1], fixed=True)
    return Task(lambda: words() | split(protocol), draw, distance, _targets, _probe, measure, keep, space, trained)


def _targets(fine: bool) -> dict[str, np.ndarray]:
    """Which words are looked at, and one random answer for each."""
    index = np.arange(0, len(words()["length"]), 1 if fine else COARSE)
    answers = np.random.default_rng(RANDOM_SEED).integers(0, LABELS, words()["label"].shape)
    present = np.arange(answers.shape[1]) < words()["length"][:, None]
    return {"index": index, "random": np.where(present, answers, 0)[index].astype(np.int32)}


def _probe(model, data, targets):
    def word(target):
        (x, y), random = examples(data, target["index"]), target["random"]
        x = model.encode(x) if model.encode else x  # a network is run once a word
        other = model.best_different(x, y, None)
        right, offending = model.apply(x, y), model.apply(x, other)
        # What is read is the lower of the two; a tie is read wrong, so that a flat energy is not called perfect.
        found = jnp.where(right < offending, y, other)
        runner_up = model.apply(x, model.best_different(x, found, None))
        sure = runner_up - jnp.minimum(right, offending)  # what can be known without the right answer
        energies = {"right": right, "offending": offending, "random": model.apply(x, random), "sure": sure}
        return energies | {"found": found, "other": other}

    return jax.lax.map(word, targets, batch_size=64)


def measures(
    probed: dict[str, np.ndarray], chosen: np.ndarray, fine: bool, threshold: float
) -> dict[str, float | None]:
    """All measures from what the probe found: `found`, `other` [N, T], what is read and the best different answer;
    `right`, `offending`, `random`, `sure` [N], energies and how far the second answer lies above what is read."""
    label, length = (words()[name][:: 1 if fine else COARSE][chosen] for name in ("label", "length"))
    seen = {name: of_word[chosen] for name, of_word in probed.items()}
    found, right = seen["found"], seen["right"]
    matched = sequence.exact_match(found, label, length)
    gaps = np.float64(seen["offending"]) - right
    # Energies of different words are not comparable (any f(x) may be added): right and random are paired word by word.
    apart = np.float64(seen["random"]) - right
    return {
        "cer": sequence.character_error(found, label, length),
        "wer": 1 - matched,
        "exact_match": matched,
        "auroc": float(np.mean(apart > 0) + np.mean(apart == 0) / 2),
        "energy_spread": float(np.std(apart)),
        "energy_level": float(np.mean(np.float64(right))),
        "reject_at_1pct": sequence.reject_at(seen["sure"], (found != label).any(axis=1)),
        **margin.summary(gaps, threshold),
        **margin.quantiles(gaps / (seen["other"] != label).sum(axis=1), "gap_per_letter"),
        **(sequence.exact_match_by_length(found, label, length) if fine else {}),
    }


@lru_cache
def word_list_error(protocol: str, fold: int) -> float:
    """Character error of the reference that every result is printed beside: naive Bayes letters and the word list.

    Bernoulli pixels with add-one smoothing; the answer is the likeliest of the training words of that length. What it
    reaches is due to the list of 55 words, and so is that much of any figure on this task; where words are held out the
    list does not have them, and it can only read others.
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
        found[rows, :length] = score[rows, :length].argmax(axis=-1)  # letter by letter where no word has this length
        known = np.unique(data["label"][(data["length"] == length) & ~test], axis=0)[:, :length]
        if len(known):
            total = score[rows][:, np.arange(length), known].sum(axis=-1)  # [rows, words]
            found[rows, :length] = known[np.argmax(total, axis=1)]
    return sequence.character_error(found[test], data["label"][test], data["length"][test])
