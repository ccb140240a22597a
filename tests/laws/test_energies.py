"""The laws that every registered energy obeys, at every setting: each is held against its formula in numpy
(helpers.energy_forms) on a small space (helpers.energies)."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from helpers.energies import SIZES, UNITS, cases, subject, tried
from helpers.energy_forms import FORMS
from helpers.energy_laws import CHECKS, EVERY, applies


def test_every_registered_energy_has_its_formula_and_every_formula_an_energy():
    assert set(UNITS) == set(FORMS), f"energies without a formula, or the reverse: {set(UNITS) ^ set(FORMS)}"


def laws() -> list[Any]:
    """Each case with each law that it can obey."""
    found = []
    for case, shown in cases():
        name, kind, asked, at = case
        label = "-".join([name, kind, *["x"] * asked, *(str(value) for _, value in at)])
        checks = [check for check in CHECKS if shown or check in EVERY]
        found += [pytest.param(case, c, id=f"{label}-{c}") for c in checks if applies(c, subject(*case))]
    return found


@pytest.mark.parametrize(("case", "check"), laws())
def test_law(case, check):
    CHECKS[check](subject(*case))


def choices() -> list[Any]:
    """Every choice of every energy, with another in its place."""
    return [
        pytest.param(name, one.name, *two, id=f"{name}-{one.name}-{two[0]}-{two[1]}")
        for name in FORMS
        for one in UNITS[name].parameters.values()
        if one.name not in SIZES
        for two in combinations(tried(one), 2)
    ]


@pytest.mark.parametrize(("name", "setting", "one", "other"), choices())
def test_the_formula_of_an_energy_notices_a_choice(name, setting, one, other):
    """What an energy and its formula both ignored would pass for a law."""
    for case, _ in cases():
        s = subject(*case)
        if s.name == name and s.at[setting] == other:  # the parameters are those of the later choice, which needs more
            assert (replace(s, at=s.at | {setting: one}).by_hand(s.params(), 0) != s.by_hand(s.params(), 0)).any()
