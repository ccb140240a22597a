"""The vocabulary in which units declare what they need and what they give, with the sentences of refusals."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from ebmcli.core.errors import UsageError, unknown

Source = Literal["negatives", "energy", "computation", "answers"]


class Answers(StrEnum):
    """A kind of answer y."""

    CONTINUOUS = "continuous"
    FINITE = "finite"
    SEQUENCE = "sequence"

    @property
    def plural(self) -> str:
        """The answers of this kind, as a sentence calls them."""
        return {"continuous": "points", "finite": "labels", "sequence": "label sequences"}[self]


class Need(StrEnum):
    """Something that a loss or a sampler may need, and that negatives, an energy or a task may give.

    source: who gives it: the negatives of a sampler, a property of the energy, something that the energy computes
    exactly, or the answers of the task. sentence: what a refusal calls it.
    """

    source: Source
    sentence: str

    def __new__(cls, word: str, source: Source = "negatives", sentence: str = "") -> "Need":
        """Make a member out of its word, its source and its sentence."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.source = source
        member.sentence = sentence
        return member

    NEGATIVES = "negatives", "negatives", "negatives one by one"
    PARTITION = "partition", "negatives", "a sum over all answers"
    MINIMUM = "minimum", "negatives", "the lowest energy over all answers"
    PROBABILITY = (
        "probability",
        "negatives",
        "probabilities of single answers, which are bounded by 1 as a density is not",
    )
    LOG_Q = "log_q", "negatives", "negatives of a known density that does not look at the right answer"
    INDEPENDENT = "independent", "negatives", "negatives that are drawn without a look at the energy"
    MODEL = "model", "negatives", "samples of the model"
    ALL = "all", "negatives", "all wrong answers"
    HARDEST = "hardest", "negatives", "the most offending answer"
    AUGMENTED = "augmented", "negatives", "the answer that violates a margin most"
    ADVERSARIAL = "adversarial", "negatives", "outputs of a network that is trained against the energy"

    NONNEGATIVE = "nonnegative", "energy", "an energy that is never negative"
    RECONSTRUCT = "reconstruct", "energy", "an energy with a reconstruction"

    FREE = "free", "computation", "an exact free energy"
    ARGMIN = "argmin", "computation", "an exact minimum"
    BEST_DIFFERENT = "best_different", "computation", "the best answer other than y"
    N_BEST = "n_best", "computation", "the best answers other than y"
    SAMPLE = "sample", "computation", "exact samples of the model"

    VIEW = "view", "answers", "answers in which an energy can be differentiated"
    SMOOTH = "smooth", "answers", "data of a smooth density, without which it has no lower bound"


Needs = frozenset[Need]


def needs(words: str | Iterable[str], unit: str, *sources: Source) -> Needs:
    """The needs named by `words`, which are separated by blanks. Raises UsageError for a word that does not exist, or
    that does not come from one of `sources`; unit: who said it, for the message."""
    legal = [need for need in Need if need.source in sources]
    named = words.split() if isinstance(words, str) else list(words)
    for word in named:
        if word not in legal:
            raise UsageError(f"{unit}: {unknown('need', word, legal)}")
    return frozenset(map(Need, named))


def answers(word: str, unit: str) -> Answers:
    """The kind of answer of that name. Raises UsageError where there is none; unit: who said it."""
    if word not in list(Answers):
        raise UsageError(f"{unit}: {unknown('kind of answer', word, list(Answers))}")
    return Answers(word)
