"""Hyperparameters: a name, a default, and the annotation that bounds them."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Le

from ebmcli.core.errors import LONG, UsageError
from ebmcli.core.texts import shortened
from ebmcli.core.types import Repeat, TimesBeta, Traced

EVERY = "all"  # in place of the value of a hyperparameter that repeats: every value that it can have


class Before(NamedTuple):
    """Marks a hyperparameter that was added later: at this value runs are as they were before it existed.

    At that value it is left out of the identity of a run, so that older results are found again.
    """

    value: Any


class OneOf(NamedTuple):
    """Marks a hyperparameter whose values are the names of registered units."""

    names: Callable[[], Iterable[str]]


class Also(NamedTuple):
    """Marks a hyperparameter, or a flag, with what others call it, separated by blanks; who says so is told its own."""

    words: str


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter. annotation: its type, with its range and its marks."""

    name: str
    default: Any
    annotation: Any

    @cached_property
    def _plain(self) -> Any:
        return get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation

    @cached_property
    def _marks(self) -> tuple[Any, ...]:
        return getattr(self.annotation, "__metadata__", ())

    @cached_property
    def type(self) -> type:
        """float, int, or str for a choice of names."""
        return str if get_origin(self._plain) is Literal else self._plain

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that it can have; empty for numbers and free text."""
        if get_origin(self._plain) is Literal:
            return get_args(self._plain)
        return next((tuple(mark.names()) for mark in self._marks if isinstance(mark, OneOf)), ())

    @property
    def also(self) -> tuple[str, ...]:
        """The words by which other programs know the hyperparameter."""
        return tuple(word for mark in self._marks if isinstance(mark, Also) for word in mark.words.split())

    @cached_property
    def traced(self) -> bool:
        """True if it travels as an array, so that a new value compiles nothing; otherwise it is part of the program."""
        return self.type is float or Traced in self._marks

    @cached_property
    def repeats(self) -> bool:
        """True if it defines replicates, as the seed does, rather than a different setting."""
        return Repeat in self._marks

    @property
    def times_beta(self) -> bool:
        """True if its default is that of beta = 1, and is multiplied by the beta of a run."""
        return TimesBeta in self._marks

    @cached_property
    def before(self) -> Before | None:
        """The value that stands for the time before this hyperparameter existed; None where it always did."""
        return next((mark for mark in self._marks if isinstance(mark, Before)), None)

    @property
    def every(self) -> range:
        """All values of a hyperparameter that repeats."""
        low, high = self._bounds
        return range(int(low), int(high) + 1)

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        lowest: list[Any] = [mark.ge for mark in self._marks if isinstance(mark, Ge)]
        highest: list[Any] = [mark.le for mark in self._marks if isinstance(mark, Le)]
        return max(lowest, default=-math.inf), min(highest, default=math.inf)

    def check(self) -> None:
        """Raise UsageError where it has no type, or a default that its annotation forbids."""
        if self.type not in (float, int, str):
            none = self.annotation is inspect.Parameter.empty
            raise UsageError(
                f"{self.name}: its annotation must be float, int, str or a Literal of names, or an Annotated one of "
                f"them such as ebmcli.plugin.Positive; found {'none' if none else self.annotation}"
            )
        self.validate(self.default)

    def validate(self, value: Any) -> Any:
        """The value, if it is of the right type and in the range; raises UsageError otherwise."""
        fault = self._fault(value)
        if fault:
            raise UsageError(f"{self.name}: must be {fault}, found {shortened(repr(value), LONG)}")
        return float(value) if self.type is float else value

    def _fault(self, value: Any) -> str:
        """Say what a value must be and is not; nothing where it is legal."""
        if self.type is str:
            legal = isinstance(value, str) and (not self.choices or value in self.choices)
            return "" if legal else _either(self.choices) if self.choices else "text"
        if isinstance(value, bool) or not isinstance(value, int if self.type is int else int | float):
            return "a whole number" if self.type is int else "a number"
        low, high = self._bounds
        if not abs(value) < 10**300:  # not finite, or an integer that no float holds
            return "a finite number"
        style = "," if self.type is int else ",g"  # a whole number with all its digits
        return f"at least {low:{style}}" if value < low else f"at most {high:{style}}" if value > high else ""


def _either(choices: Iterable[str]) -> str:
    quoted = [f"'{choice}'" for choice in choices]
    return " or ".join([*([", ".join(quoted[:-1])] if quoted[:-1] else []), quoted[-1]])


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The hyperparameters of a function: its arguments that have a default."""
    return {
        argument.name: Parameter(argument.name, argument.default, argument.annotation)
        for argument in inspect.signature(function, eval_str=True).parameters.values()
        if argument.default is not inspect.Parameter.empty
    }


def arguments_for(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a function takes out of `values`; what is missing there keeps its default."""
    return {name: values[name] for name in inspect.signature(function).parameters if name in values}
