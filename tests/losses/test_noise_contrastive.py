"""Losses that tell the right answer from others of a known density: what they find, and where shares are extreme."""

import numpy as np
import pytest
from helpers.loss_laws import LAWS, P, assert_best, expected
from helpers.losses import LN, LOSS, assert_same, at, found, plain, slopes, some, value


def test_with_one_wrong_answer_infonce_is_the_log_loss():
    pairs = plain(some(negatives=1))
    assert_same(found("infonce", pairs), found("log", pairs))


def test_infonce_over_all_wrong_answers_is_the_nll():
    e = some()
    assert_same(found("infonce", plain(e)), found("nll", plain(e)))
    uniform = e._replace(log_q=np.zeros_like(e.log_q))
    assert_same(found("infonce", uniform), found("nll", uniform), scale=e.beta)


@pytest.mark.parametrize("name", ["infonce", "pirl"])
def test_without_log_q_the_optimum_is_the_ratio_of_the_densities(name):
    """-F = log p/q + c; with the log q of a uniform one, as with any constant, too."""
    q = P[::-1]
    for told in (0.0, 1.5):
        assert_best(LOSS[name], 0.7 - np.log(P / q), 0.0, q, np.full(4, told))
    with pytest.raises(AssertionError):
        assert_best(LOSS[name], 0.7 - np.log(P), 0.0, q, np.zeros(4))


def test_nce_slope_in_log_z():
    """Of exp G = 3, 1 and 1/3: the right answer asks for a smaller Z by 1 / (1 + 3), the others for a larger one."""
    _, right, wrong, fields = LAWS["nce"].worked[0]
    np.testing.assert_allclose(slopes(LOSS["nce"], right, wrong, **fields).log_z, 1 / 4 - (1 / 2 + 1 / 4), rtol=1e-6)


def test_nce_with_a_wrong_log_z_is_not_at_its_optimum():
    """The slope in log Z has the sign of the error: a step against it mends log Z."""
    for error in (-0.5, 0.5):
        _, gradient = expected(LOSS["nce"], -np.log(P), error, np.full(4, 0.25), np.full(4, -LN[4]))
        assert gradient[-1] * error > 0.01


BESIDE = {"y": [0, -16.1, -17, -19], "another": [-16.1, -18, 0, -17], "a tie": [0, -30, 0, -16.1], "all": [0.0] * 4}
BESIDE |= {"y by far": [0, -200, -250, -200], "another by far": [-200, 0, -210, -300]}


@pytest.mark.parametrize("scores", BESIDE.values(), ids=BESIDE)
def test_pirl_where_one_share_is_nearly_1(scores):
    """Within 1e-7 of it, or at it in float32: value and slopes are those of the formula in float64."""
    scores, beta, tau = np.array(scores), 2.0, 0.5
    h = np.exp(scores) / np.exp(scores).sum()
    rest = np.array([np.delete(h, k).sum() for k in range(len(h))])  # 1 - h, with all its digits
    each = h / rest  # of the slope in score k: h_k + h_k / (1 - h_k) - h_k sum of these = h_k (2 - sum of the others)
    pushed = [-rest[0] - h[0] * each[1:].sum(), *(h[k] * (2 - np.delete(each, [0, k]).sum()) for k in range(1, len(h)))]
    q = np.linspace(-1, 1, len(h))
    fields = {"log_q": q[1:], "log_q_positive": q[0], "beta": beta}
    energies = -(scores + q) * tau / beta
    hand = -np.log(h[0]) - np.log(rest[1:]).sum()
    pirl = at("pirl", tau=tau)
    np.testing.assert_allclose(value(pirl, energies[0], energies[1:], **fields), hand, rtol=1e-5, atol=1e-6)
    seen = slopes(pirl, energies[0], energies[1:], **fields)
    np.testing.assert_allclose(
        np.r_[seen.positive, seen.negatives], -beta / tau * np.array(pushed), rtol=2e-5, atol=1e-5
    )
