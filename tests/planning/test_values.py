"""Hyperparameters by name: one meaning, legal defaults, values from text; bad ones are a sentence."""

import pytest
from helpers.cells import cells_of

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.planning.values import expand, legal, parameter
from ebmcli.training.optimiser import SETTINGS


def test_names_of_hyperparameters_mean_one_thing():
    owners = {name: {"training"} for name in SETTINGS}
    for kind in KINDS:
        for unit in units(kind).values():
            for name in unit.parameters:
                owners.setdefault(name, set()).add(kind)
    assert {name: kinds for name, kinds in owners.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_default_lies_in_its_range(kind):
    for unit in units(kind).values():
        for one in unit.parameters.values():
            assert legal(one, one.default) == one.default


def test_the_settings_of_training_have_legal_defaults():
    for one in SETTINGS.values():
        assert legal(one, one.default) == one.default


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("steps", "3", [3]),
        ("steps", "1,5..7", [1, 5, 6, 7]),
        ("lr", "0.1, 1e-3", [0.1, 0.001]),
        ("lr", [1, "0.5"], [1.0, 0.5]),
        ("batch-size", 8, [8]),
        ("optimizer", "adam,sgd", ["adam", "sgd"]),
        ("fold", "all", ["all"]),
    ],
)
def test_values_come_from_numbers_lists_and_text(name, given, expected):
    assert expand(parameter(name), given) == expected


@pytest.mark.parametrize(
    ("settings", "axes", "words"),
    [
        ({"lr": "nan"}, {}, ["lr", "finite", "nan"]),
        ({"lr": "inf"}, {}, ["lr", "finite"]),
        ({"lr": "-1"}, {}, ["lr", "at least 1e-12", "-1"]),
        ({"lr": "1e-400"}, {}, ["lr", "at least 1e-12"]),
        ({"lr": "fast"}, {}, ["lr", "number", "'fast'"]),
        ({"margin": "nan"}, {}, ["margin", "finite"]),
        ({"steps": "5.0"}, {}, ["steps", "whole number", "5.0"]),
        ({"steps": "0"}, {}, ["steps", "at least 1,"]),
        ({"steps": str(10**22)}, {}, ["steps", "at most"]),
        ({"steps": True}, {}, ["steps", "whole number"]),
        ({"margni": 1}, {}, ["margni", "did you mean margin"]),
        ({"optimizer": "adma"}, {}, ["optimizer", "'adam' or 'sgd'"]),
        ({"fold": 3}, {}, ["fold", "no run of this grid", "letters"]),
        (
            {"margin_distance": "hamming"},
            {"task": "letters", "loss": "nll"},
            ["margin_distance", "no run of this grid"],
        ),
        ({}, {"loss": "hing"}, ["hing", "did you mean hinge"]),
        ({}, {"task": "mooons"}, ["did you mean moons"]),
        ({}, {"sampler": "pdc"}, ["did you mean pcd"]),
        ({}, {"seed": "0,0"}, ["0 stands twice"]),
        ({}, {"seed": "-1"}, ["seed", "at least 0"]),
        ({}, {"seed": str(2**32)}, ["seed", "at most"]),
        ({}, {"seed": "4..0"}, ["upwards", "0..4"]),
        ({}, {"seed": "0..100000"}, ["at most 100,000 values"]),
        ({}, {"loss": ""}, ["empty"]),
        ({"lr": []}, {}, ["lr", "empty"]),
        ({"steps": "all"}, {}, ["steps", "whole number", "'all'"]),
        ({"loss": "hinge"}, {}, ["loss is no hyperparameter", "--loss"]),
    ],
)
def test_bad_values_are_answered_with_a_sentence(settings, axes, words):
    from ebmcli.planning.cells import cells
    from ebmcli.planning.grid import grid

    with pytest.raises(UsageError) as error:
        cells(grid({"loss": "hinge"} | axes, settings))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_value_is_checked_against_the_unit_that_has_it():
    """A head that one energy has and another has not: legal for the one, a sentence for the other."""
    (cell,) = cells_of(loss="hinge", energy="mlp", head="square")
    assert cell.config["head"] == "square"
    with pytest.raises(UsageError, match="energy linear-chain, head: must be 'free' or 'softplus', found 'square'"):
        cells_of(task="letters", loss="hinge", head="square")
    with pytest.raises(UsageError, match="head"):
        cells_of(loss="hinge", head="cube")
