"""Exact samples of the model, where it can be summed."""

from typing import Any

from ebmcli.core.batching import scored
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Box, Count, Energy, Negatives, Sampler, Setting, Steps, Strings
from ebmcli.samplers._box import nodes_of

UNPENALISED = {"alpha": 0.0}  # exact samples bound `ml` below without a penalty


@sampler(
    needs="sample",
    continuous="negatives model",
    finite="negatives model",
    sequence="negatives model",
    defaults=UNPENALISED,
)
def exact(at: Setting, negatives: Count = 256, table: Count = 32) -> Sampler:
    """K answers drawn from the model: of all labels, all words, or table^D points, one in each cell of the box"""
    if isinstance(at.space, Strings):
        return _words(at, negatives)
    space: Any = at.space
    count = table**space.dims if isinstance(space, Box) else space.size

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        place, pick = jax.random.split(key)
        if isinstance(space, Box):
            answers = nodes_of(space, table, jax.random.uniform(place, (count, space.dims)))
        else:
            answers = jnp.arange(count)
        share = jax.nn.softmax(-at.beta * scored(model, batch, answers))  # [N] or [B, N]

        def chosen(key, share):
            return jax.random.choice(key, answers, (negatives,), p=share)

        if share.ndim == 1:
            return Negatives(chosen(pick, share)), state
        return Negatives(jax.vmap(chosen)(jax.random.split(pick, len(share)), share)), state

    summed = count * (at.batch_size if at.conditional else 1)
    return Sampler(lambda key, first: (), draw, evaluations=summed + at.total(negatives), gradients=0)


def _words(at: Setting, negatives: int) -> Sampler:
    """Words drawn by the energy's own dynamic programme, of which an example needs one."""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        keys = jax.random.split(key, at.batch_size)
        y = jax.vmap(lambda key, x: model.sample(key, x, at.beta, negatives))(keys, batch.x)  # type: ignore[misc]
        return Negatives(jax.lax.stop_gradient(y)), state

    return Sampler(lambda key, first: (), draw, evaluations=at.batch_size + at.total(negatives), gradients=0)


@sampler(finite="negatives model", sequence="negatives model", defaults=UNPENALISED, reference="Geman & Geman 1984")
def gibbs(at: Setting, negatives: Count = 256, chain_steps: Steps = 1) -> Sampler:
    """K answers: each letter of y resampled given all others, chain_steps times; of one label, exact samples"""
    if not isinstance(at.space, Strings):  # one label: what it was before does not matter
        return exact(at, negatives)
    space = at.space
    visits = chain_steps * space.length

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        def chain(chance: Array, x: Any, y: Array) -> Array:
            there, labels = space.present(x, y), jnp.arange(space.labels, dtype=y.dtype)

            def visit(time: Array, y: Array) -> Array:
                place = time % space.length
                energies = jax.vmap(lambda label: model.apply(x, y.at[place].set(label)))(labels)
                below = jnp.cumsum(jax.nn.softmax(-at.beta * energies))
                label = labels[jnp.argmax(below > chance[time] * below[-1])]
                return jnp.where(there[place], y.at[place].set(label), y)

            return jax.lax.fori_loop(0, visits, visit, y)

        chance = jax.random.uniform(key, (at.batch_size, negatives, visits))
        y = jax.vmap(jax.vmap(chain, (0, None, None)))(chance, batch.x, batch.y)
        return Negatives(jax.lax.stop_gradient(y)), state

    total = at.total(negatives)
    return Sampler(lambda key, first: (), draw, evaluations=total * (visits * space.labels + 1), gradients=0)
