"""The value of a loss on a flat energy, read from the text in which the loss declares it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "ln": math.log,
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
}
COUNT = "K"  # the number of negatives
LONGEST = 200  # letters of a formula
_TOKEN = re.compile(r"\s*(\d+\.?\d*(?:e-?\d+)?|\|\w+\||[A-Za-z_]\w*|[-+*/^()])")
_LEVELS = re.compile(r"(?P<value>.+?),\s*where\s+(?P<low>.+?)\s*<=\s*F\s*<=\s*(?P<high>.+)")
_LEVEL = re.compile(r"(?P<value>.+?)\s+at\s+F\s*=\s*(?P<at>.+)")
_GIVEN = re.compile(r"(?P<rest>.+?)(?:,\s*where\s+(?P<where>[\w\s=.,-]+)|\s*\((?P<brackets>[\w\s=.,-]*=[\w\s=.,-]*)\))")

Symbols = Mapping[str, float]


class Formula(NamedTuple):
    """A formula of numbers and names. Multiplication may be written by a blank, as in `K ln K`."""

    value: Callable[[Symbols], float]  # raises KeyError for a name that is not among the symbols
    names: frozenset[str]
    rounding: float  # half a unit of the last decimal that is written; 0 where there is none

    @classmethod
    def parse(cls, text: str) -> "Formula":
        """Read a formula. Raises ValueError for what is none."""
        tokens = _tokens(text)
        value = _Reader(tokens).whole()
        names = frozenset(token for token in tokens if token[0].isalpha() or token[0] in "|_")
        decimals = [len(token.partition(".")[2]) for token in tokens if re.fullmatch(r"\d+\.\d+", token)]
        counted = {COUNT} if "sum" in names else set()
        return cls(value, names - {*FUNCTIONS, "sum", "of"} | counted, 0.5 * 10.0 ** -min(decimals) if decimals else 0)


@dataclass(frozen=True)
class Flat:
    """What a loss declares of a flat energy: its value, the levels F at which it has it, and under which settings.

    `m`, `F`, `m^2/2 at F = m/2`, `m, where 0 <= F <= m`, `0.827 at F = 0.352 (gamma = rate = 1)`. Names: F the energy,
    K the number of negatives, |Y| that of all answers, m the margin, beta, and the loss's hyperparameters; `sum of m`
    is the sum over the negatives. Of a loss of a View: D the coordinates of y, and |y|.
    """

    value: Formula
    given: Symbols  # the settings
    lowest: Formula | None = None  # the levels from which to which it has it; None: at all of them
    highest: Formula | None = None

    @classmethod
    def parse(cls, text: str) -> "Flat":
        """Read a declaration. Raises ValueError for prose that holds no such formula."""
        given, rest = _settings(text.strip())
        levels, level = _LEVELS.fullmatch(rest), _LEVEL.fullmatch(rest)
        if levels:
            value, low, high = map(Formula.parse, levels.group("value", "low", "high"))
            return cls(value, given, low, high)
        if level:
            value, at = map(Formula.parse, level.group("value", "at"))
            return cls(value, given, at, at)
        return cls(Formula.parse(rest), given)

    @property
    def names(self) -> frozenset[str]:
        """All names of which it speaks, those that it sets aside."""
        formulas = [formula for formula in (self.value, self.lowest, self.highest) if formula]
        return frozenset().union(*(formula.names for formula in formulas)) - frozenset(self.given)

    def levels(self, reach: tuple[float, float], symbols: Symbols) -> list[float]:
        """Some levels of a flat energy at which it should have the value, within `reach`."""
        low, high = reach
        if self.lowest and self.highest:
            low, high = self.lowest.value(symbols), self.highest.value(symbols)
        return [low + share * (high - low) for share in (0.0, 0.3, 0.55, 0.8, 1.0)]


def _settings(text: str) -> tuple[Symbols, str]:
    """Split off what stands at the end in brackets, or after `where`: `gamma = rate = 1`."""
    match = _GIVEN.fullmatch(text)
    if not match:
        return {}, text
    given: dict[str, float] = {}
    for clause in (match["where"] or match["brackets"]).split(","):
        *names, value = [part.strip() for part in clause.split("=")]
        given |= dict.fromkeys(names, float(value))
    return given, match["rest"]


def _tokens(text: str) -> list[str]:
    tokens, place, text = [], 0, text.strip()
    if len(text) > LONGEST:
        raise ValueError(f"no formula: longer than {LONGEST} letters")
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise ValueError(f"no formula: {text!r}")
        tokens.append(match[1])
        place = match.end()
    return tokens


class _Reader:
    """Recursive descent over tokens: sums of products of powers of atoms."""

    def __init__(self, tokens: list[str]):
        self.left = tokens[::-1]

    def whole(self) -> Callable[[Symbols], float]:
        value = self._sum()
        if self.left:
            raise ValueError(f"no formula: {self.left[-1]!r} is too much")
        return value

    def _next(self, *expected: str) -> str | None:
        return self.left.pop() if self.left and self.left[-1] in expected else None

    def _sum(self) -> Callable[[Symbols], float]:
        value = self._product()
        while sign := self._next("+", "-"):
            value = _combined(sign, value, self._product())
        return value

    def _product(self) -> Callable[[Symbols], float]:
        value = self._power()
        while self.left and self.left[-1] not in ("+", "-", ")", "^"):
            sign = self._next("*", "/") or "*"
            value = _combined(sign, value, self._power())
        return value

    def _power(self) -> Callable[[Symbols], float]:
        if self._next("-"):
            return _combined("-", lambda symbols: 0.0, self._power())
        value = self._atom()
        return _combined("^", value, self._power()) if self._next("^") else value

    def _atom(self) -> Callable[[Symbols], float]:
        if not self.left:
            raise ValueError("no formula: it ends too early")
        token = self.left.pop()
        if token == "(":
            inner = self._sum()
            if not self._next(")"):
                raise ValueError("no formula: a bracket is not closed")
            return inner
        if token in FUNCTIONS:
            function, argument = FUNCTIONS[token], self._power()
            return lambda symbols: function(argument(symbols))
        if token == "sum" and self._next("of"):
            term = self._power()
            return lambda symbols: symbols[COUNT] * term(symbols)
        if token[0].isdigit():
            return lambda symbols: float(token)
        if token[0].isalpha() or token[0] in "|_":
            return lambda symbols: symbols[token]
        raise ValueError(f"no formula: {token!r} stands where a number is expected")


def _combined(
    sign: str, left: Callable[[Symbols], float], right: Callable[[Symbols], float]
) -> Callable[[Symbols], float]:
    operation: Callable[[float, float], float] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "^": lambda a, b: a**b,
    }[sign]
    return lambda symbols: operation(left(symbols), right(symbols))
