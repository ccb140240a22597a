"""Energies that are a squared distance: between an answer and what is made of it or of the question."""

from typing import Any

from ebmcli.core.citations import LECTURE, TUTORIAL
from ebmcli.core.decorators import energy
from ebmcli.core.lazy import Array, Key, jax, jnp, nn
from ebmcli.core.types import Count, Energy, Space
from ebmcli.energies._inputs import answer
from ebmcli.numerics.silu import silu


def _network(hidden: int, outputs: int) -> Any:
    return nn.Sequential([nn.Dense(hidden), silu, nn.Dense(hidden), silu, nn.Dense(outputs)])


def _squared_distance(left: Array, right: Array) -> Array:
    return jnp.sum(jnp.square(left - right))


@energy(
    continuous="",
    finite="",
    nonnegative=True,
    conditional=True,
    reference=f"{TUTORIAL}, section 2.2.2",
    also="regression implicit mse",
)
def regressor(space: Space, hidden: Count = 64) -> Energy:
    """F(x, y) = |y - G(x)|^2, which cannot collapse: every x has an answer of energy 0, and only one"""

    def net(y: Any) -> Any:
        return _network(hidden, answer(y, space).size)

    def init(key: Key, x: Any, y: Any) -> Any:
        return net(y).init(key, jnp.ravel(x))

    def apply(params: Any, x: Any, y: Any) -> Array:
        return _squared_distance(answer(y, space), net(y).apply(params, jnp.ravel(x)))

    return Energy(init, apply)


@energy(
    continuous="",
    finite="",
    nonnegative=True,
    conditional=True,
    reference=f"{TUTORIAL}, section 2.2.2",
    also="siamese joint-embedding two-tower",
)
def two_branch(space: Space, hidden: Count = 64, code: Count = 8) -> Energy:
    """F(x, y) = |G1(x) - G2(y)|^2, a joint embedding, which can collapse: both branches constant"""
    net = _network(hidden, code)

    def init(key: Key, x: Any, y: Any) -> Any:
        first, second = jax.random.split(key)
        return {"question": net.init(first, jnp.ravel(x)), "answer": net.init(second, answer(y, space))}

    def apply(params: Any, x: Any, y: Any) -> Array:
        return _squared_distance(
            net.apply(params["question"], jnp.ravel(x)), net.apply(params["answer"], answer(y, space))
        )

    return Energy(init, apply)


@energy(
    continuous="reconstruct", nonnegative=True, reference=f"{LECTURE}; Vincent et al. 2010", also="ae reconstruction"
)
def autoencoder(space: Space, hidden: Count = 64, bottleneck: Count = 16) -> Energy:
    """F(y) = |y - D(E(y))|^2, a reconstruction through `bottleneck` units (and beside x, where there is one)"""

    def nets(y: Array) -> tuple[Any, Any]:
        return _network(hidden, bottleneck), _network(hidden, y.size)

    def beside(x: Any, inner: Array) -> Array:
        return inner if x is None else jnp.concatenate([jnp.ravel(x), inner])

    def init(key: Key, x: Any, y: Array) -> Any:
        first, second = jax.random.split(key)
        encoder, decoder = nets(y)
        inner = jnp.zeros(bottleneck)
        return {"encoder": encoder.init(first, y), "decoder": decoder.init(second, beside(x, inner))}

    def reconstruct(params: Any, x: Any, y: Array) -> Array:
        encoder, decoder = nets(y)
        return decoder.apply(params["decoder"], beside(x, encoder.apply(params["encoder"], y)))

    def apply(params: Any, x: Any, y: Array) -> Array:
        return _squared_distance(y, reconstruct(params, x, y))

    return Energy(init, apply, reconstruct=reconstruct)
