"""Measures of energies whose answers can all be looked at, on cases with a known answer."""

import numpy as np
import pytest

from ebmcli.metrics import answers
from ebmcli.training import evaluate

WRONG = ~np.eye(3, dtype=bool)[:2]
ENERGY, RIGHT = np.array([[1.0, 4.0, 9.0], [5.0, 2.0, 8.0]]), np.array([1.0, 2.0])


def measures(energy, right, wrong=WRONG, cell=1.0, beta=1.0):
    return evaluate.measures(answers.of_answers(energy, right, wrong, cell, beta, 0.0))


def test_levels_of_the_right_and_of_the_most_offending_answer():
    found = measures(ENERGY, RIGHT)
    assert (found["energy_level"], found["offending_level"], found["gap_q50"]) == (1.5, 4.5, 3.0)


def test_nothing_depends_on_what_is_added_to_the_energies_of_a_question():
    level = np.array([[0.0], [1e3]])
    plain, moved = measures(ENERGY, RIGHT), measures(ENERGY + level, RIGHT + level[:, 0])
    levels = {"energy_level", "offending_level"}
    assert {name for name, value in plain.items() if moved[name] != pytest.approx(value, abs=1e-9)} == levels


@pytest.mark.parametrize(("cell", "beta"), [(1.0, 1.0), (0.5, 2.0)])
def test_the_nll_is_that_of_a_softmax_over_cells(cell, beta):
    weight = np.exp(-beta * ENERGY) * cell
    expected = -np.log(np.exp(-beta * RIGHT) / weight.sum(axis=1)).mean()
    assert measures(ENERGY, RIGHT, cell=cell, beta=beta)["nll"] == pytest.approx(expected)


def test_a_flat_energy_is_at_chance_and_reads_wrong():
    flat = np.zeros((2, 3))
    found = measures(flat, flat[:, 0])
    assert (found["auroc"], found["energy_spread"], found["nll"]) == (0.5, 0.0, pytest.approx(np.log(3)))
    assert answers.error(answers.ClassesEvaluation(flat, WRONG, flat[:, 0], 0.0)) == 1
    assert answers.error(answers.ClassesEvaluation(ENERGY, WRONG, RIGHT, 0.0)) == 0


def test_inferred_answers_are_the_low_local_minima():
    energy = np.array([[5, 1, 5, 2, 6, 4.5, 6, 6, 6], [3, 3, 3, 3, 3, 3, 3, 3, 3], [9, 8, 7, 6, 5, 4, 3, 2, 1]], float)
    given = [np.flatnonzero(row).tolist() for row in answers.inferred_answers(energy)]
    assert given == [[1, 3], [0], [8]]  # 4.5 lies above the middle of 1 and the median 5
