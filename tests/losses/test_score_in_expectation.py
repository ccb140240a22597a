"""What score matching and its kin find in expectation, over random directions and over the density of the data."""

from functools import partial

import numpy as np
from helpers.views import BETA, LOSS, Example, double, keys, some

MANY = 20_000


def mean_and_error(samples) -> tuple[np.ndarray, np.ndarray]:
    """Of the mean: itself, and its standard error."""
    return samples.mean(axis=0), samples.std(axis=0) / len(samples) ** 0.5


def test_sliced_score_matching_is_score_matching_on_average():
    """Over many directions, in value and slopes, within 4 standard errors, each below 2 per cent of the largest."""
    one = some()
    e = Example(np.tile(one.params[1], (MANY, 1)), np.tile(one.y[1], (MANY, 1)), keys(MANY), np.full(MANY, BETA))
    exact = double(LOSS["score-matching"], one)
    for samples, expected in zip(double(LOSS["sliced-score-matching"], e), exact, strict=True):
        mean, error = mean_and_error(samples)
        assert (error < 0.02 * np.abs(expected[1]).max()).all()
        assert (np.abs(mean - expected[1]) < 4 * error + 1e-9).all()


CENTRE, SIGMA = np.array([0.5, -1.0]), 0.4
COVARIANCE = np.array([[0.3, 0.1], [0.1, 0.2]])
BLURRED = COVARIANCE + SIGMA**2 * np.eye(2)


def gaussian(params, y):
    """-log N(y; CENTRE + shift, C / scale) / BETA but for a constant, with the inverse of C."""
    scale, shift, inverse = params
    away = y - CENTRE - shift
    return scale * away @ inverse @ away / (2 * BETA)


def slopes_at(name, covariance, scale=1.0, shift=(0.0, 0.0), **hyperparameters) -> tuple[np.ndarray, np.ndarray]:
    """The expected slopes in scale and shift, [3], on Gaussian data, and their standard errors.

    The data have exactly the mean CENTRE and exactly COVARIANCE: four points, on which a quadratic form has the mean
    that it has on the density. The noise is drawn.
    """
    points = CENTRE + 2**0.5 * np.concatenate([sign * np.linalg.cholesky(COVARIANCE).T for sign in (1, -1)])
    ones = np.ones(MANY)
    params = (scale * ones, np.tile(shift, (MANY, 1)), np.tile(np.linalg.inv(covariance), (MANY, 1, 1)))
    e = Example(params, np.tile(points, (MANY // 4, 1)), keys(MANY), BETA * ones)
    in_scale, in_shift, _ = double(LOSS[name], e, gaussian, **hyperparameters)[1]
    return mean_and_error(np.c_[in_scale, in_shift])


def test_score_matching_finds_the_density_of_the_data():
    """Its slopes vanish at the mean and the covariance of the data, exactly, and lead back to them from elsewhere."""
    at = partial(slopes_at, "score-matching")
    np.testing.assert_allclose(at(COVARIANCE)[0], 0, atol=1e-9)
    assert at(COVARIANCE, scale=0.8)[0][0] < -0.1
    assert at(COVARIANCE, scale=1.2)[0][0] > 0.1
    for shift in 0.1 * np.array([[1, 1], [1, -1]]):
        assert at(COVARIANCE, shift=shift)[0][1:] @ shift > 0.1


def test_denoising_score_matching_finds_the_blurred_density():
    """Within 4 standard errors its slopes vanish at N(mean, C + sigma^2 I). By more than 10 they do not at N(mean, C),
    from which they lead to a wider one, nor away from the mean, to which they lead back."""
    at = partial(slopes_at, "denoising-score-matching", sigma=SIGMA)
    mean, error = at(BLURRED)
    assert (np.abs(mean) < 4 * error).all()
    assert (error < 0.02).all()
    mean, error = at(COVARIANCE)
    assert mean[0] > 10 * error[0]
    mean, error = at(BLURRED, shift=(0.2, 0.2))
    assert (mean[1:] > 10 * error[1:]).all()
