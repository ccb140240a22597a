"""Every wrong word that a decorator is told is refused at registration, in a sentence, and nothing is registered."""

from functools import partial
from typing import Literal

import pytest

from ebmcli.core import registry
from ebmcli.core.decorators import OF_A_LOSS, OF_AN_ENERGY, energy, loss, measure, sampler, task
from ebmcli.core.errors import UsageError
from ebmcli.core.margins import Margin
from ebmcli.core.needs import Answers, Need
from ebmcli.core.types import Cost, NonNegative, Positive
from ebmcli.core.units import KINDS, Column

DECORATORS = {"loss": loss, "sampler": sampler, "energy": energy, "task": task}
# What a decorator must be told for the functions below.
TOLD = {
    "loss": {"promised": "none"},
    "sampler": {"continuous": "negatives"},
    "energy": {"continuous": "free"},
    "task": {"answers": "finite", "energy": "mlp", "samplers": {"": "none"}, "defaults": {}, "measures": "kl"},
}


def made(seen, alpha: NonNegative = 0.1, head: Literal["free", "softplus", "square"] = "free", layers: int = 3):
    """what it does

    And more of it.
    """


@pytest.fixture(autouse=True)
def shelves(monkeypatch):
    """A copy of the registry: what a test registers is gone after it."""
    monkeypatch.setattr(registry, "_units", {kind: dict(registry.units(kind)) for kind in KINDS})
    monkeypatch.setattr(registry, "_measures", [*registry.measures()])
    monkeypatch.setattr(registry, "_columns", dict(registry.columns()))


def everything():
    """All that is registered."""
    return {kind: dict(registry.units(kind)) for kind in KINDS}, [*registry.measures()], dict(registry.columns())


def register(kind, function=made, **told):
    """Register a unit, told what is needed and this; the unit."""
    assert DECORATORS[kind](**TOLD[kind] | told)(function) is function
    return registry.units(kind)[function.__name__.strip("_").replace("_", "-")]


def refusal(kind, function=made, **told):
    """Why a unit is refused; it is one sentence, says which unit it is, and leaves the registry as it was."""
    before = everything()
    with pytest.raises(UsageError) as error:
        register(kind, function, **told)
    assert everything() == before
    assert f"{kind} {function.__name__.replace('_', '-')}" in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- words ------------------------------------------------------------------------------------------------------------

EVERY = (*OF_A_LOSS, "computation")
# Where a decorator takes the word of a need: (kind, the sources that are legal, the arguments that say the word there).
PLACES = {
    "needs of a loss": ("loss", OF_A_LOSS, lambda word: {"needs": word}),
    "wants of a loss": ("loss", OF_A_LOSS, lambda word: {"wants": word}),
    "needs of a sampler": ("sampler", ("computation",), lambda word: {"needs": word}),
    "costly of a sampler": ("sampler", ("negatives",), lambda word: {"costly": word}),
    "gives of a sampler": ("sampler", ("negatives",), lambda word: {"sequence": word}),
    "gives of an energy": ("energy", OF_AN_ENERGY, lambda word: {"sequence": word}),
    "follows of an energy": ("energy", EVERY, lambda word: {"follows": {"head": {word: "square"}}}),
    "only of an energy": ("energy", EVERY, lambda word: {"only": {word: {"head": "square"}}}),
    "samplers of a task": ("task", EVERY, lambda word: {"samplers": {word: "uniform", "": "none"}}),
}
LEGAL = [(place, need) for place, (_, sources, _) in PLACES.items() for need in Need if need.source in sources]
FOREIGN = [(place, need) for place, (_, sources, _) in PLACES.items() for need in Need if need.source not in sources]


@pytest.mark.parametrize(("place", "need"), LEGAL)
def test_a_need_is_understood_and_one_without_its_last_letter_refused_with_it(place, need):
    kind, _, told = PLACES[place]
    register(kind, **told(str(need)))
    assert f"unknown need '{need[:-1]}': did you mean {need}? known: " in refusal(kind, **told(need[:-1]))


@pytest.mark.parametrize(("place", "need"), FOREIGN)
def test_a_need_that_is_none_in_that_place_is_refused_with_those_that_are(place, need):
    kind, sources, told = PLACES[place]
    known = ", ".join(one for one in Need if one.source in sources)
    reason = refusal(kind, **told(str(need)))
    assert f"unknown need '{need}'" in reason
    assert reason.endswith(f"known: {known}")


@pytest.mark.parametrize("place", [place for place in PLACES if "word" in PLACES[place][2]("word").values()])
def test_of_several_words_one_that_is_wrong_is_enough(place):
    kind, sources, told = PLACES[place]
    good = " ".join(need for need in Need if need.source in sources)
    register(kind, **told(good))
    assert "unknown need 'nonsense'" in refusal(kind, **told(f"{good} nonsense"))


@pytest.mark.parametrize("answers", Answers)
@pytest.mark.parametrize("kind", ["sampler", "energy", "task"])
def test_a_kind_of_answer_is_understood_and_one_without_a_letter_refused_with_it(kind, answers):
    for place in range(len(answers)):
        wrong = answers[:place] + answers[place + 1 :]
        good, bad = ({"answers": word} if kind == "task" else {word: ""} for word in (answers, wrong))
        register(kind, **good)
        told = "kind of answer" if kind == "task" else "argument or kind of answer"
        assert f"unknown {told} '{wrong}': did you mean {answers}?" in refusal(kind, **bad)


@pytest.mark.parametrize("kind", ["sampler", "energy"])
def test_an_argument_that_a_decorator_does_not_have_is_no_kind_of_answer(kind):
    assert "unknown argument or kind of answer 'conditonal'" in refusal(kind, conditonal=True)
    assert "continuous=True: name needs in a string" in refusal(kind, continuous=True)


@pytest.mark.parametrize(
    "promised", ["infinit", "Infinite", "nan", "inf", "m, relative", "m,", "none, absolute", "", "M"]
)
def test_a_promise_that_is_no_margin_is_refused_with_those_that_are(promised):
    reason = refusal("loss", promised=promised)
    assert reason.startswith(f"loss made: promised={promised!r}: write none, 0, m, infinite, or - ")
    assert "m, absolute" in reason


def test_a_task_says_which_negatives_a_loss_gets_that_needs_none():
    reason = refusal("task", samplers={"negatives": "uniform"})
    assert reason == 'task made: samplers does not say which negatives a loss gets that needs none, as {"": ...}'


# --- hyperparameters that it does not have ----------------------------------------------------------------------------


def test_a_penalty_is_a_hyperparameter():
    assert register("loss", penalty="alpha").traits.penalty == "alpha"
    assert refusal("loss", penalty="alpa").startswith(
        "loss made: penalty: unknown hyperparameter 'alpa': did you mean alpha? known: alpha, head, layers"
    )


@pytest.mark.parametrize("promised", ["m", "m, absolute"])
def test_a_loss_that_promises_m_has_a_hyperparameter_margin(promised):
    def hinged(e, margin: float = 1.0):
        """a hinge"""

    def misspelt(e, margn: float = 1.0):
        """a hinge"""

    def fixed(e):
        """a hinge whose margin cannot be set"""

    assert register("loss", hinged, promised=promised).traits.promised.text() == promised
    assert "promised=m: unknown hyperparameter 'margin': did you mean margn?" in refusal(
        "loss", misspelt, promised=promised
    )
    assert refusal("loss", fixed, promised=promised).endswith("unknown hyperparameter 'margin': known: none")


# Where an energy speaks of a hyperparameter and a value of it.
SETTINGS = {
    "nonnegative": lambda name, value: {name: f"softplus {value}"},
    "follows": lambda name, value: {name: {"partition": "softplus", "model": value}},
    "only": lambda name, value: {"partition": {"head": "softplus"}, "sample": {name: value}},
}


@pytest.mark.parametrize("said", SETTINGS)
def test_an_energy_speaks_of_its_hyperparameters_alone(said):
    register("energy", **{said: SETTINGS[said]("head", "square")})
    reason = refusal("energy", **{said: SETTINGS[said]("haed", "square")})
    assert (
        reason == f"energy made: {said}: unknown hyperparameter 'haed': did you mean head? known: alpha, head, layers"
    )


@pytest.mark.parametrize("said", SETTINGS)
def test_an_energy_speaks_of_values_that_its_hyperparameter_can_have(said):
    reason = refusal("energy", **{said: SETTINGS[said]("head", "squared")})
    assert reason == f"energy made: {said}: head: must be 'free', 'softplus' or 'square', found 'squared'"


# --- names and docstrings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("docstring", [None, "", " \n\t\n "])
@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_without_a_docstring_is_refused(kind, docstring):
    def silent(seen):
        pass

    silent.__doc__ = docstring
    assert refusal(kind, silent) == f"{kind} silent has no docstring: its first line is the formula that users read"


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_another_module_has_registered_is_refused(kind):
    for unit in registry.units(kind).values():

        def thief(seen):
            """another one of that name"""

        thief.__name__ = unit.name.replace("-", "_")
        reason = refusal(kind, thief)
        assert reason == f"{kind} {unit.name} is already registered by {unit.function.__module__}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_is_read_again_registers_its_units_anew(kind):
    def again(seen, beta_two: float = 1.0):
        """the same, mended"""

    again.__name__ = "made"
    first, number = register(kind), len(registry.units(kind))
    second = register(kind, again, version=2)
    assert len(registry.units(kind)) == number
    assert (first.formula, second.formula) == ("what it does", "the same, mended")
    assert registry.find(kind, "made") is second


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_comes_from_the_function_and_the_formula_from_the_first_line_of_its_docstring(kind):
    def _two_words_(seen):
        """
        a formula

        and a remark
        """

    unit = register(kind, _two_words_, reference="a book", version=3)
    assert (unit.kind, unit.name, unit.formula) == (kind, "two-words", "a formula")
    assert (unit.reference, unit.version, unit.function) == ("a book", 3, _two_words_)
    assert register(kind, _two_words_).version == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_is_found_with_its_hyperparameters(kind):
    unit = register(kind)
    assert registry.find(kind, "made") is unit
    assert {name: one.default for name, one in unit.parameters.items()} == {"alpha": 0.1, "head": "free", "layers": 3}


# --- what is declared stands in the traits ----------------------------------------------------------------------------


def test_a_loss_needs_negatives_where_it_does_not_say_so():
    traits = register("loss").traits
    assert (traits.needs, traits.wants, traits.promised) == ({Need.NEGATIVES}, frozenset(), Margin(None))
    assert (traits.flat, traits.penalty, traits.cost) == ("", "", Cost(1, 0))
    assert traits.needs_negatives


def test_a_loss_declares_what_its_decorator_is_told():
    traits = register("loss", needs="view smooth", wants="model", flat="F", evaluations=3, gradients=2).traits
    assert (traits.needs, traits.wants) == ({Need.VIEW, Need.SMOOTH}, {Need.MODEL})
    assert (traits.flat, traits.cost) == ("F", Cost(3, 2))
    assert not traits.needs_negatives


def test_a_sampler_declares_what_its_decorator_is_told():
    cost = partial(Cost, 2)
    told = {"needs": "free sample", "costly": "log_q", "conditional": True, "defaults": {"negatives": 8}, "cost": cost}
    traits = register("sampler", sequence="negatives log_q", finite="", **told).traits
    assert (traits.needs, traits.costly) == ({Need.FREE, Need.SAMPLE}, {Need.LOG_Q})
    assert (traits.conditional, traits.defaults, traits.cost) == (True, {"negatives": 8}, cost)
    assert traits.gives == {
        Answers.CONTINUOUS: {Need.NEGATIVES}, Answers.SEQUENCE: {Need.NEGATIVES, Need.LOG_Q}, Answers.FINITE: set(),
    }  # fmt: skip


def test_an_energy_declares_what_its_decorator_is_told():
    settings = {"nonnegative": {"head": "softplus square"}, "question": "word", "seconds": (1e-3, 2.0)}
    follows, only = {"head": {"partition": "square"}}, {"sample": {"head": "free"}}
    traits = register("energy", finite="argmin", follows=follows, only=only, **settings).traits
    assert traits.gives == {Answers.CONTINUOUS: {Need.FREE}, Answers.FINITE: {Need.ARGMIN}}
    assert traits.nonnegative == {"head": ("softplus", "square")}
    assert (traits.follows, traits.only) == ({"head": {Need.PARTITION: "square"}}, {Need.SAMPLE: {"head": "free"}})
    assert (traits.question, traits.seconds) == ("word", (1e-3, 2.0))


@pytest.mark.parametrize(("head", "is_there"), [("free", False), ("softplus", True), ("square", True)])
def test_an_energy_is_nonnegative_at_the_values_that_it_names(head, is_there):
    traits = register("energy", nonnegative={"head": "softplus square"}).traits
    assert (Need.NONNEGATIVE in traits.offers(Answers.CONTINUOUS, {"head": head})) == is_there
    assert traits.offers(Answers.CONTINUOUS, {"head": head}) - {Need.NONNEGATIVE} == {Need.FREE}


def test_a_task_declares_what_its_decorator_is_told():
    samplers = {"partition": "exhaustive", "": "uniform"}
    traits = register("task", samplers=samplers, measures="kl auroc", smooth=False, question="strip").traits
    assert (traits.answers, traits.energy, traits.measures) == (Answers.FINITE, "mlp", ("kl", "auroc"))
    assert traits.samplers == {Need.PARTITION: "exhaustive", "": "uniform"}
    assert (traits.question, traits.offers) == ("strip", frozenset())
    assert traits.impossible({}) == ""


# --- measures ---------------------------------------------------------------------------------------------------------


class Evaluation:
    """Something that a measure looks at."""


def test_a_measure_is_described_by_the_fields_of_a_column():
    @measure(heading="how good", better="higher")
    def goodness(e: Evaluation) -> float:
        return 1.0

    assert registry.columns()["goodness"] == Column("goodness", "how good", "higher")
    assert (registry.measures()[-1].function, registry.measures()[-1].of) == (goodness, (Evaluation,))


def test_a_field_that_a_column_does_not_have_leaves_no_measure():
    def goodness(e: Evaluation) -> float:
        return 1.0

    before = everything()
    with pytest.raises(UsageError, match="measure goodness: unknown field 'beter': did you mean better"):
        measure(beter="higher")(goodness)
    with pytest.raises(UsageError, match="measure goodness: unknown word for better 'highr'"):
        measure(better="highr")(goodness)
    assert everything() == before


def test_a_measure_says_what_it_looks_at():
    def goodness(e) -> float:
        return 1.0

    with pytest.raises(UsageError, match="measure goodness: annotate its argument"):
        measure()(goodness)


def test_the_first_measure_that_describes_a_column_does():
    for described in ({}, {"heading": "first"}, {"heading": "second"}):

        def goodness(e: Evaluation) -> float:
            return 1.0

        measure(**described)(goodness)
    assert registry.columns()["goodness"].heading == "first"
    assert len([one for one in registry.measures() if one.columns[0].name == "goodness"]) == 3


# --- hyperparameters -------------------------------------------------------------------------------------------------


def plain(e, scale=1.0):
    """scale F"""


def text_for_a_number(e, scale: Positive = "1"):
    """scale F"""


def below_its_range(e, scale: Positive = -1.0):
    """scale F"""


def a_list(e, scale: list = ()):
    """scale F"""


def none_of_the_choices(e, head: Literal["free", "square"] = "cube"):
    """F"""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (plain, "must be float, int, str or a Literal of names, or .*; found none"),
        (a_list, "found .*list"),
        (text_for_a_number, "scale: must be a number, found '1'"),
        (below_its_range, "scale: must be at least"),
        (none_of_the_choices, "head: must be 'free' or 'square', found 'cube'"),
    ],
)
def test_a_hyperparameter_has_a_type_and_a_default_that_it_allows(function, told):
    before = everything()
    name = function.__name__.replace("_", "-")
    with pytest.raises(UsageError, match=f"loss {name}: .*{told}"):
        loss(promised="none")(function)
    assert everything() == before
