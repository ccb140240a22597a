"""Handwritten words, letter by letter: the Stanford OCR set (Kassel; Taskar et al. 2003)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import CONSTANT, Batch, Model, Strings, Task, Word
from ebmcli.metrics import sequence
from ebmcli.tasks._defaults import OCR
from ebmcli.tasks._kassel import FOLDS, LABELS, Fold, Protocol, spellings, word_list_error, words

SHOWN = 4  # words in the picture of a run
COARSE = 6  # the running evaluation looks at every sixth word
FILMED = 24  # words of a film
RANDOM_SEED = 2003  # of the random answers, one a word, against which auroc and spread are taken
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
def parts(protocol: str) -> np.ndarray:
    """[N] the part that each word belongs to, and that `fold` names: its fold or, to hold out words, its group."""
    if protocol != "held-out-words":
        return words()["fold"]
    group = {word: number for number, line in enumerate(GROUPS) for word in line.split()}
    return np.array([group[word] for word in spellings()], np.int32)


def split(protocol: str) -> dict[str, np.ndarray]:
    """`order` [N] int32, the words sorted by part; `start` [parts + 1] int32, where each part begins."""
    part = parts(protocol)
    order = np.argsort(part, kind="stable").astype(np.int32)
    return {"order": order, "start": np.searchsorted(part[order], np.arange(part.max() + 2)).astype(np.int32)}


def test_words(protocol: str, fold: int) -> np.ndarray:
    """[N] bool: the words of the test set."""
    here = parts(protocol) == fold
    return ~here if protocol == "small" else here


@lru_cache
def _word_list_error(protocol: str, fold: int) -> float:
    return word_list_error(test_words(protocol, fold))


def impossible(config: Mapping[str, Any]) -> str:
    """The reason why there is no such split, or nothing."""
    count = len(GROUPS) if config["protocol"] == "held-out-words" else FOLDS
    return f"{config['protocol']} has folds 0 to {count - 1}, not {config['fold']}" if config["fold"] >= count else ""


def examples(data: Mapping[str, Array], index: Array) -> Batch:
    """The words of that index, as a batch."""
    pixels = jnp.unpackbits(data["pixels"][index], axis=-1).astype(jnp.float32)
    length = data["length"][index][..., None]
    mask = jnp.arange(pixels.shape[-2]).reshape((1,) * index.ndim + (-1,)) < length
    return Batch(Word(pixels, mask), data["label"][index])


@task(
    **OCR | {"energy": "linear-chain", "question": "word"},
    measures="cer wer word_list_cer reject_at_1pct",
    defaults={"steps": 5_000, "batch_size": 24, "lr": 0.03, "weight_decay": 0.1, "negatives": 8},
    impossible=impossible,
    reference="Taskar, Guestrin, Koller, Max-Margin Markov Networks (2003)",
    version=2,  # in the first, a gap counted as kept from the margin of one letter on
    also="ocr",
)
def letters(
    protocol: Protocol = "small",
    fold: Fold = 0,
    margin_distance: Literal["hamming", "constant"] = "hamming",
) -> Task:
    """handwritten words, segmented: `small` trains on one fold and tests on nine, `large` the other way round"""

    def draw(key: Key, data: Mapping[str, Array], size: int) -> Batch:
        first, end = data["start"][fold], data["start"][fold + 1]
        if protocol == "small":
            index = jax.random.randint(key, (size,), first, end)
        else:
            index = jax.random.randint(key, (size,), 0, len(data["order"]) - (end - first))
            index = jnp.where(index < first, index, index + end - first)
        return examples(data, data["order"][index])

    def distance(y: Array, other: Array) -> Array:
        return jnp.ones(()) if margin_distance == CONSTANT else jnp.sum(y != other).astype(jnp.float32)

    def measure(probed: dict[str, np.ndarray], fine: bool, beta: float, threshold: float) -> tuple[Any, ...]:
        chosen = test_words(protocol, fold)[:: 1 if fine else COARSE]
        grows = margin_distance != CONSTANT
        return evaluation(probed, chosen, fine, threshold, grows, _word_list_error(protocol, fold))

    def keep(probed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return picture_arrays(probed, test_words(protocol, fold))

    def film(probed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        chosen = np.flatnonzero(test_words(protocol, fold)[::COARSE])
        some = chosen[:: max(1, len(chosen) // FILMED)][:FILMED]
        return {name: probed[name][some] for name in ("found", "right", "offending")}

    return Task(
        data=lambda: words() | split(protocol),
        draw=draw,
        distance=distance,
        targets=_targets,
        probe=_probe,
        measure=measure,
        keep=keep,
        film=film,
        space=Strings(LABELS, words()["label"].shape[1], fixed=True),
        examples=int((~test_words(protocol, fold)).sum()) if isinstance(fold, int) else None,
    )


def picture_arrays(probed: dict[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays that pictures need of the test words [N]: answers, energies, right answers, and the ink of some words,
    from the smallest gap to the largest (`shown`, their places among the test words)."""
    arrays = {name: probed[name][chosen] for name in ("found", "other", "right", "offending", "sure")}
    word, order = np.flatnonzero(chosen), np.argsort(arrays["offending"] - arrays["right"])
    places = order[np.linspace(0, len(order) - 1, SHOWN).astype(int)]
    answers = {"word": word, "label": words()["label"][word], "length": words()["length"][word]}
    return arrays | answers | {"shown": places, "pixels": words()["pixels"][word[places]]}


def _targets(fine: bool) -> dict[str, np.ndarray]:
    """The words that are looked at, and one random answer for each."""
    index = np.arange(0, len(words()["length"]), 1 if fine else COARSE)
    answers = np.random.default_rng(RANDOM_SEED).integers(0, LABELS, words()["label"].shape)
    present = np.arange(answers.shape[1]) < words()["length"][:, None]
    return {"index": index, "random": np.where(present, answers, 0)[index].astype(np.int32)}


def _probe(model: Model, data: Mapping[str, Array], targets: dict[str, Array]) -> dict[str, Array]:
    assert model.best_different is not None
    best_different = model.best_different

    def word(target: dict[str, Array]) -> dict[str, Array]:
        (x, y), random = examples(data, target["index"]), target["random"]
        x = model.encode(x) if model.encode else x  # a network is run once a word
        other = best_different(x, y, None)
        right, offending = model.apply(x, y), model.apply(x, other)
        # What is read is the lower of the two; a tie is read wrong, so that a flat energy is not called perfect.
        answer = jnp.where(right < offending, y, other)
        runner_up = model.apply(x, best_different(x, answer, None))
        sure = runner_up - jnp.minimum(right, offending)  # what can be known without the right answer
        energies = {"right": right, "offending": offending, "random": model.apply(x, random), "sure": sure}
        return energies | {"found": answer, "other": other}

    return jax.lax.map(word, targets, batch_size=64)


def evaluation(
    probed: dict[str, np.ndarray], chosen: np.ndarray, fine: bool, threshold: float, grows: bool, list_error: float
) -> tuple[sequence.WordsEvaluation, sequence.SegmentedEvaluation]:
    """Make the evaluation of the chosen words from what the probe found of them: `found`, `other` [N, T], what
    is read and the best different answer; `right`, `offending`, `random`, `sure` [N], energies and how far the second
    best answer lies above what is read. grows: whether the threshold is that of one wrong letter."""
    label, length = (words()[name][:: 1 if fine else COARSE][chosen] for name in ("label", "length"))
    outputs = {name: of_word[chosen] for name, of_word in probed.items()}
    answers, wrong = outputs["found"], (outputs["found"] != label).any(axis=1)
    read = sequence.WordsEvaluation(
        sequence.read_segmented(answers, label, length),
        outputs["right"],
        outputs["offending"],
        outputs["random"],
        outputs["sure"],
        wrong,
        threshold * (outputs["other"] != label).sum(axis=1) if grows else threshold,
    )
    return read, sequence.SegmentedEvaluation(answers, outputs["other"], label, length, read.gaps, list_error, fine)
