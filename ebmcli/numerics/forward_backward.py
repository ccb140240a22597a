"""Forward-backward over states in a row, many examples at a time: sums over paths, and their slopes, in one pass.

A path is in one state in each window, and goes from window to window to the same state, to the next one, or by a skip
to the one after that. Examples stand on the last axis: a CPU's vectors run along it, and the states of a word are few
and odd. Derivatives are the posteriors, so none is taken through the recursion; benchmarks/align.py has what that buys.
"""

from collections.abc import Callable
from typing import Any

from ebmcli.core.lazy import Array, jax, jnp

FAR = 1e30  # the energy of what cannot be reached: an infinity would have no gradient


def least(energies: Array, soft: bool, axis: int = 0) -> Array:
    """The minimum of energies along an axis, or their sum: -log sum exp(-E)."""
    return -jax.nn.logsumexp(-energies, axis=axis) if soft else jnp.min(energies, axis=axis)


def sources(reach: Array, skip: Array) -> Array:
    """[3, S, ...]: the energies with which each state is entered from itself, from the one before and by a skip."""
    stay, step = (jnp.concatenate([jnp.full_like(reach[:n], FAR), reach[:-n]]) for n in (1, 2))
    return jnp.stack([reach, stay, jnp.where(skip, step, FAR)])


def path_sum(local: Array, windows: Array, start: Array, end: Array, skip: Array) -> Array:
    """[]: the energy of the sum over paths of one example; at least FAR / 2 where there is none.

    local [L, S]: the energy of each state in each window, of which the first `windows` count; start, end, skip [S]
    bool: states that a path may begin with, end with, and enter by a skip.
    """

    def summed(*example: Array) -> Array:
        return _side_by_side(_energy)(*(jnp.expand_dims(leaf, -1) for leaf in example))[0]

    def forward(*example: Array) -> tuple[Array, Array]:
        energy, posterior = _side_by_side(_both)(*(jnp.expand_dims(leaf, -1) for leaf in example))
        return energy[0], posterior[..., 0]

    total = jax.custom_vjp(summed)
    total.defvjp(forward, lambda posterior, slope: (slope * posterior, None, None, None, None))
    return total(local, windows, start, end, skip)


def _energy(local: Array, windows: Array, start: Array, end: Array, skip: Array) -> Array:
    """[N]: path_sum of many examples."""
    return _total(_reached(*_backward(local, windows, end, skip))[-1], start)


def _both(local: Array, windows: Array, start: Array, end: Array, skip: Array) -> tuple[Array, Array]:
    """([N], [L, S, N]): path_sum of many examples, and in each window the probability of each state."""
    size = len(windows)
    number = jnp.arange(len(local))[:, None]
    ahead = local, jnp.broadcast_to(number == 0, (len(local), size)), start, skip
    both = (jnp.concatenate(pair, axis=-1) for pair in zip(ahead, _backward(local, windows, end, skip), strict=True))
    before, after = jnp.split(_reached(*both), [size], axis=-1)
    posterior = jax.nn.softmax(local - before - after[::-1, ::-1], axis=1)
    return _total(after[-1], start), jnp.where((number < windows[None])[:, None], posterior, 0)


def _backward(local: Array, windows: Array, end: Array, skip: Array) -> tuple[Array, Array, Array, Array]:
    """The arguments of _reached for paths that are walked from their end: windows and states in reverse."""
    number = jnp.arange(len(local))[:, None]
    into = jnp.concatenate([jnp.zeros_like(skip[:2]), skip[:1:-1]])  # a skip leaves the state that lies two before
    return local[::-1, ::-1], (number >= windows[None] - 1)[::-1], end[::-1], into


def _reached(local: Array, begins: Array, start: Array, skip: Array) -> Array:
    """[L, S, N]: the energy of all ways to a state in a window, through it; a path begins where `begins` [L, N]."""
    entry = jnp.where(start, 0, FAR)

    def step(reach: Array, position: tuple[Array, Array]) -> tuple[Array, Array]:
        here, new = position
        onward = here + jnp.where(new, entry, least(sources(reach, skip), soft=True))
        return onward, onward

    return jax.lax.scan(step, jnp.full_like(local[0], FAR), (local, begins))[1]


def _total(reach: Array, start: Array) -> Array:
    """[N]: of all paths. reach [S, N]: of those walked from their end, in the first window, states in reverse."""
    return least(jnp.where(start[::-1], reach, FAR), soft=True)


def _side_by_side(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of arrays whose last axis is of examples, to which vmap adds what it maps over."""
    wide = jax.custom_batching.custom_vmap(function)

    @wide.def_vmap
    def _(size: int, mapped: list[bool], *arguments: Array) -> tuple[Any, Any]:
        def join(leaf: Array, on: bool) -> Array:
            leaf = leaf if on else jnp.broadcast_to(leaf, (size, *leaf.shape))
            return jnp.moveaxis(leaf, 0, -1).reshape(*leaf.shape[1:-1], -1)

        joined = wide(*map(join, arguments, mapped))
        apart = jax.tree.map(lambda leaf: jnp.moveaxis(leaf.reshape(*leaf.shape[:-1], -1, size), -1, 0), joined)
        return apart, jax.tree.map(lambda _: True, apart)

    return wide
