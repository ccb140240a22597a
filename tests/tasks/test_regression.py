"""Questions with several right answers: the curves are those of the definition, and known energies are read right."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.tasks import build, drawn, measured

ON_A_PATH = {  # what their right answers y to x fulfil
    "parabola": lambda x, y: y - x**2,
    "ellipse": lambda x, y: (x / 1.5) ** 2 + y**2 - 1,
    "spiral": lambda x, y: np.sin((7 * np.hypot(x, y) - np.arctan2(y, x)) / 2),
}


@pytest.mark.parametrize("name", ON_A_PATH)
def test_answers_lie_on_the_curve_and_all_of_them_are_known(name):
    task = build(name)
    x, y = np.asarray(drawn(name, 500), np.float64)[..., 0]
    np.testing.assert_allclose(ON_A_PATH[name](x, y), 0, atol=1e-5)
    targets = task.targets(True)
    asked, right = (np.float64(targets[part][:, 0]) for part in ("asked", "right"))
    np.testing.assert_allclose(ON_A_PATH[name](asked, right), 0, atol=1e-5)
    assert not set(task.data()["x"][:, 0].tolist()) & set(asked.tolist()), "held-out questions"
    assert (np.abs(np.concatenate([y, right])) < max(map(abs, task.space[:2]))).all(), "inside the box"
    # Every point of the curve that is near a question is near one of its answers: none is missing.
    close = np.abs(x[:, None] - asked) < 0.0051
    nearest = np.where(close, np.abs(y[:, None] - right), np.inf).min(axis=1)
    steep = {"parabola": 0.011, "ellipse": 0.06, "spiral": 0.06}[name]
    assert np.isfinite(nearest).mean() > 0.3
    assert (nearest[np.isfinite(nearest)] < steep).mean() > 0.9
    counts = np.unique(asked, return_counts=True)[1]
    assert (counts.min(), counts.max()) == {"parabola": (1, 1), "ellipse": (2, 2), "spiral": (1, 4)}[name]


def test_inference_of_energies_that_are_known_on_the_ellipse():
    """All right answers, their mean, one of the two, and three answers of which one is wrong."""

    def bowls(*answers):
        return lambda x, y: jnp.min(jnp.square(y[0] - jnp.stack([answer(x[0]) for answer in answers])))

    def upper(x):
        return jnp.sqrt(1 - jnp.square(x / 1.5))

    def lower(x):
        return -upper(x)

    def found(*answers):
        measures = measured("ellipse", bowls(*answers))
        return [measures[name] for name in ("branches_found", "false_answers", "answer_error")]

    np.testing.assert_allclose(found(upper, lower), [1, 0, 0], atol=0.005)
    mean = found(lambda x: 0 * x)
    assert (mean[0], mean[1], mean[2]) == pytest.approx((0, 1, np.pi / 4), abs=0.02)
    np.testing.assert_allclose(found(upper), [0.5, 0, 0], atol=0.005)
    wrong = found(upper, lower, lambda x: 1.7 + 0 * x)
    np.testing.assert_allclose(wrong[:2], [1, 1 / 3], atol=0.01)
    flat = measured("ellipse", lambda x, y: 7 * x[0] + 0 * y[0])
    assert (flat["branches_found"], flat["false_answers"]) == (0, 1)


def test_measures_of_energies_that_are_known_on_the_parabola():
    """F = s (y - x^2)^2: the gap is s e^2 at the edge of what counts as wrong, Z is that of a Gaussian."""
    good = measured("parabola", lambda x, y: 200 * jnp.sum(jnp.square(y - jnp.square(x))))
    assert good["answer_error"] < 0.005  # the cells of y
    assert good["gap_q50"] == pytest.approx(200 * 0.1**2, rel=0.05)
    assert good["nll"] == pytest.approx(0.5 * np.log(2 * np.pi / 400), abs=1e-3)
    assert (good["auroc"], good["violation_rate"]) == (1.0, 0.0)
    bad = measured("parabola", lambda x, y: -200 * jnp.sum(jnp.square(y - jnp.square(x))))
    assert (bad["auroc"], bad["violation_rate"]) == (0.0, 1.0)
    flat = measured("parabola", lambda x, y: 7 * x[0] + 0 * y[0])
    assert flat["auroc"] == 0.5
    assert flat["energy_spread"] == pytest.approx(0, abs=1e-6)
    assert flat["nll"] == pytest.approx(np.log(3), abs=1e-5)
