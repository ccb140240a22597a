"""Every registered sampler keeps its contract: shapes, densities, costs, and draws that another key changes. That they
are what they say is tested by family, in tests/samplers."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import counting
from helpers.negatives import KEY, LABELS, SAMPLERS, SIZE, declared_cost, drawn, sampler, scene
from helpers.quick import quick

from ebmcli.core.batching import negative_energies
from ebmcli.core.types import BatchShape, Cost, Model


class Case(NamedTuple):
    """What is known of a sampler's negatives of one kind without running it."""

    leading: Callable[[BatchShape], tuple[int, ...]] | None  # axes before those of an answer; None: it has no negatives
    values: Mapping[str, Any] = MappingProxyType({})  # hyperparameters of the general tests
    random: bool = True  # another key gives other negatives
    kept: bool = False  # there is a state
    measures: frozenset[str] = frozenset()  # what it reports of itself


def own(count):
    """Shared by the batch where there is no question, else as many for each."""
    return lambda shape: shape.negatives(count)


def each(count):
    return lambda shape: (shape.batch_size, count)


def shared(count):
    return lambda shape: (count,)


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
    ("quadrature", "continuous"): Case(lambda shape: (9**shape.space.dims,), {"nodes": 9}),
    ("langevin", "continuous"): Case(own(50), WALK),
    ("cd", "continuous"): Case(lambda shape: (SIZE, 1) if shape.conditional else (SIZE,), {"chain_steps": 3}),
    ("pcd", "continuous"): Case(own(50), WALK, kept=True),
    ("mala", "continuous"): Case(own(50), WALK, kept=True, measures=ACCEPTED),
    ("hmc", "continuous"): Case(own(50), WALK | {"leaps": 2}, kept=True, measures=ACCEPTED),
    ("exact", "continuous"): Case(own(50), FEW | {"table": 9}),
    ("exact", "finite"): Case(own(50), FEW),
    ("exact", "sequence"): Case(own(50), FEW),
    ("gibbs", "finite"): Case(own(50), FEW | {"chain_steps": 2}),
    ("gibbs", "sequence"): Case(own(50), FEW | {"chain_steps": 2}),
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
    given = {(name, answers) for name, unit in SAMPLERS.items() for answers in unit.traits.gives}
    assert given == set(CASES), f"kinds of negatives without a case, or the reverse: {given ^ set(CASES)}"


EVERY = [  # sampler with every kind of answer, without and with a question where either makes sense
    pytest.param(name, answers, conditional, id=f"{name}-{answers}{'-x' * conditional}")
    for (name, answers), conditional in product(CASES, (False, True))
    if name in SAMPLERS and (conditional or not (answers == "sequence" or SAMPLERS[name].traits.conditional))
]


@pytest.mark.parametrize(("name", "answers", "conditional"), EVERY)
def test_negatives_and_their_energies_have_the_shapes_and_types_that_are_known(name, answers, conditional):
    """And the state keeps its structure; a report is of numbers."""
    case = CASES[name, answers]
    context, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, context, **case.values)
    state = jax.eval_shape(drawer.init, KEY, batch)
    y, after = jax.eval_shape(lambda key, state: drawn(drawer, key, state, model, batch), KEY, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(after)] == [
        (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)
    ]
    assert bool(jax.tree.leaves(state)) == case.kept
    report = jax.eval_shape(drawer.report, after)
    assert {name: leaf.shape for name, leaf in report.items()} == dict.fromkeys(case.measures, ())
    if case.leading is None:
        assert y is None
        return
    leading = case.leading(context.shape)
    assert y.shape == (*leading, *batch.y.shape[1:])
    assert y.dtype == batch.y.dtype
    energies = jax.eval_shape(lambda y: negative_energies(model, batch, y), y)
    assert energies.shape == (leading if len(y.shape) > batch.y.ndim or not conditional else (SIZE, len(y)))
    assert energies.dtype == jnp.float32


DRAWN = [one for one in EVERY if one.values[2] and CASES[one.values[:2]].leading]


@pytest.mark.parametrize(("name", "answers", "conditional"), DRAWN)
def test_the_key_decides_everything_and_every_answer_is_one_that_the_task_has(name, answers, conditional):
    case = CASES[name, answers]
    context, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, context, **case.values)
    draw = quick(lambda key: drawn(drawer, key, drawer.init(KEY, batch), model, batch)[0])
    first, again, other = (np.asarray(draw(jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() == case.random
    low, high = {"finite": (0, LABELS.size - 1), "sequence": (0, 25)}.get(answers) or context.space[:2]
    assert ((first >= low) & (first <= high)).all()


# --- what a step costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_declares_a_cost_that_no_traced_hyperparameter_changes(name):
    unit = SAMPLERS[name]
    assert unit.traits.cost is not None, "a budget refuses it"
    read = {*inspect.signature(unit.traits.cost).parameters} - {"shape"}
    assert read <= {name for name, one in unit.parameters.items() if not one.traced}


def test_marks_are_counted_through_maps_loops_and_derivatives():
    """7 searches that nobody uses, 12 energies of a [3, 4] map, and then five times 12 with their slopes."""
    bowl = counting.spied(Model(lambda x, y: jnp.square(y), argmin=lambda x: jnp.int32(x > 0)))
    over = jax.vmap(jax.vmap(partial(bowl.apply, None)))

    def walk(y):
        jax.vmap(bowl.argmin)(jnp.zeros(7))
        slope = jax.grad(lambda y: over(y).sum())
        return over(y).sum(), jax.lax.fori_loop(0, 5, lambda _, y: y - slope(y), y)

    assert counting.count(walk, jnp.ones((3, 4))) == (7 + 12 + 60, 60)
    with pytest.raises(AssertionError, match="while"):
        counting.count(lambda y: jax.lax.while_loop(lambda y: y > 1, partial(bowl.apply, None), y), 2.0)


@pytest.mark.parametrize(("name", "answers", "conditional"), EVERY)
def test_the_declared_cost_is_what_its_program_evaluates(name, answers, conditional):
    """Energies, those that a loss sees of its negatives included, and those that are differentiated in y; a search or a
    sum over the answers to an x, as the energy does it by itself, counts as one."""
    values = CASES[name, answers].values
    context, model, batch = scene(answers, conditional)
    drawer, spied = sampler(name, context, **values), counting.spied(model)

    def draw(key):
        y, after = drawn(drawer, key, drawer.init(key, batch), spied, batch)
        return after, None if y is None else negative_energies(spied, batch, y)

    assert Cost(*counting.count(draw, KEY)) == declared_cost(name, context.shape, **values)
