"""Every registered task: its test data are drawn from streams from which no run draws, whatever its seed."""

from contextlib import contextmanager
from functools import partial, wraps

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.densities import CURVES
from helpers.quick import quick
from helpers.tasks import TASKS, asked, drawn

from ebmcli.core import registry, streams
from ebmcli.core.types import Alignment, Model
from ebmcli.training import loop

DRAWING = ("split", "fold_in", "bits", "uniform", "normal", "randint", "bernoulli", "choice", "permutation")
WINDOWS = 4
FLAT = Model(
    lambda x, y: jnp.zeros(()),
    best_different=lambda x, y, reward: y,
    n_best=lambda x, y, count: jnp.stack([y] * count),
    align=lambda x, y: Alignment(jnp.zeros((WINDOWS, 27)), jnp.zeros(WINDOWS, jnp.int32), jnp.zeros(WINDOWS)),
)
SOME = 3  # examples

QUICK = ("moons", "points", "parabola", "letters", "words", "handwriting")  # one of each way to make test data
each = pytest.mark.parametrize("name", TASKS)


@contextmanager
def keys_used(monkeypatch):
    """The set of all keys, in bytes, from which anything is drawn or derived meanwhile, in compiled programs too."""
    used = set()

    def record(words):
        used.update(row.tobytes() for row in np.asarray(words).reshape(-1, 2))

    def watched(function):
        @wraps(function)
        def call(key, *arguments, **keywords):
            words = jax.random.key_data(key)
            if isinstance(words, jax.core.Tracer):
                jax.debug.callback(record, words)
            else:
                record(words)
            return function(key, *arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        for name in DRAWING:
            patch.setattr(jax.random, name, watched(getattr(jax.random, name)))
        yield used
        jax.effects_barrier()


def fresh(name):
    """The task, which has drawn nothing yet."""
    unit = registry.find("task", asked(name))
    return unit.function(**{each.name: each.default for each in unit.parameters.values() if each.name != "data"})


def arrays(task):
    return jax.tree.map(jnp.asarray, task.data())


def draw_test_data(task):
    """Draw all test data, look at some."""
    for fine in (True, False):
        targets = jax.tree.map(lambda leaf: jnp.asarray(leaf[:SOME]), task.targets(fine))
        jax.block_until_ready(quick(partial(task.probe, FLAT))(arrays(task), targets))


def draw_as_a_run(task, seed):
    """Draw some training data, and derive the other streams of a run."""
    draw = quick(lambda key, data: task.draw(key, data, SOME))
    root = streams.of_run(jnp.uint32(seed), task.test_seed)
    jax.random.split(root)  # it is used as well
    for purpose in (loop.INIT, loop.DATA, loop.NEGATIVES, loop.CHAINS, loop.PROBE, loop.VIEW):
        for step in range(2):
            key = loop._stream(root, purpose, step)
            jax.random.split(key)
            if step == 0:
                draw(key, arrays(task))


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in TASKS])
def test_no_key_of_test_data_is_one_of_a_run(name, monkeypatch):
    """For every seed the roots differ in their first word; looked at for the seed of the test data, the only one that
    could be the same, and for another."""
    task = fresh(name)
    with keys_used(monkeypatch) as testing:
        draw_test_data(task)
    with keys_used(monkeypatch) as training:
        for seed in {0, task.test_seed or 0}:
            draw_as_a_run(task, seed)
    assert bool(testing) == (task.test_seed is not None), "what draws its test data says from which seed"
    assert training
    assert not testing & training


def test_roots_are_all_different():
    seeds = [0, 1, 7, 11, 2006, 2**32 - 1]
    roots = [streams.of_run(jnp.uint32(seed), test) for seed in seeds for test in (None, seed)]
    roots += [streams.of_shared(seed) for seed in seeds]
    words = [jax.random.key_data(root).tobytes() for root in roots]
    assert len(set(words)) == len(words)
    for seed in seeds:
        test = jax.random.key_data(streams.of_tests(seed)).tobytes()
        assert test == jax.random.key_data(streams.of_run(jnp.uint32(seed), None)).tobytes(), "as it always was"
        ran = [streams.of_run(jnp.uint32(run), seed) for run in seeds]
        assert test not in [jax.random.key_data(root).tobytes() for root in ran]


@each
def test_the_stream_of_a_run_is_that_of_its_seed(name):
    """But for the seed of the test data: other figures are what they were before streams had roots of their own."""
    test_seed = fresh(name).test_seed
    for seed in (0, 3, 7, 12, 2005):
        root = streams.of_run(jnp.uint32(seed), test_seed)
        np.testing.assert_array_equal(jax.random.key_data(root), jax.random.key_data(jax.random.key(seed)))


@pytest.mark.parametrize("name", [name for name, unit in TASKS.items() if unit.traits.answers != "sequence"])
def test_no_test_datum_is_a_training_datum(name):
    """Those of words have tests of their own, which look at all that can be drawn."""
    task, batch = fresh(name), drawn(name)
    targets = task.targets(True)
    test = targets.get("data", targets.get("x", targets.get("asked")))
    train = batch.y if batch.x is None else batch.x
    both = {row.tobytes() for row in np.float32(train)} & {row.tobytes() for row in np.float32(test)}
    # Points of a curve are one number of 24 bits, of which some coincide by chance.
    assert len(both) <= (10 if name in CURVES else 0)


@pytest.mark.parametrize("name", QUICK)
def test_test_data_are_the_same_for_every_run(name):
    one, other = (fresh(name).targets(True) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, other)
