"""Every registered sampler keeps its contract: shapes, densities, costs, and draws that another key changes. That they
are what they say is tested by family: test_blind_negatives, test_word_negatives, test_sought_negatives, test_chains."""

import math
from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Var, jaxprs_in_params
from helpers.negatives import (
    KEY,
    LABELS,
    SAMPLERS,
    SIZE,
    drawn,
    sampler,
    scene,
)

from ebmcli.core.types import Setting
from ebmcli.training import objective


class Case(NamedTuple):
    """What is known of a sampler's negatives of one kind without running it."""

    leading: Callable[[Setting], tuple[int, ...]] | None  # axes before those of an answer; None: it has no negatives
    values: Mapping[str, Any] = MappingProxyType({})  # hyperparameters of the general tests
    random: bool = True  # another key gives other negatives
    kept: bool = False  # there is a state
    measures: frozenset[str] = frozenset()  # what it reports of itself


def own(count):
    """Shared by the batch where there is no question, else as many for each."""
    return lambda at: at.shape(count)


def each(count):
    return lambda at: (at.batch_size, count)


def shared(count):
    return lambda at: (count,)


FEW = {"negatives": 50}
WALK = FEW | {"chain_steps": 3}
ACCEPTED = frozenset({"acceptance"})
CASES = {
    ("none", "continuous"): Case(None, random=False),
    ("none", "finite"): Case(None, random=False),
    ("none", "sequence"): Case(None, random=False),
    ("uniform", "continuous"): Case(own(50), FEW),
    ("uniform", "finite"): Case(own(50), FEW),
    ("uniform", "sequence"): Case(own(50), FEW),
    ("gaussian", "continuous"): Case(own(50), FEW, kept=True),
    ("noise", "continuous"): Case(each(4), {"per_example": 4}),
    ("in-batch", "continuous"): Case(each(SIZE - 1), random=False),
    ("in-batch", "finite"): Case(each(SIZE - 1), random=False),
    ("in-batch", "sequence"): Case(each(SIZE - 1), random=False),
    ("quadrature", "continuous"): Case(lambda at: (9**at.space.dims,), {"nodes": 9}),
    ("langevin", "continuous"): Case(own(50), WALK),
    ("cd", "continuous"): Case(lambda at: (SIZE, 1) if at.conditional else (SIZE,), {"chain_steps": 3}),
    ("pcd", "continuous"): Case(own(50), WALK, kept=True),
    ("mala", "continuous"): Case(own(50), WALK, kept=True, measures=ACCEPTED),
    ("hmc", "continuous"): Case(own(50), WALK | {"leaps": 2}, kept=True, measures=ACCEPTED),
    ("exact", "continuous"): Case(own(50), FEW | {"table": 9}),
    ("exact", "finite"): Case(own(50), FEW),
    ("exact", "sequence"): Case(own(50), FEW),
    ("gibbs", "finite"): Case(own(50), FEW),
    ("gibbs", "sequence"): Case(own(50), FEW),
    ("generator", "continuous"): Case(own(50), FEW | {"latent": 3, "generator_hidden": 5}, kept=True),
    ("most-offending", "continuous"): Case(each(1), {"starts": 3, "descent_steps": 3}),
    ("most-offending", "finite"): Case(each(1), random=False),
    ("most-offending", "sequence"): Case(each(1), random=False),
    ("loss-augmented", "finite"): Case(each(1), random=False),
    ("loss-augmented", "sequence"): Case(each(1), random=False),
    ("n-best", "sequence"): Case(own(5), {"negatives": 5}, random=False),
    ("corrupt", "sequence"): Case(own(50), FEW),
    ("exhaustive", "finite"): Case(shared(LABELS.size), random=False),
    ("exhaustive", "sequence"): Case(each(1), random=False),
}


def test_every_registered_sampler_has_its_cases_and_every_case_a_sampler():
    given = {(name, answers) for name, unit in SAMPLERS.items() for answers in unit.gives}
    assert given == set(CASES), f"kinds of negatives without a case, or the reverse: {given ^ set(CASES)}"


def settings():
    """Every sampler with every kind of answer, without and with a question where either makes sense."""
    return [
        pytest.param(name, answers, conditional, id=f"{name}-{answers}{'-x' * conditional}")
        for (name, answers), conditional in product(CASES, (False, True))
        if name in SAMPLERS and (conditional or not (answers == "sequence" or SAMPLERS[name].conditional))
    ]


@pytest.mark.parametrize(("name", "answers", "conditional"), settings())
def test_contract(name, answers, conditional):
    """Shape and type of the negatives and of their energies; the state keeps its structure; a report of numbers."""
    case = CASES[name, answers]
    setting, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, setting, **case.values)
    state = jax.eval_shape(drawer.init, KEY, batch)
    y, after = jax.eval_shape(lambda key, state: drawn(drawer, key, state, model, batch), KEY, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(after)] == [
        (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)
    ]
    assert bool(jax.tree.leaves(state)) == case.kept
    report = jax.eval_shape(drawer.report, after)
    assert {name: leaf.shape for name, leaf in report.items()} == dict.fromkeys(case.measures, ())
    assert 0 <= drawer.gradients <= drawer.evaluations
    if case.leading is None:
        assert y is None
        assert drawer.evaluations == 0
        return
    assert y.shape == (*case.leading(setting), *batch.y.shape[1:])
    assert y.dtype == batch.y.dtype
    energies = jax.eval_shape(lambda y: objective.scored(model, batch, y), y)
    assert energies.shape == (
        case.leading(setting) if len(y.shape) > batch.y.ndim or not conditional else (SIZE, len(y))
    )
    assert energies.dtype == jnp.float32


@pytest.mark.parametrize(("name", "answers", "conditional"), [p for p in settings() if p.values[2]])
def test_draws(name, answers, conditional):
    """The key decides everything; every answer is one that the task has."""
    case = CASES[name, answers]
    setting, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, setting, **case.values)
    draw = jax.jit(lambda key: drawn(drawer, key, drawer.init(KEY, batch), model, batch)[0])
    if case.leading is None:
        return
    first, again, other = (np.asarray(draw(jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() == case.random
    low, high = {"finite": (0, LABELS.size - 1), "sequence": (0, 25)}.get(answers) or setting.space[:2]
    assert ((first >= low) & (first <= high)).all()


def computed(jaxpr, name, times=1):
    """How many numbers the primitive of that name computes in a program; what is computed twice counts once."""
    total, same, seen = 0, {}, {}
    for equation in jaxpr.eqns:
        read = tuple(same.get(v, v) if isinstance(v, Var) else str(v) for v in equation.invars)
        what = (equation.primitive.name, str(equation.params), read)
        if what in seen:
            same |= dict(zip(equation.outvars, seen[what], strict=True))
            continue
        seen[what] = equation.outvars
        if equation.primitive.name == name:
            total += times * math.prod(equation.outvars[0].aval.shape)
        inner = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        total += sum(computed(sub, name, inner) for sub in jaxprs_in_params(equation.params))
    return total


COUNTED = [p for p in settings() if p.values[1] == "continuous" or p.values[1:] == ("finite", True)]


@pytest.mark.parametrize(("name", "answers", "conditional"), COUNTED)
def test_cost(name, answers, conditional):
    """The evaluations and gradients that it declares are those of its program: the energy's sines and cosines."""
    setting, model, batch = scene(answers, conditional)
    drawer = sampler(name, setting, **CASES[name, answers].values)

    def draw(key):
        y, after = drawn(drawer, key, drawer.init(key, batch), model, batch)
        return after, None if y is None else objective.scored(model, batch, y)

    program = jax.make_jaxpr(draw)(KEY).jaxpr
    assert computed(program, "cos") == drawer.gradients
    assert computed(program, "sin") == drawer.evaluations
