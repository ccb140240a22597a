"""The value on a flat energy, as a loss declares it in words."""

import math

import pytest

from ebmcli.core import registry
from ebmcli.core.flat import Flat, Formula

SYMBOLS = {"F": 0.5, "K": 3, "m": 2.0, "beta": 4.0, "alpha": 0.1, "|Y|": 5.0, "|y|": 3.0, "D": 2.0, "w": 1.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("1/2", 0.5), ("m", 2), ("-m", -2), ("1 - 1/|Y|", 0.8), ("ln 2", math.log(2)), ("sum of m", 6),
        ("ln|Y| / beta", math.log(5) / 4), ("2 alpha F^2", 0.05), ("2 m^2/2", 4), ("m^2^2", 16), ("F - m - 1", -2.5),
        ("(1 + K) ln(1 + K) - K ln K", 4 * math.log(4) - 3 * math.log(3)), ("8/m/2", 2), ("exp(-F)", math.exp(-0.5)),
        ("|y|^2", 9), ("D / (2 m^2)", 0.25), ("sqrt(m + 2) (K - 1)", 4), ("1e-3", 1e-3),
    ],
)  # fmt: skip
def test_a_formula_is_read_as_it_is_written(text, value):
    assert Formula.parse(text).value(SYMBOLS) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value", "levels", "given"),
    [
        ("m", 2, (-1, 1), {}),
        ("m, where 0 <= F <= m", 2, (0, 2), {}),
        ("m^2/2 at F = m/2", 2, (1, 1), {}),
        ("0.827 at F = 0.352 (gamma = rate = 1)", 0.827, (0.352, 0.352), {"gamma": 1, "rate": 1}),
        ("|y|^2, where g = 0", 9, (-1, 1), {"g": 0}),
        ("ln(1 + w/M) (M = 16)", math.log(17 / 16), (-1, 1), {"M": 16}),
    ],
)
def test_a_declaration_says_at_which_levels_and_settings(text, value, levels, given):
    declared = Flat.parse(text)
    tried = declared.levels((-1, 1), SYMBOLS)
    assert declared.value.value(SYMBOLS | declared.given) == pytest.approx(value)
    assert (tried[0], tried[-1], declared.given) == (*levels, given)
    assert declared.names <= SYMBOLS.keys()


@pytest.mark.parametrize(
    "text", ["", "(1", "1 +", "a $", "1)", "* 2", "ln", "1 + " * 100 + "1", "0.5 (rate 1", "1 (rate = x)"]
)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError, match=r"formula|float"):
        Flat.parse(text)


def test_prose_speaks_of_names_that_no_loss_has():
    assert Flat.parse("about one").names == {"about", "one"}


def test_what_is_rounded_says_how_far():
    assert [Formula.parse(text).rounding for text in ("0.827", "1.5 + 0.25", "1/2", "10")] == [5e-4, 0.05, 0, 0]


@pytest.mark.parametrize(("name", "unit"), registry.units("loss").items())
def test_every_registered_loss_declares_a_value_that_can_be_read(name, unit):
    known = {"F", "K", "|Y|", "m", "beta", "D", "|y|", *unit.parameters}
    assert Flat.parse(unit.traits.flat).names <= known
