"""The margins of the registered losses, found from their functions alone."""

import math
from functools import cache

import numpy as np
import pytest

from ebmcli.checks import margins
from ebmcli.checks.evaluation import Subject
from ebmcli.core import registry

LOSSES = registry.units("loss")
JUDGED = [name for name, unit in LOSSES.items() if unit.traits.promised.applies]
LN2 = math.log(2)
# What is known of each loss: (margin, gradient test, lowest loss on a flat energy, the levels from which to which).
KNOWN = {
    "energy": ("none", "by F+", -3.0, [-3.0, -3.0]),
    "perceptron": ("0", "no", 0.0, None),
    "lvq2": ("0", "no", 0.0, None),
    "lvq2-ratio": ("0", "no", 0.0, None),
    "hinge": ("m", "yes", 1.0, None),
    "margin-sum": ("m", "yes", 1.0, None),
    "simple": ("m, absolute", "yes", 1.0, [0.0, 1.0]),
    "min-hinge": ("m, absolute", "yes", 1.0, [0.0, 1.0]),
    "square-square": ("m, absolute", "yes", 0.5, [0.5, 0.5]),
    "square-hinge": ("m, absolute", "yes", 0.5, [0.5, 0.5]),
    "square-exp": ("infinite", "yes", 0.827, [0.352, 0.352]),
    "log": ("infinite", "yes", LN2, None),
    "mce": ("infinite", "yes", 0.5, None),
    "nll": ("infinite", "yes", LN2, None),
    "mee": ("infinite", "yes", 0.5, None),
    "infonce": ("infinite", "yes", LN2, None),
    "nce": ("infinite", "yes", 2 * LN2, None),  # (1 + K) ln(1 + K) - K ln K with one answer: log Z is fitted
    "pirl": ("infinite", "yes", 2 * LN2, None),
}


@cache
def survey(name):
    return margins.survey(Subject(LOSSES[name]))


@pytest.mark.parametrize("name", JUDGED)
def test_every_loss_keeps_the_margin_that_it_promises_at_each_beta_and_distance(name):
    judgements = margins.judgements(Subject(LOSSES[name]), survey(name))
    assert [one.sentence for one in judgements] == [""] * len(judgements)
    laws = {one.law for one in judgements}
    bound = LOSSES[name].traits.promised.bound
    assert ("margin at beta 2" in laws, "margin at distance 2" in laws) == (True, bound == "m")
    assert ("gradient test" in laws) == (bound not in (None, 0))


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_found_is_what_is_known(name):
    found, gradient, flat, levels = KNOWN[name]
    words = margins.described(survey(name).margins)
    assert (words["found"], words["gradient_test"]) == (found, gradient)
    lowest, where = margins.lowest_flat(survey(name).flat)
    assert lowest == pytest.approx(flat, abs=5e-4)
    assert where == (levels and pytest.approx(levels, abs=5e-4))
    good = {"none": "no", "0": "no", "infinite": "yes"}.get(found, "below m")
    assert words["condition_3"] == good
    push_up = {"none": "never", "0": "gap < 0", "m": "gap < m", "m, absolute": "F- < m", "infinite": "any gap"}
    assert words["push_up"] == push_up[found]


def condition_3(one, margin):
    """The letter of it: some point of HP1 has a lower loss than every point of HP2."""
    inside = one.gap > margin
    return inside.any() and one.loss[inside].min() < one.loss[~inside].min()


@pytest.mark.parametrize("name", JUDGED)
def test_condition_3_holds_to_the_letter_just_below_the_margin_and_not_above(name):
    for one in survey(name).margins:
        margin = margins.largest_margin(one)
        if margin == np.inf:
            best = np.argmin(one.loss)
            assert one.wrong[best] == one.wrong.max(), "only the edge of the box stops it"
            assert condition_3(one, one.gap[best] - margins.STEP)
        else:
            assert condition_3(one, margin - margins.STEP)
            assert not condition_3(one, margin + margins.STEP)


def test_the_fitted_log_z_leaves_nce_free_of_the_level():
    (one,), flat = survey("nce").margins, survey("nce").flat
    np.testing.assert_allclose(one.loss, 2 * np.logaddexp(0, -one.gap / 2), rtol=1e-9)  # c = -(F+ + F-) / 2
    np.testing.assert_allclose(flat[:, 1], 2 * LN2, rtol=1e-9)
    np.testing.assert_allclose(one.slopes @ [1, 1], 0, atol=1e-9)
