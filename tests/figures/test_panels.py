"""Scales that all cells of a page share: healthy cells can be read, collapsed ones do not stretch them."""

import numpy as np
import pytest
from helpers.pages import ARRAYS, BOWL, X

from ebmcli.core import registry
from ebmcli.figures import panels, shapes


def panel(task, healthy=True, beta=1.0, **arrays):
    return panels.Panel({"task": task, "beta": beta}, ARRAYS[task] | arrays, healthy)


def test_one_scale_of_energies_reaches_what_healthy_cells_need_and_no_further_than_the_cap():
    def top(*chosen):
        return panels.scales(chosen).levels[-1]

    assert top(panel("moons")) == 12
    assert top(panel("moons", energy=BOWL / 10)) == pytest.approx(BOWL.max() / 10, rel=0.2)
    assert top(panel("moons", energy=BOWL / 10), panel("moons", healthy=False, energy=1e9 * BOWL)) < 7
    assert top(panel("moons", healthy=False, energy=1e9 * BOWL)) == 12
    assert top(panel("moons", energy=0 * BOWL)) == 12
    assert top(panel("moons"), panel("moons", beta=0.5)) == 24
    assert panels.scales([panel("classes")]).levels.size == 0


def test_an_energy_is_shown_above_its_lowest_in_the_cell_and_on_a_curve_at_each_x():
    assert panel("moons", energy=BOWL - 1e6).above().min() == 0
    shifted = ARRAYS["parabola"]["energy"] + 100 * X
    np.testing.assert_allclose(panel("parabola", energy=shifted).above().min(axis=1), 0)
    assert np.isfinite(panel("moons", energy=3e38 * np.sign(BOWL - BOWL.mean())).above()).all()


def test_bars_of_gaps_have_an_edge_at_0_and_hold_every_word():
    far = np.append(np.linspace(-3, 5, 498), [-1e9, 1e9])
    many = panel("letters", right=np.zeros(500), offending=far)
    shared = panels.scales([many])
    assert np.isclose(shared.edges, 0).any()
    assert -4 < shared.edges[0] < shared.edges[-1] < 6
    assert panels._shares(many, shared.edges).sum() == pytest.approx(1)
    flat = panels.scales([panel("letters", offending=np.zeros(50))])
    assert flat.highest == 1


def test_a_run_whose_arrays_are_missing_or_not_finite_is_not_drawn():
    assert panel("moons").drawable
    assert not panels.Panel({"task": "moons"}, {"energy": BOWL}, True).drawable
    assert not panel("moons", energy=np.full_like(BOWL, np.nan)).drawable


@pytest.mark.parametrize("task", [name for name, unit in registry.units("task").items() if not unit.traits.file])
def test_every_task_of_the_registry_has_a_kind_of_cell(task):
    assert panels.kind(task) in shapes.NEEDS
