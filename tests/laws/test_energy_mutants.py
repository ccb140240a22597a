"""Energies with a fault: the laws catch them."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from helpers.energies import UNITS, settings, subject
from helpers.energy_laws import CHECKS

from ebmcli.core.needs import Answers


def case_of(name, kind, **at):
    """With a question, and with these settings among the usual ones."""
    usual, _ = settings(UNITS[name])[0]
    return name, kind, True, tuple((usual | at).items())


MLP = case_of("mlp", Answers.CONTINUOUS)
SOFTPLUS = case_of("mlp", Answers.CONTINUOUS, head="softplus")
REGRESSOR = case_of("regressor", Answers.CONTINUOUS)
BRANCHES = case_of("two-branch", Answers.CONTINUOUS)
AUTOENCODER = case_of("autoencoder", Answers.CONTINUOUS)
CHAIN = case_of("linear-chain", Answers.SEQUENCE, order=1)
STRIP = case_of("trellis", Answers.SEQUENCE)
SUM = case_of("trellis", Answers.SEQUENCE, alignment="sum")


@jax.custom_batching.custom_vmap
def crooked(energy):
    """The energy as it is, and wrong ones where several are mapped over."""
    return energy


@crooked.def_vmap
def _(size, mapped, energy):
    return energy + jnp.arange(size), True


def stopped(tree, name):
    """A tree without slopes in one of its leaves."""
    return tree | {name: jax.lax.stop_gradient(tree[name])}


def without_biases(params):
    return {"params": {name: stopped(layer, "bias") for name, layer in params["params"].items()}}


def alike(params):
    """The decoder has a layer of the encoder."""
    encoder, decoder = (params[part]["params"] for part in ("encoder", "decoder"))
    return params | {"decoder": {"params": decoder | {"layers_2": encoder["layers_2"]}}}


def at_beta_1(energy, params, x, y):
    """A trellis that does not know the temperature."""
    right = subject(*SUM)
    return UNITS["trellis"].build({**right.at, "beta": 1.0}, right.space).apply(params, x, y)


# By the law that catches it: the energy, what is wrong with it, the field of Energy in its place, and the fault.
MUTANTS = {
    "value": [
        (MLP, "without x", "apply", lambda e, p, x, y: e.apply(p, 0 * x, y)),
        (MLP, "a thousandth off", "apply", lambda e, p, x, y: 1.001 * e.apply(p, x, y)),
        (REGRESSOR, "a mean", "apply", lambda e, p, x, y: e.apply(p, x, y) / y.size),
        (BRANCHES, "a distance", "apply", lambda e, p, x, y: jnp.sqrt(e.apply(p, x, y))),
        (AUTOENCODER, "without x", "apply", lambda e, p, x, y: e.apply(p, 0 * x, y)),
        (CHAIN, "padding counts", "encode", lambda e, p, x: e.encode(p, x)._replace(mask=x.mask | True)),
        (CHAIN, "without pairs", "apply", lambda e, p, x, y: e.apply(p | {"transition": jnp.zeros((3, 3))}, x, y)),
        (CHAIN, "pairs turned", "apply", lambda e, p, x, y: e.apply(p | {"transition": p["transition"].T}, x, y)),
        (SUM, "at beta 1", "apply", at_beta_1),
    ],
    "sign": [
        (SOFTPLUS, "lower", "apply", lambda e, p, x, y: e.apply(p, x, y) - 0.5),
        (MLP, "never negative", "apply", lambda e, p, x, y: jnp.abs(e.apply(p, x, y))),
    ],
    "init": [
        (MLP, "always one key", "init", lambda e, key, x, y: e.init(jax.random.key(0), x, y)),
        (MLP, "of the example", "init", lambda e, key, x, y: jax.tree.map(lambda w: w + y[0], e.init(key, x, y))),
        (MLP, "not finite", "init", lambda e, key, x, y: jax.tree.map(lambda w: w / 0, e.init(key, x, y))),
        (MLP, "too wide", "init", lambda e, key, x, y: e.init(key, jnp.append(x, 0), y)),
        (MLP, "half precision", "init", lambda e, key, x, y: jax.tree.map(jnp.float16, e.init(key, x, y))),
        (AUTOENCODER, "two layers alike", "init", lambda e, key, x, y: alike(e.init(key, x, y))),
    ],
    "type": [
        (MLP, "half precision", "apply", lambda e, p, x, y: jnp.float16(e.apply(p, x, y))),
        (MLP, "an axis", "apply", lambda e, p, x, y: e.apply(p, x, y)[None]),
    ],
    "jit": [
        (MLP, "it looks", "apply", lambda e, p, x, y: e.apply(p, x, y) + isinstance(y, jax.core.Tracer)),
    ],
    "batch": [
        (MLP, "a wrong rule", "apply", lambda e, p, x, y: crooked(e.apply(p, x, y))),
        (CHAIN, "another encoding", "encode", lambda e, p, x: e.encode(p, x)._replace(unary=jnp.zeros((3, 3)))),
    ],
    "gradient": [
        (MLP, "without biases", "apply", lambda e, p, x, y: e.apply(without_biases(p), x, y)),
        (CHAIN, "without pairs", "apply", lambda e, p, x, y: e.apply(stopped(p, "transition"), x, y)),
    ],
    "gradient_in_y": [
        (MLP, "none", "apply", lambda e, p, x, y: e.apply(p, x, jax.lax.stop_gradient(y))),
    ],
    "declared": [
        (CHAIN, "nothing free", "free", None),
        (MLP, "reconstructs", "reconstruct", lambda e, p, x, y: y),
        (MLP, "not all is feasible", "feasible", lambda e, p, x, y: y[0] > 0),
        (CHAIN, "aligns", "align", lambda e, p, x, y: y),
    ],
    "free": [
        (CHAIN, "at beta 1", "free", lambda e, p, x, beta: e.free(p, x, 1.0)),
        (CHAIN, "not divided", "free", lambda e, p, x, beta: beta * e.free(p, x, beta)),
        (CHAIN, "the minimum", "free", lambda e, p, x, beta: e.apply(p, x, e.argmin(p, x))),
        (CHAIN, "without slopes", "free", lambda e, p, x, beta: jax.lax.stop_gradient(e.free(p, x, beta))),
    ],
    "argmin": [
        (CHAIN, "the second best", "argmin", lambda e, p, x: e.best_different(p, x, e.argmin(p, x), None)),
        (CHAIN, "letters past the end", "argmin", lambda e, p, x: jnp.where(x.mask, e.argmin(p, x), 1)),
    ],
    "best_different": [
        (CHAIN, "y itself", "best_different", lambda e, p, x, y, reward: y),
        (CHAIN, "no reward", "best_different", lambda e, p, x, y, reward: e.best_different(p, x, y, None)),
        (CHAIN, "always a reward", "best_different",
         lambda e, p, x, y, reward: e.best_different(p, x, y, 20.0 if reward is None else reward)),
        (CHAIN, "the second", "best_different", lambda e, p, x, y, reward: e.n_best(p, x, y, 2)[1]),
    ],
    "n_best": [
        (CHAIN, "the highest first", "n_best", lambda e, p, x, y, count: e.n_best(p, x, y, count)[::-1]),
        (CHAIN, "one twice", "n_best", lambda e, p, x, y, count: jnp.repeat(e.n_best(p, x, y, count), 2, 0)[:count]),
        (CHAIN, "without the best", "n_best", lambda e, p, x, y, count: e.n_best(p, x, y, count + 1)[1:]),
        (CHAIN, "with y", "n_best", lambda e, p, x, y, count: e.n_best(p, x, y, count).at[0].set(y)),
    ],
    "sample": [
        (CHAIN, "at beta 1", "sample", lambda e, p, key, x, beta, count: e.sample(p, key, x, 1.0, count)),
        (CHAIN, "all alike", "sample",
         lambda e, p, key, x, beta, count: jax.random.randint(key, (count, 3), 0, 3) * x.mask[None]),
    ],
    "reconstruct": [
        (AUTOENCODER, "y itself", "reconstruct", lambda e, p, x, y: y),
        (AUTOENCODER, "without x", "reconstruct", lambda e, p, x, y: e.reconstruct(p, 0 * x, y)),
    ],
    "feasible": [
        (STRIP, "always", "feasible", lambda e, p, x, y: jnp.array(True)),
        (STRIP, "one window more", "feasible",
         lambda e, p, x, y: e.feasible(p, x._replace(windows=x.windows + 1), y)),
    ],
    "align": [
        (STRIP, "a window late", "align",
         lambda e, p, x, y: e.align(p, x, y)._replace(state=jnp.roll(e.align(p, x, y).state, 1))),
        (STRIP, "at the left edge", "align",
         lambda e, p, x, y: e.align(p, x, y)._replace(column=e.align(p, x, y).column - 9)),
    ],
}  # fmt: skip


def test_every_law_has_a_mutant():
    assert set(MUTANTS) == set(CHECKS)


@pytest.mark.parametrize(
    ("check", "case", "field", "fault"),
    [
        pytest.param(check, case, field, fault, id=f"{check}: {case[0]}, {what}")
        for check, some in MUTANTS.items()
        for case, what, field, fault in some
    ],
)
def test_mutant_is_caught(check, case, field, fault):
    """A planted wrong version breaks the law that is named before it."""
    right = subject(*case)

    def build(beta):
        energy = right.build(beta)
        return energy._replace(**{field: fault and partial(fault, energy)})

    with pytest.raises(AssertionError):
        CHECKS[check](replace(right, build=build))
