"""Hyperparameters: what a signature says of them, which values they can have, and the sentence about all others."""

import math
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Ge, Le
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmcli.core import registry
from ebmcli.core.errors import LONG, UsageError
from ebmcli.core.parameters import Before, OneOf, Parameter, arguments_for, parameters_of
from ebmcli.core.texts import shortened
from ebmcli.core.types import Count, NonNegative, Positive, Repeat, Share, Traced
from ebmcli.core.units import KINDS
from ebmcli.training.optimiser import SETTINGS

SHELF = ["one", "two"]


def signature(
    x: Any,
    y: float,
    plain: float = 1.0,
    positive: Positive = 0.5,
    share: Share = 1.0,
    whole: int = 3,
    count: Count = 8,
    steps: Annotated[int, Ge(1), Le(100), Traced] = 10,
    seed: Annotated[int, Ge(0), Le(9), Repeat, Traced] = 0,
    fold: Annotated[int, Ge(2), Le(4), Repeat] = 2,
    head: Literal["free", "softplus", "square"] = "free",
    pair: Literal["a", "b"] = "a",
    alone: Literal["only"] = "only",
    shelved: Annotated[str, OneOf(lambda: SHELF)] = "one",
    text: str = "",
    late: Annotated[Literal["old", "new"], Before("old")] = "new",
    late_number: Annotated[float, Ge(0), Before(0.0)] = 1.0,
):
    """All sorts of hyperparameters."""


ALL = parameters_of(signature)
FLOATS = ["plain", "positive", "share", "late_number"]
INTEGERS = ["whole", "count", "steps", "seed", "fold"]
CHOICES = {"head": ("free", "softplus", "square"), "pair": ("a", "b"), "alone": ("only",), "shelved": ("one", "two")}
CHOICES["late"] = ("old", "new")


def message(parameter, value):
    """Why it cannot have a value."""
    with pytest.raises(UsageError) as error:
        parameter.validate(value)
    return str(error.value)


# --- what the signature says ------------------------------------------------------------------------------------------


def test_the_hyperparameters_of_a_function_are_its_arguments_with_a_default():
    names = "plain positive share whole count steps seed fold head pair alone shelved text late late_number"
    assert list(ALL) == names.split()
    assert {name: one.name for name, one in ALL.items()} == {name: name for name in ALL}
    assert (ALL["positive"].default, ALL["whole"].default, ALL["head"].default) == (0.5, 3, "free")


def test_annotations_may_be_written_as_text():
    def later(e, alpha: "NonNegative" = 0.1, head: "Literal['free', 'square']" = "free"):
        """as under `from __future__ import annotations`"""

    found = parameters_of(later)
    assert (found["alpha"].type, found["head"].choices) == (float, ("free", "square"))
    assert "at least 0," in message(found["alpha"], -1)


def test_a_type_is_a_number_a_whole_number_or_text():
    assert {name: one.type for name, one in ALL.items()} == (
        dict.fromkeys(FLOATS, float) | dict.fromkeys(INTEGERS, int) | dict.fromkeys([*CHOICES, "text"], str)
    )


def test_floats_and_what_is_marked_so_are_traced():
    assert {name for name, one in ALL.items() if one.traced} == {*FLOATS, "steps", "seed"}


def test_choices_are_those_of_a_literal_or_of_a_register():
    assert {name: one.choices for name, one in ALL.items() if one.choices} == CHOICES


def test_a_name_that_is_registered_later_can_be_chosen(monkeypatch):
    assert "'three'" in message(ALL["shelved"], "three")
    monkeypatch.setitem(globals(), "SHELF", ["one", "two", "three"])
    assert ALL["shelved"].validate("three") == "three"


def test_what_is_marked_so_repeats_over_its_range():
    assert {name for name, one in ALL.items() if one.repeats} == {"seed", "fold"}
    assert list(ALL["fold"].every) == [2, 3, 4]
    assert ALL["seed"].every == range(10)


def test_one_that_was_added_later_says_what_stands_for_the_time_before():
    assert {name: one.before for name, one in ALL.items() if one.before} == {
        "late": Before("old"), "late_number": Before(0.0),
    }  # fmt: skip


def test_a_value_before_may_be_false_and_is_still_one():
    assert ALL["late_number"].before is not None
    assert ALL["plain"].before is None


# --- which values it can have -----------------------------------------------------------------------------------------

# fmt: off
LEGAL = [
    ("plain", -1e30, -1e30), ("plain", 3, 3.0), ("plain", np.float64(0.5), 0.5), ("plain", -0.0, 0.0),
    ("positive", 1e-12, 1e-12), ("positive", 1e12, 1e12), ("share", 0, 0.0), ("share", 1, 1.0), ("share", 0.5, 0.5),
    ("whole", -7, -7), ("whole", 10**30, 10**30), ("count", 1, 1), ("count", 1_000_000, 1_000_000),
    ("fold", 2, 2), ("fold", 4, 4), ("head", "square", "square"), ("shelved", "two", "two"), ("text", "", ""),
    ("text", "anything at all", "anything at all"), ("late", "old", "old"),
]
ILLEGAL = [
    ("plain", "fast", "must be a number, found 'fast'"),
    ("plain", None, "must be a number, found None"),
    ("plain", [1.0], "must be a number, found [1.0]"),
    ("plain", 1j, "must be a number, found 1j"),
    ("positive", 0, "must be at least 1e-12, found 0"),
    ("positive", -0.5, "must be at least 1e-12, found -0.5"),
    ("positive", 1e13, "must be at most 1e+12, found 10000000000000.0"),
    ("share", 1.5, "must be at most 1, found 1.5"),
    ("share", -1e-9, "must be at least 0, found -1e-09"),
    ("whole", 5.0, "must be a whole number, found 5.0"),
    ("whole", "5", "must be a whole number, found '5'"),
    ("count", 0, "must be at least 1, found 0"),
    ("count", 1_000_001, "must be at most 1,000,000, found 1000001"),
    ("steps", 101, "must be at most 100, found 101"),
    ("fold", 5, "must be at most 4, found 5"),
    ("head", "cube", "must be 'free', 'softplus' or 'square', found 'cube'"),
    ("head", "Free", "must be 'free', 'softplus' or 'square', found 'Free'"),
    ("head", 1, "must be 'free', 'softplus' or 'square', found 1"),
    ("head", "", "must be 'free', 'softplus' or 'square', found ''"),
    ("pair", "c", "must be 'a' or 'b', found 'c'"),
    ("alone", "c", "must be 'only', found 'c'"),
    ("shelved", "on", "must be 'one' or 'two', found 'on'"),
    ("text", 3, "must be text, found 3"),
    ("text", None, "must be text, found None"),
    ("late", "older", "must be 'old' or 'new', found 'older'"),
]
# fmt: on


@pytest.mark.parametrize(("name", "value", "expected"), LEGAL)
def test_a_legal_value_comes_back_as_its_type(name, value, expected):
    found = ALL[name].validate(value)
    assert found == expected
    assert type(found) is ALL[name].type


@pytest.mark.parametrize(("name", "value", "sentence"), ILLEGAL)
def test_an_illegal_value_is_a_sentence(name, value, sentence):
    assert message(ALL[name], value) == f"{name}: {sentence}"


@pytest.mark.parametrize("bound", [1_000, 123_456, 2**32 - 1, 10**15])
def test_the_bounds_of_a_whole_number_are_written_with_all_their_digits(bound):
    number = Parameter("n", bound, Annotated[int, Ge(bound), Le(bound)])
    assert message(number, bound - 1) == f"n: must be at least {bound:,}, found {bound - 1}"
    assert message(number, bound + 1) == f"n: must be at most {bound:,}, found {bound + 1}"


def test_one_bound_is_enough():
    low, high = (Parameter("n", 0.0, Annotated[float, bound]) for bound in (Ge(0), Le(0)))
    assert low.validate(1e200) == 1e200
    assert high.validate(-1e200) == -1e200
    assert message(low, -1) == "n: must be at least 0, found -1"
    assert message(high, 1) == "n: must be at most 0, found 1"


# --- no value is silently another one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, False, np.True_], ids=repr)
@pytest.mark.parametrize("name", ALL)
def test_a_truth_is_no_number_and_no_name(name, value):
    asked = message(ALL[name], value)
    assert f"found {value!r}" in asked
    if name in FLOATS + INTEGERS:
        assert f"must be a {'whole ' if name in INTEGERS else ''}number" in asked


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, -(10**400)], ids=lambda v: f"{v!r:.6}")
@pytest.mark.parametrize("name", FLOATS)
def test_what_no_float_holds_is_refused(name, value):
    assert message(ALL[name], value) == f"{name}: must be a finite number, found {shortened(repr(value), LONG)}"


@pytest.mark.parametrize("value", [10**300, 10**400, -(10**400)], ids=["300", "400", "-400"])
@pytest.mark.parametrize("name", INTEGERS)
def test_a_whole_number_that_no_float_holds_is_refused(name, value):
    assert message(ALL[name], value) == f"{name}: must be a finite number, found {shortened(repr(value), LONG)}"


VALUES = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**320), 10**320) | st.floats() | st.binary(max_size=3)
    | st.text(st.characters(codec="ascii"), max_size=8) | st.lists(st.integers(), max_size=2)
    | st.sampled_from([one for names in CHOICES.values() for one in names])
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(ALL)), VALUES)
def test_any_value_comes_back_equal_and_of_its_type_or_is_refused_with_a_sentence(name, value):
    one = ALL[name]
    try:
        found = one.validate(value)
    except UsageError:
        sentence = message(one, value)
        assert sentence.startswith(f"{name}: must be ")
        assert sentence.endswith(f", found {shortened(repr(value), LONG)}")
        return
    assert not isinstance(value, bool)
    assert found == value or (isinstance(value, int) and found == float(value))
    assert type(found) is one.type
    assert one.validate(found) == found
    assert not one.choices or found in one.choices
    assert one.type is str or math.isfinite(found)


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(-2e9, 2e9))
def test_just_what_lies_between_the_bounds_is_legal(one, two, value):
    low, high = sorted([one, two])
    bounded = Parameter("n", low, Annotated[float, Ge(low), Le(high)])
    if low <= value <= high:
        assert bounded.validate(value) == value
    else:
        assert f"must be at {'least' if value < low else 'most'}" in message(bounded, value)


# --- those of the registry --------------------------------------------------------------------------------------------

OWNED = {f"setting {name}": one for name, one in SETTINGS.items()}
OWNED |= {
    f"{kind} {unit.name} {name}": one
    for kind in KINDS
    for unit in registry.units(kind).values()
    for name, one in unit.parameters.items()
}


@pytest.mark.parametrize("owned", OWNED)
def test_every_hyperparameter_has_a_type_and_refuses_what_is_none_of_its_values(owned):
    one = OWNED[owned]
    assert one.type in (float, int, str)
    for value in (None, True, False, math.nan, math.inf, -math.inf, 10**400, -(10**400), [], "no such name"):
        if value != "no such name" or one.choices or one.type is not str:  # else it is free text
            assert message(one, value).startswith(f"{one.name}: must be ")


@pytest.mark.parametrize("owned", [name for name, one in OWNED.items() if one.type is not str])
def test_every_number_is_bounded_and_its_bounds_are_legal(owned):
    one = OWNED[owned]
    low, high = one._bounds
    assert -math.inf < low < high < math.inf
    assert (one.validate(one.type(low)), one.validate(one.type(high))) == (low, high)
    assert "at least" in message(one, one.type(low - max(1, abs(low))))
    assert "at most" in message(one, one.type(high + max(1, abs(high))))


@pytest.mark.parametrize("owned", [name for name, one in OWNED.items() if one.choices])
def test_every_choice_is_legal_and_a_wrong_one_is_told_all(owned):
    one = OWNED[owned]
    assert len(set(one.choices)) == len(one.choices)
    assert all(one.validate(name) == name for name in one.choices)
    assert all(f"'{name}'" in message(one, "no such name") for name in one.choices)


def test_the_value_before_is_one_that_a_hyperparameter_can_have():
    for one in OWNED.values():
        assert one.before is None or one.validate(one.before.value) == one.before.value


def test_hyperparameters_that_repeat_have_few_values():
    found = {name: len(one.every) for name, one in OWNED.items() if one.repeats}
    assert found
    assert max(found.values()) <= 100


# --- arguments --------------------------------------------------------------------------------------------------------


def test_a_function_takes_its_own_arguments_out_of_all_values():
    values = {"plain": 2.0, "head": "square", "y": 1.0, "unknown": 5}
    assert arguments_for(signature, values) == {"plain": 2.0, "head": "square", "y": 1.0}
    assert arguments_for(lambda: None, values) == {}
