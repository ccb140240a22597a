"""Every registered task: its batches are decided by the key and hold answers of its space; what it is built of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.densities import CURVES, DENSITIES
from helpers.tasks import MANY, TASKS, build, drawer, drawn

from ebmcli.core.needs import Answers
from ebmcli.core.types import Box, Labels, Strings

# Tasks with tests of their own: what is known of each without running it.
ELSEWHERE = {"points", "words", "handwriting", "letters", "classes", "parabola", "ellipse", "spiral"}
SPACES = {Answers.CONTINUOUS: Box, Answers.FINITE: Labels, Answers.SEQUENCE: Strings}

each = pytest.mark.parametrize("name", TASKS)


def size(name):
    """Of a batch: words cost more than points."""
    return 50 if TASKS[name].traits.answers is Answers.SEQUENCE else MANY


def test_every_registered_task_is_covered_and_every_covered_task_registered():
    covered = {*DENSITIES, *CURVES, *ELSEWHERE}
    assert set(TASKS) == covered, f"tasks without facts, or facts without a task: {set(TASKS) ^ covered}"
    plain = {
        name for name, unit in TASKS.items() if unit.traits.answers == "continuous" and not unit.traits.conditional
    }
    assert plain - {"points"} == {*DENSITIES, *CURVES}
    assert {name for name in plain if not TASKS[name].traits.smooth} == {"checkerboard", *CURVES}


@each
def test_a_batch_is_decided_by_the_key_alone(name):
    task, draw = build(name), drawer(name, size(name))
    one, again, other = (draw(jax.random.key(seed), task.data()) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert (np.asarray(one.y) != np.asarray(other.y)).any()
    assert all(
        (np.asarray(a) != np.asarray(b)).any() for a, b in zip(*map(jax.tree.leaves, (one.x, other.x)), strict=True)
    )


@each
def test_a_batch_has_a_question_where_answers_belong_to_one(name):
    x, _ = drawn(name, size(name))
    assert (x is not None) == TASKS[name].traits.conditional
    assert {leaf.shape[0] for leaf in jax.tree.leaves(x)} <= {size(name)}
    kind = type(x).__name__.lower() if isinstance(x, tuple) else ""
    assert kind == TASKS[name].traits.question


@each
def test_answers_lie_in_the_space_of_the_task(name):
    (x, y), space = drawn(name, size(name)), build(name).space
    assert isinstance(space, SPACES[TASKS[name].traits.answers])
    match space:
        case Box(low, high, dims):
            assert y.shape == (size(name), dims)
            assert y.dtype == np.float32
            assert ((y >= low) & (y <= high)).all()
        case Labels(count):
            assert y.shape == (size(name),)
            assert set(y.tolist()) == set(range(count))
        case Strings(labels, length, _):
            assert y.shape == (size(name), length)
            present = np.asarray(jax.vmap(space.present)(x, y))
            assert ((y >= 0) & (y < labels))[present].all()
            assert (y[~present] == space.padding).all()
            assert present.any(axis=1).all(), "no word is empty"
            assert (np.diff(present.astype(int), axis=1) <= 0).all(), "letters come first, then padding"


@each
def test_a_wrong_answer_is_a_margin_away_or_more(name):
    y = drawn(name, size(name)).y
    first, other = y[0], next(one for one in y if (one != y[0]).any())
    distance = build(name).distance(jnp.asarray(first), jnp.asarray(other))
    assert distance.shape == ()
    assert distance.dtype == jnp.float32
    assert 1 <= distance <= np.size(y[0])


def test_a_task_without_arguments_is_built_once():
    """Its held-out points and what it knows of its density are drawn and computed for all runs of a process."""
    assert TASKS["moons"].build({"seed": 1}) is TASKS["moons"].build({"seed": 2})
    words = TASKS["words"]
    assert words.build({"jitter": 1}) is not words.build({"jitter": 2})
