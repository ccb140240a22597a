"""Registered energies on small spaces, whose answers can be enumerated, at every setting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import cycle, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from helpers.energy_forms import FORMS, Form
from helpers.paths import padded, paths
from helpers.quick import quick

from ebmcli.core import registry
from ebmcli.core.needs import Answers, Need
from ebmcli.core.types import Box, Energy, Labels, Space, Strings, Strip, Word

UNITS = registry.units("energy")
SIZES = {"hidden": (5,), "layers": (2, 1), "code": (3,), "bottleneck": (3,), "channels": (2,)}  # the first is usual
BETA = 2.0
LENGTH = 6  # of padded answers to a strip
SPACES = {
    (Answers.CONTINUOUS, ""): Box(-2.0, 2.0, 2),
    (Answers.FINITE, ""): Labels(4),
    (Answers.SEQUENCE, "word"): Strings(3, 3, fixed=True),
    (Answers.SEQUENCE, "strip"): Strings(2, LENGTH, fixed=False),
}


@dataclass(eq=False)
class Subject:
    """A registered energy at some settings, or a fault in its place, with questions and answers."""

    name: str
    kind: Answers
    at: Mapping[str, Any]  # all settings, with beta
    space: Space
    x: Any  # [N, ...]
    y: np.ndarray  # [M, ...], all answers where they can be counted
    build: Callable[[Any], Energy]  # of beta

    @property
    def form(self) -> Form:
        return FORMS[self.name]

    @property
    def offers(self) -> frozenset[Need]:
        """What it declares at these settings."""
        return UNITS[self.name].traits.offers(self.kind, self.at)

    @cached_property
    def energy(self) -> Energy:
        return self.build(jnp.float32(BETA))

    @property
    def asked(self) -> range:
        """The places of the questions; one where there is none."""
        return range(1 if self.x is None else len(jax.tree.leaves(self.x)[0]))

    def question(self, i: int) -> Any:
        return jax.tree.map(lambda leaf: leaf[i], self.x)

    def params(self, seed=0, scale=0.0) -> Any:
        """Random ones, of float32; where no scale is named such that answers differ by a few units of energy."""
        scale = scale or (0.25 if self.kind is Answers.SEQUENCE else 0.7)
        shapes, rng = self.form.shapes(self.question(0), self.at, self.space), np.random.default_rng(seed)
        return jax.tree.map(
            lambda shape: np.float32(rng.normal(0, scale, shape)), shapes, is_leaf=lambda leaf: isinstance(leaf, tuple)
        )

    def by_hand(self, params, i: int, y=None) -> np.ndarray:
        """[M]: the energies of answers to a question; of all, if none are named."""
        return self.form.energy(params, self.question(i), self.y if y is None else y, self.at, self.space)

    @cached_property
    def known(self) -> list[dict[tuple[int, ...], float]]:
        """{word: its energy} of all answers to each question that is asked for words."""
        return [
            {self.word(i, y): f for y, f in zip(self.y, self.by_hand(self.params(), i), strict=True) if np.isfinite(f)}
            for i in self.asked
        ]

    def word(self, i: int, y) -> tuple[int, ...]:
        """An answer without its padding."""
        return tuple(np.asarray(y)[np.asarray(self.space.present(self.question(i), y))].tolist())

    def answer(self, i: int, word) -> np.ndarray:
        """With padding."""
        return np.array([*word, *[self.space.padding] * (self.space.length - len(word))], np.int32)

    # What is compiled. An energy is built inside the program: beta is traced, as in training.

    def seen(self, beta, params, x) -> tuple[Energy, Any]:
        """The energy, and the question as it is encoded, where it is."""
        energy = self.build(beta)
        return energy, x if energy.encode is None else energy.encode(params, x)

    @cached_property
    def scores(self) -> Callable:
        """[P, N, M] energies of parameters [P, ...], questions [N, ...], encoded where it can, and answers [M, ...]."""

        def one(beta, params, x, y):
            energy, seen = self.seen(beta, params, x)
            return jax.vmap(lambda y: energy.apply(params, seen, y))(y)

        each = jax.vmap(one, (None, None, 0, None)) if self.x is not None else lambda *of: one(*of)[None]
        return quick(jax.vmap(each, (None, 0, None, None)))

    @cached_property
    def single(self) -> Callable:
        """[]: the energy of one answer to one question as it is, compiled as in training."""
        return jax.jit(lambda beta, params, x, y: self.build(beta).apply(params, x, y))

    @cached_property
    def slopes(self) -> Callable:
        """[M, ...]: of answers to one question, in the parameters, and in the answer where that is a point."""
        leaves = (0, 1) if self.kind is Answers.CONTINUOUS else (0,)

        def of(beta, params, x, y):
            energy = self.build(beta)
            return jax.vmap(jax.grad(lambda params, y: energy.apply(params, x, y), leaves), (None, 0))(params, y)

        return quick(of)

    @cached_property
    def free_slopes(self) -> Callable:
        """Of the free energy, in the parameters."""
        return quick(jax.grad(lambda params, beta, x: self.build(beta).free(params, x, beta)))

    def program(self, function) -> Any:
        """What (energy, params, encoded question, answers [Q, T]) returns for each question, with its own answers."""

        def one(beta, params, x, y):
            energy, seen = self.seen(beta, params, x)
            return function(energy, params, seen, y)

        return quick(jax.vmap(one, (None, None, 0, 0)))


def questions(rng, question: str) -> Any:
    """Some of a kind: arrays, segmented words of 3, 1 and 2 letters, or strips of 6, 4, 3 and 2 windows; what lies past
    the end is rubbish."""
    if question == "word":
        return Word(np.float32(rng.integers(0, 2, (3, 3, 128))), np.arange(3) < np.array([3, 1, 2])[:, None])
    if question == "strip":
        return Strip(np.float32(rng.integers(0, 2, (4, 48, 2))), np.array([48, 36, 30, 24], np.int32))
    return np.float32(rng.normal(0, 1, (3, 2, 2)))


def answers(rng, space: Space, at) -> np.ndarray:
    """Some points, all labels, all strings, or all words that can be on a strip, with one that cannot."""
    if isinstance(space, Box):
        return np.float32(rng.uniform(space.low, space.high, (5, space.dims)))
    if isinstance(space, Labels):
        return np.arange(space.size, dtype=np.int32)
    if space.fixed:
        return np.array(list(product(range(space.labels), repeat=space.length)), np.int32)
    words = [*paths(6, space.labels + 1, at["blank"]).words, (0,) * LENGTH, (0, 1) * 3]
    return np.stack([padded(word, LENGTH) for word in dict.fromkeys(words)])


def tried(one) -> Sequence[Any]:
    """The values of a hyperparameter that are tried."""
    some = one.choices or SIZES.get(one.name) or one.every
    assert len(some) < 10, f"SIZES says which {one.name} are tried"
    return some


def settings(unit) -> list[tuple[dict[str, Any], bool]]:
    """Every combination of the choices of an energy, and every size that is tried; and whether it is one of a few that
    show every value: all combinations but of heads, which take turns."""
    every = {one.name: tried(one) for one in unit.parameters.values()}
    chosen = {name: some[:1] if name in SIZES else some for name, some in every.items()}
    found = [dict(zip(chosen, one, strict=True)) for one in product(*chosen.values())]
    rest = {name: some for name, some in chosen.items() if name != "head"}
    heads = cycle(chosen.get("head", [None]))
    shown = [dict(zip(rest, one, strict=True)) | {"head": next(heads)} for one in product(*rest.values())]
    few = [at for at in found if {"head": None} | at in shown]
    sizes = [found[0] | {name: size} for name in every if name in SIZES for size in SIZES[name][1:]]
    return [(at, at in few) for at in found] + [(at, True) for at in sizes]


def cases() -> list[tuple[Any, bool]]:
    """Every energy with a formula, every kind of answer, without and with a question where either makes sense, every
    setting: (the arguments of `subject`, whether it is one of a few that show every value)."""
    found = []
    for name, unit in UNITS.items():
        traits = unit.traits
        for kind in traits.gives if name in FORMS else ():
            for asked in (False, True)[bool(traits.conditional or traits.question) :]:
                found += [((name, kind, asked, tuple(at.items())), shown) for at, shown in settings(unit)]
    return found


@cache
def subject(name: str, kind: Answers, asked: bool, settings: tuple[tuple[str, Any], ...]) -> Subject:
    unit, rng, at = UNITS[name], np.random.default_rng(0), dict(settings) | {"beta": BETA}
    space = SPACES[kind, unit.traits.question]
    x = questions(rng, unit.traits.question) if asked else None
    return Subject(
        name, kind, at, space, x, answers(rng, space, at), lambda beta: unit.build(at | {"beta": beta}, space)
    )
