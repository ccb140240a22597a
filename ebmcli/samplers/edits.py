"""Negatives that are the right word after some edits."""

from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Cost, Count, Model, Negatives, Sampler, SamplerContext, Strings
from ebmcli.samplers._box import stateless


@sampler(
    sequence="negatives",
    cost=lambda shape, negatives: Cost(shape.total(negatives)),
    reference="Smith & Eisner 2005, contrastive estimation",
)
def corrupt(context: SamplerContext, negatives: Count = 8, edits: Count = 2) -> Sampler:
    """K times y after 1 to `edits` random edits: a letter changed and, where the length is free, put in or left out"""
    strings, shape = context.space, (context.shape.batch_size, negatives)
    assert isinstance(strings, Strings)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        many, what = jax.random.split(key)
        times = jax.random.randint(many, shape, 1, edits + 1)
        chance = jax.random.uniform(what, (*shape, edits, 3))

        def corrupted(x: Array, y: Array, times: Array, chance: Array) -> Array:
            def one_more(number: Array, y: Array) -> Array:
                return jnp.where(number < times, edit(chance[number], x, y, strings), y)

            return jax.lax.fori_loop(0, edits, one_more, y)

        of_one = jax.vmap(corrupted, (None, None, 0, 0))
        return Negatives(jax.vmap(of_one)(batch.x, batch.y, times, chance))

    return stateless(draw)


def edit(chance: Array, x: Array, y: Array, strings: Strings) -> Array:
    """y [T] after one edit, which always changes it: places and letters, and the kinds of edit that the length allows,
    are equally likely. chance: [3] uniform random numbers: of the kind, the place and the letter."""

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
