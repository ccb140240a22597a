"""The margin that the formula of a loss promises."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ebmcli.core.errors import UsageError

HYPERPARAMETER = "m"  # how a margin is written that is the value of the hyperparameter `margin`
GROWS = {"hamming": " a letter", "edit": " an edit"}  # with what it grows, by `margin_distance`


@dataclass(frozen=True)
class Margin:
    """A promised margin: the gap F(y-) - F(y) that the loss asks for or, where it is absolute, the level of F(y-).

    bound: the number, infinity for a loss that never stops widening the gap, `m` for the value of the run's
    hyperparameter `margin`, None where the formula promises nothing. applies: False where a loss does not compare
    answers, so that margins do not apply.
    """

    bound: float | str | None
    absolute: bool = False
    applies: bool = True

    @classmethod
    def parse(cls, text: str, unit: str = "a loss") -> "Margin":
        """Read `none`, `-`, `infinite`, a number, or `m`, the last two with or without `, absolute`.

        Raises UsageError for anything else; unit: who said it, for the message.
        """
        word, comma, kind = text.partition(",")
        named = {"none": cls(None), "-": cls(None, applies=False), "infinite": cls(math.inf)}
        if text in named:
            return named[text]
        if not comma or kind.strip() == "absolute":
            if word == HYPERPARAMETER:
                return cls(word, bool(comma))
            try:
                if math.isfinite(float(word)):
                    return cls(float(word), bool(comma))
            except ValueError:
                pass
        raise UsageError(f"{unit}: promised={text!r}: write none, 0, m, infinite, or - where margins do not apply; "
                         "a level of wrong answers is `m, absolute`")  # fmt: skip

    def value(self, config: Mapping[str, Any]) -> float | None:
        """The margin of a run with these hyperparameters; None where there is none."""
        return config.get("margin") if isinstance(self.bound, str) else self.bound

    def text(self, config: Mapping[str, Any] | None = None) -> str:
        """The margin in words, for a run with these hyperparameters, or as the registry has it."""
        if not self.applies:
            return "-"
        if self.bound is None:
            return "none"
        if self.bound == math.inf:
            return "infinite"
        value = self.value(config or {})
        number = HYPERPARAMETER if value is None else f"{value:g}"
        grows = GROWS.get(str((config or {}).get("margin_distance")), "") if isinstance(self.bound, str) else ""
        return f"{number}{grows}{', absolute' if self.absolute else ''}"
