"""Measures of an energy on the plane: levels, and what there is where the true density is not known."""

import numpy as np
from helpers.gaussians import STANDARD

from ebmcli.metrics.plane import PlaneEvaluation
from ebmcli.training import evaluate

UNDEFINED = {"kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density"}


def measures(energy, data, truth=STANDARD):
    return evaluate.measures(PlaneEvaluation(energy, data, truth, 1.0, 1.0))


def test_levels_of_the_right_and_of_the_most_offending_answer():
    found = measures(np.where(STANDARD.far, 3.0, 1.0), np.full(10, 2.0))
    assert (found["energy_level"], found["offending_level"], found["gap_q50"]) == (2.0, 3.0, 1.0)


def test_a_task_without_a_density_has_no_measures_against_it():
    found = measures(-STANDARD.log_density, np.zeros(5), STANDARD._replace(log_density=None))
    assert {name for name, value in found.items() if value is None} == UNDEFINED
    assert found.keys() == measures(-STANDARD.log_density, np.zeros(5)).keys()
    assert found["nll_beta_star"] <= found["nll"]
    assert {"modes", "high_quality"}.isdisjoint(found)


def test_where_the_density_at_the_data_is_not_known_only_the_mse_is_missing():
    found = measures(-STANDARD.log_density, np.zeros(5))
    assert {name for name, value in found.items() if value is None} == {"mse_log_density"}
