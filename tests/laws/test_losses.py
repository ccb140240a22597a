"""The laws that every registered loss of energies obeys. Those of a View of the model stand in losses/test_score.py."""

import numpy as np
import pytest
from helpers.loss_laws import ANSWERS, CHECKS, COVERED, LAWS, PAIRED, check_worked
from helpers.losses import LN, LOSS, LOSSES, Examples, at, double, slopes

from ebmcli.core import registry
from ebmcli.training import objective

REGISTERED = registry.units("loss")


def test_every_registered_loss_has_its_laws_and_every_law_a_loss():
    assert set(LOSSES) == set(LAWS), f"losses without laws, or laws without a loss: {set(LOSSES) ^ set(LAWS)}"


@pytest.mark.parametrize("name", COVERED)
def test_the_energies_of_a_law_have_the_sign_that_the_loss_declares(name):
    assert LAWS[name].nonnegative == ("nonnegative" in LOSSES[name].traits.needs | LOSSES[name].traits.wants)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", COVERED)
def test_law(name, check):
    CHECKS[check](LOSS[name], LAWS[name])


@pytest.mark.parametrize("name", COVERED)
def test_the_worked_values_notice_whatever_a_loss_reads(name):
    """A field or a hyperparameter that is ignored, taken for what it mostly is, breaks them."""
    law = LAWS[name]
    for left_out in (*law.reads.split(), *LOSSES[name].parameters):
        poorer = [(*case[:3], {key: at for key, at in case[3].items() if key != left_out}) for case in law.worked]
        with pytest.raises(AssertionError):
            check_worked(LOSS[name], law._replace(worked=poorer))


@pytest.mark.parametrize("level", [-1e4, 1e4])
@pytest.mark.parametrize("name", [name for name in PAIRED if not LAWS[name].itself])
def test_the_right_answer_among_the_negatives_is_not_seen_at_any_level(name, level):
    """Finite slopes, and 0 in that negative, where its energy is far outside what the loss can bear."""
    far, near = (slopes(LOSS[name], 1.0, [at, 0.75], distance=[0.0, 1.0]) for at in (level, 0.5))
    assert far.negatives[0] == near.negatives[0] == 0
    assert (far.positive, far.negatives[1]) == (near.positive, near.negatives[1])


# --- what a loss declares ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTERED)
def test_a_loss_reads_what_it_declares(name):
    """It runs on a record with only the declared fields filled, and not with one need less."""
    unit = REGISTERED[name]
    objective.check_loss(unit, unit.traits.needs)
    for need in unit.traits.needs & {*objective.FILLED, "view", "reconstruct"}:
        with pytest.raises((TypeError, AttributeError)):
            objective.check_loss(unit, unit.traits.needs - {need})


@pytest.mark.parametrize("name", COVERED)
def test_promised_margin_is_that_of_the_formula(name):
    """The set of (F+, F-) on which the loss still pushes F- up, at m = 1, is that of the margin in the registry.

    One that saturates is taken where it does not yet. Margins do not apply to `ml`: it pushes regardless of both.
    """
    law = LAWS[name]
    function = at(name, **{law.limit: 100.0}) if law.limit else LOSS[name]
    one, two = (axis.ravel() for axis in np.meshgrid(*[np.arange(0.25 if law.nonnegative else -3, 3.1, 0.25)] * 2))
    ones = np.ones(len(one))
    grid = Examples(np.c_[one, two, 0 * ones], ones[:, None], 0 * np.c_[one, two], ones)
    pushed = double(function, grid).slopes[:, 1] < 0
    gap = two - one
    support = {"none": gap > 9, "0": gap < 0, "m": gap < 1, "m, absolute": two < 1, "infinite": gap < 9}
    promised = LOSSES[name].traits.promised.text()
    if promised == "-":
        assert name == "ml"
        assert pushed.all()
    else:
        assert [margin for margin, region in support.items() if (pushed == region).all()] == [promised]


K = ANSWERS - 1
DECLARED = {  # what `ebm list losses` says of a flat energy, as a number at F = 0.5, m = beta = gamma = rate = 1
    "F": 0.5, "0": 0.0, "1/2": 0.5, "m": 1.0, "m, where 0 <= F <= m": 1.0, "sum of m": float(K), "ln 2": LN[2],
    "m^2/2 at F = m/2": 0.5, "ln|Y| / beta": LN[ANSWERS], "1 - 1/|Y|": 1 - 1 / ANSWERS, "2 alpha F^2": 2 * 0.1 * 0.25,
    "0.827 at F = 0.352 (gamma = rate = 1)": 0.827, "ln(1 + K)": LN[1 + K],
    "(1 + K) ln(1 + K) - K ln K": (1 + K) * LN[1 + K] - K * LN[K],
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_the_listed_value_on_a_flat_energy_is_that_of_the_formula(name):
    assert DECLARED[LOSSES[name].traits.flat] == pytest.approx(LAWS[name].flat, abs=5e-4)
