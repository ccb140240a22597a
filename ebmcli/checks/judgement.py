"""Judgements of a loss: what it declares beside what is measured, and the two in a sentence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The outcome of a judgement."""

    AGREES = "agrees"
    WARNING = "warning"  # a word to the wise: no declaration is broken
    DISAGREES = "disagrees"


@dataclass(frozen=True)
class Judgement:
    """One question to a loss. law: what is judged; sentence: of a warning or a disagreement, what is wrong."""

    law: str
    declared: str
    measured: str
    outcome: Outcome = Outcome.AGREES
    sentence: str = ""


def judged(law: str, declared: str, measured: str, wrong: str = "") -> Judgement:
    """A judgement that disagrees where there is something wrong."""
    return Judgement(law, declared, measured, Outcome.DISAGREES if wrong else Outcome.AGREES, wrong)


def warned(law: str, declared: str, measured: str, warning: str) -> Judgement:
    """A judgement that warns."""
    return Judgement(law, declared, measured, Outcome.WARNING, warning)


def noticed(law: str, measured: str, warning: str = "") -> Judgement:
    """A judgement of something that no loss declares."""
    return Judgement(law, "-", measured, Outcome.WARNING if warning else Outcome.AGREES, warning)


@dataclass(frozen=True)
class Finding:
    """All that is judged of a loss. The figures of the margin are None where it has none."""

    loss: str
    promised: str
    found: str | None = None  # the margin, in the words of the registry
    condition_3: str | None = None  # the margins for which it holds
    gradient_test: str | None = None
    push_up: str | None = None  # where F- is pushed up
    flat: float | None = None  # the lowest loss of an energy that knows nothing, of one negative
    flat_at: list[float] | None = None  # from which level to which; None: at all of them
    box: tuple[float, float] | None = None  # the energies that were looked at
    reason: str | None = None  # why there is no margin to judge
    judgements: Sequence[Judgement] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """True if no declaration is broken."""
        return not self.faults

    @property
    def faults(self) -> list[Judgement]:
        """The judgements that disagree."""
        return [judgement for judgement in self.judgements if judgement.outcome is Outcome.DISAGREES]

    @property
    def warnings(self) -> list[Judgement]:
        """The warnings."""
        return [judgement for judgement in self.judgements if judgement.outcome is Outcome.WARNING]

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return asdict(self) | {"agrees": self.agrees}
