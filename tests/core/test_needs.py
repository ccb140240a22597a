"""The vocabulary of needs: every word has its giver and its sentence, and a wrong one is told the right one."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.needs import Answers, Need, Source, answers, needs

SOURCES = get_args(Source)
ASCII = st.characters(codec="ascii")


@pytest.mark.parametrize("need", Need)
def test_a_need_is_its_word(need):
    assert need == need.value == str(need)
    assert Need(need.value) is need
    assert need.value in frozenset({need})
    assert f"{need}" == need.value
    assert need.name == need.value.upper()


@pytest.mark.parametrize("need", Need)
def test_a_need_has_a_giver_and_a_sentence_of_its_own(need):
    assert need.source in SOURCES
    assert need.sentence
    assert need.sentence == need.sentence.strip(" .")
    assert [one for one in Need if one.sentence == need.sentence] == [need]


@pytest.mark.parametrize("need", Need)
def test_a_need_is_understood_from_its_giver_and_from_no_other(need):
    for source in SOURCES:
        if source == need.source:
            assert needs(str(need), "loss mine", source) == {need}
        else:
            with pytest.raises(UsageError, match=f"^loss mine: unknown need '{need}'"):
                needs(str(need), "loss mine", source)


@pytest.mark.parametrize("need", Need)
def test_a_need_is_understood_among_those_of_all_givers(need):
    for said in (str(need), [need], [str(need)]):
        (found,) = needs(said, "loss mine", *SOURCES)
        assert found is need


@pytest.mark.parametrize("need", Need)
def test_a_need_with_a_wrong_letter_is_answered_with_the_right_word(need):
    for place in range(len(need)):
        wrong = f"{need[:place]}x{need[place + 1 :]}"
        with pytest.raises(UsageError, match=f"^loss mine: unknown need '{wrong}': did you mean {need}\\?"):
            needs(wrong, "loss mine", *SOURCES)


@pytest.mark.parametrize("wrong", ["log-q", "LOG_Q", "Log-Q"])
def test_dashes_and_capitals_are_answered_with_the_right_word(wrong):
    with pytest.raises(UsageError, match=r"did you mean log_q\?"):
        needs(wrong, "loss mine", *SOURCES)


def test_no_word_is_no_need():
    assert needs("", "x", *SOURCES) == needs("  \n", "x", *SOURCES) == needs([], "x", *SOURCES) == frozenset()


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(Need)), max_size=6), st.sampled_from([" ", "  ", "\n    "]))
def test_needs_are_a_set_of_the_words_however_they_are_separated(words, blank):
    assert needs(blank.join(words), "x", *SOURCES) == needs(words, "x", *SOURCES) == set(words)


@settings(deadline=None)
@given(st.text(ASCII, max_size=12).filter(lambda text: not {*text.split()} <= {*Need}))
def test_text_that_is_no_need_is_refused(text):
    with pytest.raises(UsageError, match=r"^loss mine: unknown need ['\"]"):
        needs(text, "loss mine", *SOURCES)


def test_the_answer_to_a_wrong_word_lists_the_right_ones_in_their_order():
    with pytest.raises(UsageError) as error:
        needs("negatives cheese", "sampler mine", "computation")
    assert str(error.value) == (
        "sampler mine: unknown need 'negatives': known: free, argmin, best_different, n_best, sample"
    )


# --- kinds of answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Answers)
def test_a_kind_of_answer_is_its_word_and_has_a_plural(kind):
    assert answers(str(kind), "task mine") is kind
    assert kind.plural == {"continuous": "points", "finite": "labels", "sequence": "label sequences"}[str(kind)]


@pytest.mark.parametrize(
    ("wrong", "right"), [("continous", "continuous"), ("Finite", "finite"), ("sequences", "sequence")]
)
def test_a_wrong_kind_of_answer_is_answered_with_the_right_one(wrong, right):
    with pytest.raises(UsageError) as error:
        answers(wrong, "task mine")
    assert str(error.value) == (
        f"task mine: unknown kind of answer '{wrong}': did you mean {right}? known: continuous, finite, sequence"
    )


# --- in the registry --------------------------------------------------------------------------------------------------


def asked():
    """What losses need or want, and samplers need."""
    losses, samplers = registry.units("loss").values(), registry.units("sampler").values()
    return (
        frozenset()
        .union(*(unit.traits.needs | unit.traits.wants for unit in losses))
        .union(*(unit.traits.needs for unit in samplers))
    )


def given_by_units():
    """What samplers, energies and tasks give."""
    offers = [need for unit in registry.units("task").values() for need in unit.traits.offers]
    for unit in (*registry.units("sampler").values(), *registry.units("energy").values()):
        offers += [need for some in unit.traits.gives.values() for need in some]
    rules = [unit.traits.nonnegative for unit in registry.units("energy").values()]
    return frozenset(offers) | ({Need.NONNEGATIVE} if any(rules) else set())


def test_whatever_is_asked_for_is_given_by_something():
    assert asked() <= given_by_units()


def test_no_word_of_the_vocabulary_is_unused():
    assert given_by_units() == set(Need)
