"""Chains of labels: an energy that is a sum over positions and neighbouring pairs can be searched exactly."""

from typing import Any

from ebmcli.lazy import Array, jax, jnp, nn
from ebmcli.registry import energy
from ebmcli.types import Energy, Space, Word

LABELS = 26


def chain_energy(unary: Array, transition: Array, mask: Array, y: Array) -> Array:
    """[]: sum over the positions t that are there of unary[t, y_t] + transition[y_(t-1), y_t].

    unary: [T, C], transition: [C, C], mask: [T] (a prefix), y: [T].
    """
    local = jnp.take_along_axis(unary, y[:, None], axis=1)[:, 0]
    pairs = transition[y[:-1], y[1:]]
    return jnp.sum(jnp.where(mask, local, 0)) + jnp.sum(jnp.where(mask[1:], pairs, 0))


def free_energy(unary: Array, transition: Array, mask: Array, beta: Array) -> Array:
    """[]: -(1/beta) log of the sum over all C^length answers of exp(-beta F), by the forward algorithm."""

    def step(reach, position):
        local, present = position
        onward = -jax.nn.logsumexp(-beta * (reach[:, None] + transition), axis=0) / beta + local
        return jnp.where(present, onward, reach), None

    reach, _ = jax.lax.scan(step, unary[0], (unary[1:], mask[1:]))
    return -jax.nn.logsumexp(-beta * reach) / beta


def best_different(unary: Array, transition: Array, mask: Array, y: Array, reward: Array | float) -> Array:
    """[T]: the answer other than y with the lowest F - reward * hamming(y, answer), exactly; y where padded.

    Viterbi over pairs (label, has the path left y yet?): `same` is the energy of y so far, `left[c]` the lowest
    energy of a path that differs from y somewhere before or here and has label c here.
    """
    labels = unary.shape[1]
    local = unary - reward * (jnp.arange(labels) != y[:, None])
    elsewhere = jnp.arange(labels) != y[:, None]  # [T, C]

    def forward(carry, position):
        same, left = carry
        before, now, local, elsewhere, present = position
        stay = jnp.min(left[:, None] + transition, axis=0)
        leave = jnp.where(elsewhere, same + transition[before], jnp.inf)
        pointer = jnp.where(leave < stay, labels, jnp.argmin(left[:, None] + transition, axis=0))
        onward = (same + transition[before, now] + local[now], jnp.minimum(stay, leave) + local)
        return jax.tree.map(lambda new, old: jnp.where(present, new, old), onward, carry), pointer

    start = (local[0, y[0]], jnp.where(elsewhere[0], local[0], jnp.inf))
    positions = (y[:-1], y[1:], local[1:], elsewhere[1:], mask[1:])
    (_, left), pointers = jax.lax.scan(forward, start, positions)

    def backward(carry, position):
        label, on_y = carry
        pointer, now, before, present = position
        emitted = jnp.where(present & ~on_y, label, now)
        came_from = pointer[label]
        onward = (jnp.where(came_from == labels, before, came_from), on_y | (came_from == labels))
        return jax.tree.map(lambda new, old: jnp.where(present, new, old), onward, carry), emitted

    end = (jnp.argmin(left), jnp.array(False))
    (label, on_y), tail = jax.lax.scan(backward, end, (pointers, y[1:], y[:-1], mask[1:]), reverse=True)
    return jnp.concatenate([jnp.where(on_y, y[0], label)[None], tail]).astype(y.dtype)


def best(unary: Array, transition: Array, mask: Array) -> Array:
    """[T]: the answer of lowest energy; 0 where padded."""
    zeros = jnp.zeros(unary.shape[0], jnp.int32)
    other = best_different(unary, transition, mask, zeros, 0.0)
    lower = chain_energy(unary, transition, mask, zeros) <= chain_energy(unary, transition, mask, other)
    return jnp.where(lower, zeros, other)


@energy(sequence="free best_different argmin", reference="Lafferty et al. 2001; Taskar et al. 2003")
def linear_chain(space: Space) -> Energy:
    """F(x, y) = - sum_t (W x_t + b)[y_t] - sum_t A[y_t, y_t+1]"""
    readout = nn.Dense(LABELS)

    def tables(params, x: Word) -> tuple[Array, Array, Array]:
        local: Any = readout.apply(params["letter"], x.letters)
        return -local, -params["transition"], x.mask

    def init(key, x: Word, y):
        return {"letter": readout.init(key, x.letters), "transition": jnp.zeros((LABELS, LABELS))}

    return Energy(
        init=init,
        apply=lambda params, x, y: chain_energy(*tables(params, x), y),
        free=lambda params, x, beta: free_energy(*tables(params, x), beta),
        argmin=lambda params, x: best(*tables(params, x)),
        best_different=lambda params, x, y, reward: best_different(*tables(params, x), y, reward),
    )
