"""The pinwheel of Johnson et al. (2016): five arms, each a Gaussian bent clockwise. Its points and its exact density.

Arm k is a Gaussian about (1, 0), turned clockwise by 2 pi k/5 + TWIST exp(f1), f1 being the first coordinate.
"""

import numpy as np

from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.tasks._log_densities import FLOOR

ARMS = 5
ALONG, ACROSS = 0.3, 0.1  # standard deviations of a point (f1, f2) before it is turned
TWIST = 0.25
SCALE = 2.0
NEWTON_STEPS = 12


def draw(key: Key, size: int) -> tuple[Array, Array]:
    """Draw points [size, 2] and the arms [size] that they lie on."""
    arm, noise = jax.random.split(key)
    y = jax.random.randint(arm, (size,), 0, ARMS)
    spread, middle = jnp.array([[ALONG, ACROSS]]), jnp.array([[1.0, 0.0]])
    along, across = (spread * jax.random.normal(noise, (size, 2)) + middle).T
    angle = -(2 * jnp.pi * y / ARMS + TWIST * jnp.exp(along))  # clockwise
    turned = [along * jnp.cos(angle) - across * jnp.sin(angle), along * jnp.sin(angle) + across * jnp.cos(angle)]
    return SCALE * jnp.stack(turned, axis=1), y


def arm_log_densities(y: np.ndarray) -> np.ndarray:
    """[N, 5]: the log-density of each arm of the pinwheel, by change of variables.

    y / SCALE has the polar coordinates rho and theta. The point (f1, f2) = rho (cos phi, sin phi) that is turned to it
    solves phi - TWIST exp(rho cos phi) = theta + 2 pi k/5; the map stretches areas by SCALE^2 |1 + TWIST exp(f1) f2|.
    Where that is 0 the map folds: what lies behind the fold, 1e-9 of an arm, is left out.
    """
    rho, theta = np.hypot(*y.T)[:, None] / SCALE, np.arctan2(y[:, 1], y[:, 0])[:, None]
    # No less than the solution, from where Newton's steps run down a convex slope to it.
    phi = np.mod(theta + 2 * np.pi * np.arange(ARMS) / ARMS + TWIST * np.exp(rho) + np.pi, 2 * np.pi) - np.pi
    goal = phi - TWIST * np.exp(rho)
    for _ in range(NEWTON_STEPS):
        twist = TWIST * np.exp(rho * np.cos(phi))
        phi = phi - (phi - twist - goal) / np.maximum(1 + rho * np.sin(phi) * twist, 1e-6)
    f1, f2 = rho * np.cos(phi), rho * np.sin(phi)
    solved = np.abs(phi - TWIST * np.exp(f1) - goal) < 1e-9  # else there is no such point
    stretch = np.maximum(SCALE**2 * (1 + TWIST * np.exp(f1) * f2), 1e-12)
    exponent = np.square((f1 - 1) / ALONG) / 2 + np.square(f2 / ACROSS) / 2
    log_density = -exponent - np.log(2 * np.pi * ALONG * ACROSS * stretch)
    return np.where(solved, np.maximum(log_density, FLOOR), FLOOR)


def log_density(y: np.ndarray) -> np.ndarray:
    """The pinwheel: its five arms are equally likely."""
    from scipy.special import logsumexp

    return logsumexp(arm_log_densities(y), axis=1) - np.log(ARMS)
