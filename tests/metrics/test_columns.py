"""From evaluations to columns: every task's evaluation gives its measures, and every measure is of some evaluation."""

from collections import Counter
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.cells import cells_of
from helpers.tasks import TASKS, build

from ebmcli.core import registry
from ebmcli.core.types import Alignment, Model, bind
from ebmcli.metrics.plane import PlaneEvaluation
from ebmcli.metrics.sequence import SegmentedEvaluation, exact_match_by_length
from ebmcli.planning.programs import program_of
from ebmcli.report import columns
from ebmcli.training import evaluate, loop

GAPS = "gap_q01 gap_q10 gap_q50 gap_q90 violation_rate "
ENERGY = GAPS + "auroc energy_spread energy_level "
PLANE = ENERGY + (
    "nll nll_error nll_beta_star beta_star kl kl_error kl_beta_star tv spurious_mass mse_log_density low_energy_share "
    "offending_level "
)
ANSWERS = ENERGY + "nll offending_level "
BRANCHES = ANSWERS + "answer_error branches_found false_answers "
WORDS = ENERGY + "cer wer exact_match reject_at_1pct "
LETTERS = WORDS + "word_list_cer " + " ".join(f"gap_per_letter_{q}" for q in ("q01", "q10", "q50", "q90"))
STRIPS = WORDS + "decoder_gap alignment_error "
# The measures of each task before they were made from evaluations: those of running evaluations, and those that the
# last one has besides.
COARSE = {
    "8gaussians": PLANE + "modes high_quality",
    "25gaussians": PLANE + "modes high_quality",
    "parabola": BRANCHES,
    "ellipse": BRANCHES,
    "spiral": BRANCHES,
    "classes": ANSWERS + "error bayes_error",
    "letters": LETTERS,
    "words": STRIPS,
    "handwriting": STRIPS,
}
PARTS = {
    "letters": [3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    "words": [*range(2, 11), "clean", "jitter", "noise", "both", "doubled", "hello"],
}
KINDS = ("8gaussians", "parabola", "classes", "letters", "words")  # tasks that have all kinds of evaluations
BY_PLACE = pytest.mark.parametrize(("name", "fine"), [(name, fine) for name in TASKS for fine in (False, True)])


def flat(steps):
    """A model of which only the shapes of answers are looked at."""

    def align(x, y):
        return Alignment(jnp.zeros((steps, 27)), jnp.zeros(steps, int), jnp.zeros(steps))

    return Model(
        lambda x, y: jnp.zeros(()),
        best_different=lambda x, y, reward: y,
        n_best=lambda x, y, count: jnp.stack([y] * count),
        align=align,
    )


@cache
def evaluation(name, fine):
    """What the measures of a task look at, of energies and answers at random: nothing is compiled for it."""
    task, rng = build(name), np.random.default_rng(0)
    shapes = jax.eval_shape(lambda data, at: task.probe(flat(12), data, at), task.data(), task.targets(fine))

    def leaf(shape):
        whole = np.issubdtype(shape.dtype, np.integer)
        return rng.integers(0, 26, shape.shape) if whole else rng.normal(size=shape.shape).astype(np.float32)

    probed = {part: leaf(shape) for part, shape in shapes.items() if not part.startswith("shown_")}
    return task.measure(probed, fine, 1.0, 0.5)


def evaluations(name, fine):
    """The same, one by one."""
    found = evaluation(name, fine)
    return found if isinstance(found, tuple) else (found,)


@cache
def measures(name, fine):
    return evaluate.measures(evaluation(name, fine))


def every():
    return [one for name in TASKS for one in evaluations(name, False)]


def applies(measure, one):
    return measure.function is not None and isinstance(one, measure.of) and measure.when(one)


@BY_PLACE
def test_the_evaluation_of_a_task_gives_the_measures_that_it_always_had(name, fine):
    asked = COARSE.get(name, PLANE).split() + [f"exact_match_{part}" for part in PARTS.get(name, []) if fine]
    assert set(measures(name, fine)) == set(asked)


@BY_PLACE
def test_measures_are_numbers_but_where_a_density_is_not_known(name, fine):
    found = measures(name, fine)
    undefined = {"kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density"}
    missing = undefined if name in ("line", "cos", "points") else set()
    assert {key for key, value in found.items() if value is None} == missing
    assert all(isinstance(value, float | int) and np.isfinite(value) for value in found.values() if value is not None)


@BY_PLACE
def test_no_column_is_filled_twice(name, fine):
    """Of measures of one evaluation, or of several evaluations of a task, the last would win."""
    filled = Counter(
        column.name
        for one in evaluations(name, fine)
        for measure in registry.measures()
        if applies(measure, one)
        for column in measure.columns
    )
    assert filled.most_common(1)[0][1] == 1, filled.most_common(3)


@pytest.mark.parametrize("name", KINDS)
def test_a_measure_fills_the_columns_that_it_names(name):
    """On one evaluation of each kind."""
    for one in evaluations(name, TASKS[name].traits.answers == "sequence"):
        for measure in [measure for measure in registry.measures() if applies(measure, one)]:
            value, named = measure.function(one), {column.name for column in measure.columns}
            if isinstance(value, dict):
                stars = tuple(column.removesuffix("*") for column in named if column.endswith("*"))
                assert all(key in named or key.startswith(stars) for key in value), measure.function.__name__
                assert stars or set(value) == named
            else:
                assert named == {measure.function.__name__}


@pytest.mark.parametrize("name", TASKS)
def test_the_measures_that_a_task_names_are_its_own_and_have_a_direction_or_are_what_can_be_reached(name):
    named = TASKS[name].traits.measures
    found = measures(name, True)
    assert named
    assert set(named) <= set(registry.columns())
    assert all(found.get(one) is not None for one in named)
    assert {one for one in named if not columns.column(one).better} <= {"bayes_error", "word_list_cer"}
    assert all(columns.column(one).accuracy for one in named)


def test_every_measure_is_of_the_evaluation_of_some_task():
    kinds = {type(one) for name in KINDS for one in evaluations(name, False)}
    assert kinds == {type(one) for one in every()}, "the measures of each kind were looked at"
    ours = [one for one in registry.measures() if one.function and one.function.__module__.startswith("ebmcli.")]
    assert len(ours) > 30
    idle = [measure.function.__name__ for measure in ours if not any(applies(measure, one) for one in every())]
    assert not idle


def test_every_other_column_is_filled_by_the_training(finished):
    """By a record of a run, or by what a sampler reports of itself."""
    from ebmcli.storage import store

    record = next(iter(store.records(finished / "results" / "x")))
    told = {column.name for one in registry.measures() if one.function is None for column in one.columns}
    assert told <= set(record.metrics) | reported()
    assert reported() <= told, "what samplers report has a column"
    assert {"acceptance", "moved", "reflected"} <= reported()


@cache
def reported():
    """The names of what samplers report, without drawing anything."""
    runs = [one for task in ("moons", "classes", "letters") for one in cells_of(task=task, loss="hinge", sampler="all")]
    found = set()
    for cell in [cell for cell in runs if not cell.judgement.refusal]:
        program = program_of(cell.units, cell.config)
        values = {name: jnp.asarray(value) for name, value in cell.config.items() if isinstance(value, float)}
        lane = {"values": values, "reward": jnp.zeros(())}

        def report(data, program=program, lane=lane):
            task, energy, sampler = loop.parts(program, lane)
            key, batch = jax.random.key(0), task.draw(jax.random.key(1), data, 8)
            state = sampler.init(key, batch)
            model = bind(energy, energy.init(key, *jax.tree.map(lambda leaf: leaf[0], tuple(batch))))
            return {**sampler.report(state), **sampler.watch(key, state, model, batch)}

        found |= set(jax.eval_shape(report, build(cell.config["task"]).data()))
    return found


# --- figures that there are not always -------------------------------------------------------------------------------


def test_only_modes_and_their_quality_are_masked_and_they_are_where_there_is_no_mixture():
    masked = {}
    for one in every():
        for measure in [measure for measure in registry.measures() if isinstance(one, measure.of) and measure.function]:
            masked.setdefault(measure.function.__name__, set()).add((measure.when(one), is_mixture(one)))
    assert masked.pop("modes") == masked.pop("high_quality") == {(True, True), (False, False)}
    assert {mask for pairs in masked.values() for mask, _ in pairs} == {True}


def is_mixture(one):
    return isinstance(one, PlaneEvaluation) and one.truth.modes is not None


def test_a_measure_that_is_masked_has_no_key_and_takes_no_other_with_it():
    mixture = evaluation("8gaussians", False)
    bare = evaluate.measures(replace(mixture, truth=mixture.truth._replace(modes=None)))
    assert set(measures("8gaussians", False)) - set(bare) == {"modes", "high_quality"}
    assert set(bare) == set(measures("moons", False))


def test_words_by_length_are_measured_at_the_end_alone():
    for fine in (False, True):
        (one,) = [one for one in evaluations("letters", fine) if isinstance(one, SegmentedEvaluation)]
        assert bool(exact_match_by_length(one)) == one.fine == fine
