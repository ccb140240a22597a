"""Promised margins: how they are written, what they are in a run, and in words."""

import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.margins import GROWS, HYPERPARAMETER, Margin
from ebmcli.core.types import CONSTANT

# (as it is written, as it is read, its value where m = 0.5, in the words of that run)
KINDS = [
    ("none", Margin(None), None, "none"),
    ("-", Margin(None, applies=False), None, "-"),
    ("infinite", Margin(math.inf), math.inf, "infinite"),
    ("0", Margin(0.0), 0, "0"),
    ("1.5", Margin(1.5), 1.5, "1.5"),
    ("1.5, absolute", Margin(1.5, absolute=True), 1.5, "1.5, absolute"),
    ("m", Margin("m"), 0.5, "0.5"),
    ("m, absolute", Margin("m", absolute=True), 0.5, "0.5, absolute"),
]
of_each_kind = pytest.mark.parametrize(("written", "margin", "value", "words"), KINDS, ids=[kind[0] for kind in KINDS])
CONFIG = {"margin": 0.5, "lr": 0.1}


@of_each_kind
def test_a_margin_is_read_as_it_is_written(written, margin, value, words):
    assert Margin.parse(written) == margin


@of_each_kind
def test_without_a_run_a_margin_is_put_in_the_words_in_which_it_is_written(written, margin, value, words):
    assert margin.text() == written


@of_each_kind
def test_in_a_run_m_is_the_value_of_its_hyperparameter(written, margin, value, words):
    assert margin.value(CONFIG) == value
    assert margin.text(CONFIG) == words


@of_each_kind
def test_in_a_run_that_has_no_margin_m_remains_m(written, margin, value, words):
    assert margin.value({}) == (None if margin.bound == HYPERPARAMETER else value)
    assert margin.text({}) == margin.text({"margin_distance": CONSTANT}) == written


@pytest.mark.parametrize("distance", [*GROWS, CONSTANT])
@of_each_kind
def test_only_m_grows_with_the_distance_of_the_answers(written, margin, value, words, distance):
    grown = {"hamming": "0.5 a letter", "edit": "0.5 an edit", CONSTANT: "0.5"}[distance]
    found = margin.text(CONFIG | {"margin_distance": distance})
    assert found == {"m": grown, "m, absolute": f"{grown}, absolute"}.get(written, words)
    assert margin.value(CONFIG | {"margin_distance": distance}) == value


@pytest.mark.parametrize(
    ("m", "words"), [(1.0, "1"), (1, "1"), (0.125, "0.125"), (1e-12, "1e-12"), (1e12, "1e+12"), (1 / 3, "0.333333")]
)
def test_a_number_is_put_in_words_with_six_digits_at_most(m, words):
    assert Margin("m").text({"margin": m}) == Margin(float(m)).text() == words
    assert Margin("m", absolute=True).text({"margin": m, "margin_distance": "edit"}) == f"{words} an edit, absolute"


@pytest.mark.parametrize("written", ["m,absolute", "m,  absolute ", "2,absolute"])
def test_blanks_round_absolute_do_not_count(written):
    assert Margin.parse(written).absolute


# fmt: off
WRONG = [
    "", " ", "M", "margin", "m ", "2m", "infinit", "inf", "-inf", "nan", "infinity", "None", "--", "0.5.", "1,5", "m,",
    "m, ", "m, relative", "m absolute", "absolute", ", absolute", "m, absolute, absolute", "none, absolute",
    "infinite, absolute", "-, absolute", "inf, absolute", "nan, absolute",
]
# fmt: on


@pytest.mark.parametrize("written", WRONG)
def test_anything_else_is_refused_with_what_can_be_written(written):
    with pytest.raises(UsageError) as error:
        Margin.parse(written, "loss mine")
    assert str(error.value).startswith(f"loss mine: promised={written!r}: write none, 0, m, infinite, or - where")
    assert "`m, absolute`" in str(error.value)


@settings(deadline=None)
@given(st.text("m0123456789.,-einfabsolute ", max_size=12) | st.text(st.characters(codec="ascii"), max_size=12))
def test_text_is_a_margin_that_its_words_give_back_or_it_is_refused(written):
    try:
        margin = Margin.parse(written)
    except UsageError:
        return
    assert Margin.parse(margin.text()).text() == margin.text()
    assert Margin.parse(margin.text()).absolute == margin.absolute


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=16), st.booleans())
def test_a_number_is_read_and_written(number, absolute):
    margin = Margin.parse(f"{number!r}{', absolute' if absolute else ''}")
    assert margin == Margin(number, absolute)
    assert margin.value(CONFIG) == number
    assert margin.text(CONFIG) == f"{number:g}{', absolute' if absolute else ''}"


# --- those of the registry --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.units("loss"))
def test_the_promise_of_every_loss_is_one_that_can_be_written(name):
    unit = registry.find("loss", name)
    promised = unit.traits.promised
    assert Margin.parse(promised.text()) == promised
    assert promised.applies or promised.bound is None
    assert ("margin" in unit.parameters) == (promised.bound == HYPERPARAMETER)


def test_every_distance_of_a_task_with_which_a_margin_grows_has_its_words():
    annotations = [
        unit.parameters["margin_distance"].annotation
        for unit in registry.units("task").values()
        if "margin_distance" in unit.parameters
    ]
    assert {one for annotation in annotations for one in get_args(annotation)} == {*GROWS, CONSTANT}
