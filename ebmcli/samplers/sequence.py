"""Negatives that only label sequences have."""

from typing import Any

from ebmcli.lazy import Array, jax, jnp
from ebmcli.registry import sampler
from ebmcli.types import Batch, Count, Energy, Negatives, Sampler, Setting, Strings


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
        def corrupted(key: Array, x: Any, y: Array) -> Array:
            many, editing = jax.random.split(key)

            def edit(number: Array, y: Array) -> Array:
                return edited(jax.random.fold_in(editing, number), x, y, at.space)

            return jax.lax.fori_loop(0, jax.random.randint(many, (), 1, edits + 1), edit, y)

        keys = jax.random.split(key, (at.batch_size, negatives))
        return Negatives(jax.vmap(jax.vmap(corrupted, (0, None, None)))(keys, batch.x, batch.y)), state

    return Sampler(lambda key, first: (), draw, evaluations=at.total(negatives), gradients=0)


def edited(key: Array, x: Any, y: Array, space: Any) -> Array:
    """y [T] after one edit, which always changes it: all places and letters, and the kinds that the length allows, are
    equally likely."""
    strings: Strings = space
    what, where, which = jax.random.split(key, 3)
    length = strings.present(x, y).sum()
    # Change, put in, leave out.
    legal = jnp.array([True, not strings.fixed, not strings.fixed]) & jnp.array([True, length < len(y), length > 1])
    kind = jax.random.categorical(what, jnp.where(legal, 0.0, -jnp.inf))
    inserted, deleted = kind == 1, kind == 2
    position = jnp.arange(len(y))
    place = jax.random.randint(where, (), 0, length + inserted)
    moved = y[jnp.clip(position - (inserted & (position > place)) + (deleted & (position >= place)), 0, len(y) - 1)]
    other = (y[place] + jax.random.randint(which, (), 1, strings.labels)) % strings.labels
    letter = jnp.where(inserted, jax.random.randint(which, (), 0, strings.labels), other)
    new = jnp.where((position == place) & ~deleted, letter, moved)
    return jnp.where(position < length + inserted - deleted, new, strings.padding).astype(y.dtype)
