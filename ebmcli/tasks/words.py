"""Rendered words whose letters are not cut apart: the NYU course's homework on energy-based models."""

from functools import lru_cache
from importlib import resources
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from ebmcli.core import files, streams
from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Model, Share, Steps, Strip, Task, Traced
from ebmcli.tasks import _strips as strips
from ebmcli.tasks._defaults import OCR

PER_LETTER, EXTRA = 18, 6  # pixels: a strip has 18 a letter and 6 more
ADVANCE = 12  # from letter to letter
FURTHEST = 7  # that jitter shifts a word to the right
NOISE = 0.1  # in the conditions that are called so
CONDITIONS = {"clean": (0, 0.0), "jitter": (FURTHEST, 0.0), "noise": (0, NOISE), "both": (FURTHEST, NOISE)}
OWN = -1  # the condition that a run is trained in
LENGTHS = range(2, 11)  # of test words
USUAL = range(2, 7)  # those that exact_match is about
EACH = {True: 100, False: 20}  # test words of a length
HELLO = 20  # strips of that word
TRAINED, TESTED = 7, 11  # seeds, of streams that have nothing in common
BLOCK = 20  # test words that are looked at side by side: their numbers are multiples, a rest would be compiled anew
Longest = Annotated[int, Ge(2), Le(14)]
Jitter = Annotated[int, Ge(0), Le(FURTHEST), Traced]
Limit = Annotated[Steps, Traced]


@lru_cache
def glyphs() -> np.ndarray:
    """[26, 12, 32] 0 or 1: a to z in DejaVu Sans Mono at 20 points, column by column; data/README.md says how made."""
    with resources.as_file(resources.files("ebmcli.tasks") / "data" / "glyphs.npz") as path:
        return np.unpackbits(files.arrays(path)["glyphs"], axis=-1)


def render_word(letters: Array, key: Key, y: Array, jitter: Array | float, noise: Array | float) -> tuple[Strip, Array]:
    """The strip of a word y [T], and the middles [T] of its letters, in pixels."""
    count, longest = jnp.sum(y >= 0), len(y)
    moving, inking = jax.random.split(key)
    shift = jnp.floor(jax.random.uniform(moving) * (jitter + 1)).astype(jnp.int32)
    start = shift + ADVANCE * jnp.arange(longest)
    width = PER_LETTER * longest + EXTRA
    image = strips.draw_letters(letters[jnp.maximum(y, 0)], start, count, width)
    added = jax.random.bernoulli(inking, noise, image.shape)
    return Strip(jnp.maximum(image, added), PER_LETTER * count + EXTRA), start + ADVANCE / 2


@task(
    **OCR,
    measures="exact_match cer reject_at_1pct",
    defaults={"steps": 1_500, "batch_size": 32, "lr": 1e-3, "negatives": 16},
    reference="NYU Deep Learning, homework on energy-based models",
    version=2,  # in the first, training drew words of the test set too
)
def words(
    longest: Longest = 3,
    jitter: Jitter = 0,
    noise: Share = 0.0,
    train_words: Limit = 0,
    single_letters: Share = 0.3,
    margin_distance: strips.MarginDistance = "constant",
) -> Task:
    """rendered words of 2 to `longest` random letters on a strip: where a letter lies must be found

    No word of the test set is drawn. train_words: how many different ones there are, 0 for new ones at every step.
    single_letters: the share of the steps, the first ones, in which a word is one letter.
    """
    answers = strips.space(PER_LETTER * longest + EXTRA)

    def curriculum(key: Key, data: dict[str, Array], size: int, done: Array | float) -> Batch:
        numbers = jax.random.randint(key, (size,), 0, jnp.where(train_words > 0, train_words, 2**31 - 1))

        def example(number: Array) -> Batch:
            spelling, ending, drawing = jax.random.split(jax.random.fold_in(streams.of_shared(TRAINED), number), 3)
            length = jnp.where(done < single_letters, 1, jax.random.randint(ending, (), 2, longest + 1))
            y = spell_outside(spelling, length, data["tested"])
            x, _ = render_word(data["glyphs"], drawing, y, jitter, noise)
            return Batch(x, jnp.pad(y, (0, answers.length - longest), constant_values=-1))

        return jax.vmap(example)(numbers)

    return Task(
        data=lambda: {"glyphs": glyphs(), "tested": tested_words(longest)},
        draw=lambda key, data, size: curriculum(key, data, size, 1.0),
        distance=strips.distance(margin_distance),
        targets=_tests,
        probe=lambda model, data, targets: _probe(model, data["glyphs"], targets, jitter, noise),
        measure=lambda probed, fine, beta, threshold: _evaluation(probed, fine, threshold, margin_distance),
        keep=lambda probed: strips.picture_arrays(probed, _usual(True)),
        film=strips.shown_word,
        space=answers,
        examples=train_words or None if isinstance(train_words, int) else None,
        curriculum=curriculum,
        test_seed=TESTED,
    )


def spell_outside(key: Key, length: Array, excluded: Array) -> Array:
    """[T] random letters, the first `length` of them there, as long drawn again as they make a word of `excluded`
    [N, T]: all other words of that length are equally likely. Of this length some word must be left."""

    def spell(time: Array | int) -> Array:
        y = jax.random.randint(jax.random.fold_in(key, time), excluded.shape[1:], 0, strips.LABELS)
        return jnp.where(jnp.arange(len(y)) < length, y, -1)

    def draw_again(drawn: tuple[Array, Array]) -> tuple[Array, Array]:
        return drawn[0] + 1, spell(drawn[0])

    def excludes(drawn: tuple[Array, Array]) -> Array:
        return (drawn[1][None] == excluded).all(axis=1).any()

    return jax.lax.while_loop(excludes, draw_again, (jnp.int32(1), spell(0)))[1]


# --- the test words --------------------------------------------------------------------------------------------------


@lru_cache
def _tests(fine: bool) -> dict[str, np.ndarray]:
    """label [N, T], number [N] (of the random stream of a strip), condition [N]. First the words of the run's own
    condition: each length, then doubled letters, then hello; then those of the usual lengths in every condition."""
    rng = np.random.default_rng(TESTED)
    longest = max(LENGTHS if fine else USUAL)

    def spelled(length: int, count: int) -> np.ndarray:
        return np.pad(
            rng.integers(0, strips.LABELS, (count, length)), ((0, 0), (0, longest - length)), constant_values=-1
        )

    usual = np.concatenate([spelled(n, EACH[fine]) for n in USUAL])
    if not fine:
        return _numbered(usual, np.full(len(usual), OWN))
    longer = np.concatenate([spelled(n, EACH[fine]) for n in LENGTHS if n not in USUAL])
    doubled = np.concatenate([spelled(n, EACH[fine] // 4) for n in (3, 4, 5, 6)])
    place = rng.integers(1, (doubled >= 0).sum(axis=1))
    doubled[np.arange(len(doubled)), place] = doubled[np.arange(len(doubled)), place - 1]
    hello = np.tile(np.array([*(ord(c) - ord("a") for c in "hello"), *[-1] * (longest - 5)]), (HELLO, 1))
    own = np.concatenate([usual, longer, doubled, hello])
    label = np.concatenate([own, *[usual] * len(CONDITIONS)])
    condition = np.repeat([OWN, *range(len(CONDITIONS))], [len(own), *[len(usual)] * len(CONDITIONS)])
    return _numbered(label, condition)


@lru_cache
def tested_words(longest: int) -> np.ndarray:
    """[N, longest] int32, padded with -1: each word of the test sets, the running and the last one, that is not longer
    and has more than one letter."""
    padded = [np.pad(_tests(fine)["label"], ((0, 0), (0, longest)), constant_values=-1) for fine in (True, False)]
    short = [label[(label >= 0).sum(axis=1) <= longest, :longest] for label in padded]
    return np.unique(np.concatenate(short), axis=0)


def _numbered(label: np.ndarray, condition: np.ndarray) -> dict[str, np.ndarray]:
    example = {"label": label.astype(np.int32), "guess": strips.guesses(label.shape)}
    return example | {"number": np.arange(len(label)), "condition": condition}


def _groups() -> dict[str, np.ndarray]:
    """The fine test words by what they are: positions among those of the run's own condition, then by condition."""
    per, usual = EACH[True], EACH[True] * len(USUAL)
    groups = {str(n): np.arange(per) + per * i for i, n in enumerate(LENGTHS)}
    own = per * len(LENGTHS)
    groups |= {"doubled": own + np.arange(per), "hello": own + per + np.arange(HELLO)}
    first = own + per + HELLO
    return groups | {name: first + usual * i + np.arange(usual) for i, name in enumerate(CONDITIONS)}


def _strip(
    letters: Array, target: dict[str, Array], jitter: Array | float, noise: Array | float
) -> tuple[Strip, Array]:
    """The strip of a test word, in the condition that it is read in."""
    shifts, shares = (
        jnp.array([*column, own])
        for column, own in zip(zip(*CONDITIONS.values(), strict=True), (jitter, noise), strict=True)
    )
    key = jax.random.fold_in(streams.of_tests(TESTED), target["number"])
    return render_word(letters, key, target["label"], shifts[target["condition"]], shares[target["condition"]])


def _probe(
    model: Model, letters: Array, targets: dict[str, Array], jitter: Array | float, noise: Array | float
) -> dict[str, Array]:
    def word(target: dict[str, Array]) -> dict[str, Any]:
        x, centre = _strip(letters, target, jitter, noise)
        return strips.look(model, x, target["label"], target["guess"]) | {"true_centre": centre}

    return strips.closest(jax.lax.map(word, targets, batch_size=BLOCK), targets["condition"] == OWN)


def _usual(fine: bool) -> np.ndarray:
    """The words that the measures are about."""
    return np.arange(EACH[fine] * len(USUAL))


def _evaluation(probed: dict[str, np.ndarray], fine: bool, threshold: float, kind: strips.MarginDistance) -> Any:
    label = _tests(fine)["label"]
    some = strips.select(probed, _usual(fine))
    groups = _groups().items() if fine else ()
    parts = {name: strips.exact_match(strips.select(probed, rows), label[rows]) for name, rows in groups}
    return strips.evaluation(some, label[_usual(fine)], some["true_centre"], threshold, kind, parts)
