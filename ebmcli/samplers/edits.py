"""Negatives that only label sequences have."""

from typing import Any

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Count, Energy, Negatives, Sampler, Setting, Strings


@sampler(needs="n_best", sequence="negatives minimum", reference="Lawler 1972; Nilsson & Goldberger 2001")
def n_best(at: Setting, negatives: Count = 8) -> Sampler:
    """the K answers other than y with the lowest F(y-), exactly and each once"""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        found = jax.vmap(lambda x, y: model.n_best(x, y, negatives))(batch.x, batch.y)  # type: ignore[misc]
        return Negatives(jax.lax.stop_gradient(found)), state

    return Sampler(lambda key, first: (), draw, evaluations=at.batch_size + at.total(negatives), gradients=0)


@sampler(sequence="negatives", reference="Smith & Eisner 2005, contrastive estimation")
def corrupt(at: Setting, negatives: Count = 8, edits: Count = 2) -> Sampler:
    """K times y after 1 to `edits` random edits: a letter changed and, where the length is free, put in or left out"""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        many, what = jax.random.split(key)
        shape = (at.batch_size, negatives)
        times = jax.random.randint(many, shape, 1, edits + 1)
        chance = jax.random.uniform(what, (*shape, edits, 3))

        def corrupted(x: Any, y: Array, times: Array, chance: Array) -> Array:
            def edit(number: Array, y: Array) -> Array:
                return jnp.where(number < times, edited(chance[number], x, y, at.space), y)

            return jax.lax.fori_loop(0, edits, edit, y)

        of_one = jax.vmap(corrupted, (None, None, 0, 0))
        return Negatives(jax.vmap(of_one)(batch.x, batch.y, times, chance)), state

    return Sampler(lambda key, first: (), draw, evaluations=at.total(negatives), gradients=0)


def edited(chance: Array, x: Any, y: Array, space: Any) -> Array:
    """y [T] after one edit, which always changes it: places and letters, and the kinds of edit that the length allows,
    are equally likely. chance: [3] uniform random numbers: of the kind, the place and the letter."""
    strings: Strings = space

    def one_of(count: Array | int, chance: Array) -> Array:
        return jnp.minimum(jnp.int32(chance * count), count - 1)  # a product may be rounded up to the count

    length, free = strings.present(x, y).sum(), not strings.fixed
    # Change, put in, leave out: the number of them that this length allows is where the choice ends.
    legal = jnp.array([True, free, free]) & jnp.array([True, length < len(y), length > 1])
    kind = jnp.argmax(jnp.cumsum(legal) > one_of(legal.sum(), chance[0]))
    inserted, deleted = kind == 1, kind == 2
    position = jnp.arange(len(y))
    place = one_of(length + inserted, chance[1])
    moved = y[jnp.clip(position - (inserted & (position > place)) + (deleted & (position >= place)), 0, len(y) - 1)]
    other = (y[place] + 1 + one_of(strings.labels - 1, chance[2])) % strings.labels
    letter = jnp.where(inserted, one_of(strings.labels, chance[2]), other)
    new = jnp.where((position == place) & ~deleted, letter, moved)
    return jnp.where(position < length + inserted - deleted, new, strings.padding).astype(y.dtype)
