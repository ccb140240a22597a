"""Roots of the streams of random numbers: nothing that trains is drawn from a stream that tests.

A root is a key of two words. The second is a seed, and the first says whose it is, so that no two roots are equal and
what is derived from one is independent of what is derived from another.
"""

from ebmcli.core.lazy import Array, Key, jax, jnp

PLAIN, MOVED, SHARED = range(3)  # the first word of a root
KIND = "threefry2x32"


def of_tests(seed: int) -> Key:
    """The root of the test data of a task, the same for all runs."""
    return _root(PLAIN, seed)


def of_run(seed: Array | int, test_seed: int | None) -> Key:
    """The root of all that a run draws: data, negatives, initial weights. seed: [] uint32.

    test_seed: of the test data of its task, if these are drawn; a run with this very seed has a root of its own.
    """
    return _root(
        PLAIN if test_seed is None else jnp.where(jnp.uint32(seed) == jnp.uint32(test_seed), MOVED, PLAIN), seed
    )


def of_shared(seed: int) -> Key:
    """The root of training data that are numbered, the same for all runs."""
    return _root(SHARED, seed)


def _root(kind: Array | int, seed: Array | int) -> Key:
    key: Key = jax.random.wrap_key_data(jnp.stack([jnp.uint32(kind), jnp.uint32(seed)]), impl=KIND)
    return key
