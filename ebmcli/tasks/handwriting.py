"""Handwritten words whose letters are not cut apart: the letters of the Stanford OCR set, put side by side again."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le

from ebmcli.core import streams
from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Model, Share, Strip, Task
from ebmcli.tasks import _strips as strips
from ebmcli.tasks._defaults import OCR
from ebmcli.tasks._kassel import Fold, Protocol
from ebmcli.tasks._kassel import letters as written

ZOOM = 2  # letters of 16 x 8 pixels are drawn at twice their size
ACROSS, HEIGHT = 8 * ZOOM, 16 * ZOOM
GAP, DROP, ENDS = 4, 4, 4  # pixels: the widest gap between letters, the deepest vertical shift, free at both ends
TESTED = 11  # seed of the gaps and shifts of test words
EVALUATED = {True: 740, False: 100}  # test words evaluated: an upper bound, since a fold may have fewer
EVERY = {("large", True): 1, ("large", False): 8, ("small", True): 9, ("small", False): 72}  # of the test set
BLOCK = 20  # test words evaluated side by side: EVALUATED are multiples, since a rest would be compiled anew
Longest = Annotated[int, Ge(2), Le(14)]


def join_letters(
    key: Key, data: dict[str, Array], place: Array, count: Array, longest: int
) -> tuple[Strip, Array, Array]:
    """(the strip of `count` letters that begin at `place` in the set, their labels [T], the middles [T] of their
    columns): random gaps between them, and all shifted down alike."""
    letters = place + jnp.arange(longest)
    packed = data["pixels"][jnp.minimum(letters, len(data["label"]) - 1)]
    small = jnp.unpackbits(packed, axis=-1).reshape(longest, 16, 8).transpose(0, 2, 1)
    spacing, dropping = jax.random.split(key)
    drop = jax.random.randint(dropping, (), 0, DROP + 1)
    large = jnp.repeat(jnp.repeat(small, ZOOM, axis=1), ZOOM, axis=2)
    glyphs = jnp.roll(jnp.pad(large, ((0, 0), (0, 0), (0, DROP))), drop, axis=2)
    start = ENDS + jnp.cumsum(ACROSS + jax.random.randint(spacing, (longest,), 0, GAP + 1)) - ACROSS
    width = start[count - 1] + ACROSS + ENDS
    image = strips.draw_letters(glyphs, start, count, _widest(longest))
    y = jnp.where(jnp.arange(longest) < count, data["label"][letters], -1)
    return Strip(image, width), y, start + ACROSS / 2


def _widest(longest: int) -> int:
    return 2 * ENDS + (ACROSS + GAP) * longest


def word_index(start: Array, fold: Array | int, number: Array, inside: bool) -> Array:
    """The word of that number inside the fold, or outside of it."""
    first, end = start[fold], start[fold + 1]
    return first + number if inside else jnp.where(number < first, number, number + end - first)


def evaluated_count(protocol: str, fold: int, fine: bool) -> int:
    """The number of test words that are evaluated."""
    start = written()["start"]
    inside = int(start[fold + 1] - start[fold])
    size = inside if protocol == "large" else int(start[-1]) - inside
    return len(range(0, size, EVERY[protocol, fine]))


@task(
    # With the most offending answer alone hinge stalled: a flat energy, cer .9.
    **OCR | {"samplers": OCR["samplers"] | {"negatives": "n-best"}},
    measures="cer wer reject_at_1pct",
    defaults={"steps": 2_500, "batch_size": 64, "lr": 1e-3, "negatives": 4},
    impossible=lambda config: (
        "handwriting has the protocols small and large" if config["protocol"] == "held-out-words" else ""
    ),
    reference="NYU Deep Learning, homework on energy-based models; letters of Taskar et al. 2003",
    version=2,  # in the first, a gap counted as kept from the margin of one edit on
)
def handwriting(
    protocol: Protocol = "large",
    fold: Fold = 0,
    vocabulary: Literal["pieces", "words"] = "pieces",
    longest: Longest = 5,
    single_letters: Share = 0.3,
    margin_distance: strips.MarginDistance = "constant",
) -> Task:
    """handwritten words on a strip, trained on `pieces` of 2 to `longest` letters or on whole `words`, tested on words

    protocol, fold: as in `letters`, so that the words of training and test have other writers. single_letters: the
    share of the steps, the first ones, in which a piece is one letter.
    """
    inside, most = protocol == "large", int(written()["length"].max())
    curriculum = _curriculum(
        not inside, fold, vocabulary == "pieces", longest if vocabulary == "pieces" else most, single_letters
    )

    def rows(fine: bool) -> np.ndarray:
        return np.arange(evaluated_count(protocol, fold, fine))

    def measure(probed: dict[str, np.ndarray], fine: bool, beta: float, threshold: float) -> tuple[Any, ...]:
        some = strips.select(probed, rows(fine))
        return strips.evaluation(some, some["label"], some["true_centre"], threshold, margin_distance)

    return Task(
        data=written,
        draw=lambda key, data, size: curriculum(key, data, size, 1.0),
        distance=strips.distance(margin_distance),
        targets=lambda fine: _targets(protocol, fine),
        probe=lambda model, data, targets: _probe(model, data, targets, inside, fold),
        measure=measure,
        keep=lambda probed: strips.picture_arrays(probed, rows(True)),
        film=strips.shown_word,
        space=strips.space(_widest(longest if vocabulary == "pieces" else most)),
        examples=_training_words(protocol, fold) if isinstance(fold, int) else None,
        curriculum=curriculum,
        test_seed=TESTED,
    )


def _curriculum(
    inside: bool, fold: Array | int, pieces: bool, longest: int, single_letters: Array | float
) -> Callable[[Key, dict[str, Array], int, Array | float], Batch]:
    """(key, data, size, done) -> a batch: words inside the fold or outside of it, or pieces of them."""
    places = strips.space(_widest(longest)).length

    def curriculum(key: Key, data: dict[str, Array], size: int, done: Array | float) -> Batch:
        choosing, drawing = jax.random.split(key)
        in_fold = data["start"][fold + 1] - data["start"][fold]
        numbers = jax.random.randint(choosing, (size,), 0, in_fold if inside else len(data["fold"]) - in_fold)
        words = word_index(data["start"], fold, numbers, inside)

        def example(key: Key, word: Array) -> Batch:
            cutting, beginning, joining = jax.random.split(key, 3)
            whole = data["length"][word]
            piece = jax.random.randint(cutting, (), 2, jnp.minimum(longest, whole) + 1)
            count = jnp.where(done < single_letters, 1, piece if pieces else whole)
            place = data["first"][word] + jax.random.randint(beginning, (), 0, whole - count + 1)
            x, y, _ = join_letters(joining, data, place, count, longest)
            return Batch(x, jnp.pad(y, (0, places - longest), constant_values=-1))

        return jax.vmap(example)(jax.random.split(drawing, size), words)

    return curriculum


def _training_words(protocol: str, fold: int) -> int:
    inside = int((written()["fold"] == fold).sum())
    return inside if protocol == "small" else len(written()["fold"]) - inside


def _targets(protocol: str, fine: bool) -> dict[str, np.ndarray]:
    """The numbers of the words in the test set, which the fold decides; and a random answer for each."""
    number = EVERY[protocol, fine] * np.arange(EVALUATED[fine])
    return {"number": number, "guess": strips.guesses((len(number), int(written()["length"].max())))}


def _probe(
    model: Model, data: dict[str, Array], targets: dict[str, Array], inside: bool, fold: Array | int
) -> dict[str, Array]:
    size = data["start"][fold + 1] - data["start"][fold]
    size = size if inside else len(data["fold"]) - size

    def word(target: dict[str, Array]) -> dict[str, Any]:
        number = jnp.minimum(target["number"], size - 1)  # past the end: the last word, masked out later
        place = word_index(data["start"], fold, number, inside)
        key, longest = jax.random.fold_in(streams.of_tests(TESTED), place), target["guess"].size
        x, y, centre = join_letters(key, data, data["first"][place], data["length"][place], longest)
        return strips.look(model, x, y, target["guess"]) | {"true_centre": centre, "label": y}

    return strips.closest(jax.lax.map(word, targets, batch_size=BLOCK), targets["number"] < size)
