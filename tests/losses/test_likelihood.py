"""Losses that look at all answers at once, or at samples of the model: what one is of another, or tends to."""

import numpy as np
import pytest
from helpers.losses import LN, LOSS, Examples, assert_same, double, found, plain, slopes, some


def test_with_one_wrong_answer_nll_is_the_log_loss():
    pairs = plain(some(negatives=1))
    assert_same(found("nll", pairs), found("log", pairs))


def test_mee_is_one_less_the_share_of_the_right_answer():
    e = some()
    weights = np.exp(-e.beta[:, None] * e.point[:, :-1])
    np.testing.assert_allclose(found("mee", e).loss, 1 - weights[:, 0] / weights.sum(axis=1), rtol=1e-12)


def test_nll_tends_to_the_perceptron_loss():
    """0 <= L_nll - L_perceptron <= log(answers)/beta; the gap is below that of half the beta."""
    e, before = some(), np.inf
    for beta in (1.0, 2.0, 8.0, 64.0, 1e3):
        cold = e._replace(beta=np.full_like(e.beta, beta))
        gap = found("nll", cold).loss - found("perceptron", cold).loss
        assert (gap >= -1e-12).all()
        assert (gap <= LN[1 + e.distance.shape[1]] / beta + 1e-12).all()
        assert (gap <= before / 2 + 1e-12).all()
        before = gap


def test_ml_has_the_gradient_of_the_nll():
    """In expectation over draws from the model, in which y itself has its share; without the penalty."""
    beta, table, right = 2.0, np.array([0.3, -0.2, 0.9, 0.1]), 1
    shares = np.exp(-beta * table) / np.exp(-beta * table).sum()
    ones = np.ones(len(table))
    drawn = Examples(
        np.c_[table[right] * ones, table, 0 * ones], (table != table[right])[:, None], np.zeros((4, 2)), ones
    )
    pulls = double(lambda e: LOSS["ml"](e, alpha=0.0), drawn).slopes
    mean = shares * pulls[:, 1] + (np.arange(4) == right) * (shares @ pulls[:, 0])
    order = np.array([right, *(k for k in range(4) if k != right)])
    one = Examples(np.r_[table[order], 0][None], np.ones((1, 3)), np.zeros((1, 4)), np.array([beta]))
    np.testing.assert_allclose(mean[order], found("nll", one).slopes[0, :-1], atol=1e-12)


@pytest.mark.parametrize("wrong", [[1.5, 4.0], [1.5, 1.5, 1.5]], ids=["tie", "flat"])
def test_perceptron_rests_at_a_tie(wrong):
    """The slopes are exactly 0 where F+ ties with the minimum: a flat energy stays flat."""
    seen = slopes(LOSS["perceptron"], 1.5, wrong)
    assert seen.positive == seen.minimum == 0
