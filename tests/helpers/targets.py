"""Energies on the plane whose densities exp(-beta F) are known, and checks of samples against them: within Monte-Carlo
error."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from helpers.negatives import BOX
from helpers.quick import OPTIONS
from scipy import stats

COUNT = 8_000  # samples of a check, independent or nearly so: all start apart
ERRORS = 4  # standard errors that are allowed

# As jax.jit, for what takes long to run: compiled as training is, and that in half the time.
long = partial(jax.jit, compiler_options=OPTIONS | {"xla_backend_optimization_level": 1})

MEAN, COVARIANCE = np.array([0.7, -0.4], np.float32), np.array([[0.5, 0.2], [0.2, 0.3]])
PRECISION = np.linalg.inv(COVARIANCE)
CENTRES, SPREAD, SHARES = np.array([-1.0, 1.0]), 0.6, np.array([0.3, 0.7])  # of two round Gaussians, y_1 = 0


def gaussian(y):
    return 0.5 * (y - MEAN) @ jnp.asarray(PRECISION, jnp.float32) @ (y - MEAN)


def mixture(y):
    terms = np.log(SHARES) + CENTRES / SPREAD**2 * y[0]
    return (jnp.sum(jnp.square(y)) + 1) / (2 * SPREAD**2) - jnp.logaddexp(*terms)


def ramp(y):
    """Its density piles up at a wall."""
    return 0.8 * (y[0] - BOX.low)


TARGETS = (gaussian, mixture, ramp)


def check_gaussian(y, beta, step_size=0.0):
    """Mean, covariance and a quantile. step_size: of an unadjusted chain, whose distribution is a known other one."""
    # y <- (1 - eta P) y + noise is stationary at C (1 - eta P / 2)^-1
    true = np.linalg.inv(PRECISION @ (np.eye(2) - step_size * PRECISION / 2)) / beta
    variance, error = np.diag(true), ERRORS / np.sqrt(COUNT)
    assert (np.abs(y.mean(axis=0) - MEAN) < error * np.sqrt(variance)).all()
    assert (np.abs(np.cov(y.T) - true) < error * np.sqrt(np.outer(variance, variance) + true**2)).all()
    below = (y < MEAN + np.sqrt(variance) * stats.norm.ppf(0.9)).mean(axis=0)
    assert (np.abs(below - 0.9) < error * np.sqrt(0.09)).all()


@cache
def mixture_truth(beta):
    """The share of the left half, and the mean and sd of y_0: by quadrature."""
    y = np.linspace(-5, 5, 4_001)
    modes = np.exp(-np.square(y[:, None] - CENTRES) / (2 * SPREAD**2)) @ SHARES
    density = modes**beta / (modes**beta).sum()  # y_1 is independent of y_0
    mean = density @ y
    return density[y < 0].sum(), mean, np.sqrt(density @ np.square(y - mean))


def check_mixture(y, beta):
    """The weights of the modes, and the mean."""
    left, mean, sd = mixture_truth(beta)
    assert abs((y[:, 0] < 0).mean() - left) < ERRORS * np.sqrt(left * (1 - left) / COUNT)
    assert abs(y[:, 0].mean() - mean) < ERRORS * sd / np.sqrt(COUNT)


def check_ramp(y, beta):
    """In tenths of the box u, exp(-8 beta u_0): mean 1/(8 beta) - 1/(e^(8 beta) - 1), and uniform in u_1."""
    u, steep = y / 10 + 0.5, 8 * beta
    assert ((u >= 0) & (u <= 1)).all()
    assert abs(u[:, 0].mean() - 1 / steep + 1 / np.expm1(steep)) < ERRORS / steep / np.sqrt(COUNT)
    assert stats.kstest(u[:, 1], "uniform").pvalue > 1e-3


CHECKS = {gaussian: check_gaussian, mixture: check_mixture, ramp: check_ramp}
