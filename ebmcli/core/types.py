"""The nouns of the laboratory: tasks, energies, samplers and what passes between them.

Axes: B examples of a batch, K negatives, T positions of a sequence, C labels. `x` is None for unconditional energies.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Le

from ebmcli.core.lazy import Array

# The range of a hyperparameter, read from its annotation. Floats travel as arrays (a new value compiles nothing);
# integers and names are compiled in, unless marked Traced.
Traced = "traced"
Repeat = "repeat"  # runs that differ in it alone repeat one another, as those of several seeds do
Positive = Annotated[float, Ge(1e-12), Le(1e12)]  # far inside what float32 can hold
NonNegative = Annotated[float, Ge(0), Le(1e12)]
Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(1), Le(1_000_000)]
Steps = Annotated[int, Ge(0), Le(1_000_000)]


class Batch(NamedTuple):
    """Examples: x, y are pytrees with a leading axis B (x is None where the task is unconditional)."""

    x: Any
    y: Any


class Word(NamedTuple):
    """The x of a sequence task: one handwritten word, padded to T letters."""

    letters: Array  # [T, 128] pixels of each letter, 0 or 1
    mask: Array  # [T] bool, true for the letters that are there


class Strip(NamedTuple):
    """The x of a word whose letters are not cut apart: its ink, column by column, and how much of it is the strip."""

    image: Array  # [W, H] 0 or 1
    width: Array  # [] int32, at most W; what lies past it does not count


class Aligned(NamedTuple):
    """Where an energy finds the letters of an answer on a strip."""

    table: Array  # [L, C] the energy of each symbol in each window, the last one for what stands between letters
    state: Array  # [L] 2k + 1 in a window that reads letter k, 2k after k letters, -1 past the end of the strip
    column: Array  # [L] the middle of each window, in pixels


class Energies(NamedTuple):
    """The energies of ONE example: all that a loss may look at. A field that no loss of the program needs is None."""

    positive: Array  # []  F(x, y)
    negatives: Array  # [K] F(x, y-_k)
    distance: Array  # [K] margin distance of y-_k from y, in margins: 1, or the number of wrong labels; 0 where it is y
    log_q: Array  # [K] log density of y-_k under the distribution that draws the negatives; 0 where none is known
    log_q_positive: Array  # []  the same of y
    free: Array  # []  -(1/beta) log sum over all answers of exp(-beta F)
    minimum: Array  # []  the lowest energy over all answers (it does not matter whether y is among them)
    log_z: Array  # []  learned estimate of log sum over all answers of exp(-beta F)
    beta: Array  # []  inverse temperature of the run


class View(NamedTuple):
    """The model seen from ONE example: what a loss that needs no negatives looks at instead of Energies."""

    energy: Callable[[Array], Array]  # (y [D]) -> [] F(x, y), twice differentiable
    reconstruct: Callable[[Array], Array] | None  # (y [D]) -> [D], of an energy that has one
    y: Array  # [D] the right answer
    key: Array  # random numbers of this example and step
    beta: Array  # []  inverse temperature of the run


class Negatives(NamedTuple):
    """Contrastive answers: y is [K, ...], shared by the batch, or [B, K, ...]."""

    y: Any
    log_weight: Array | None = None  # [K] log volume that a node stands for, where the nodes cover all answers
    log_q: Callable[[Any, Any], Array] | None = None  # (x, y) -> [] log density of what drew them, if known


class Energy(NamedTuple):
    """An energy F(x, y), low where y is compatible with x. `model` below is one with its parameters bound."""

    init: Callable[..., Any]  # (key, x, y) of one example -> params
    apply: Callable[..., Array]  # (params, x, y) -> []
    free: Callable[..., Array] | None = None  # (params, x, beta) -> [], exact
    argmin: Callable[..., Any] | None = None  # (params, x) -> y of the lowest energy
    best_different: Callable[..., Any] | None = None
    # (params, x, y, reward) -> the y- other than y with the lowest F(x, y-) - reward * distance(y, y-); None: no reward
    reconstruct: Callable[..., Any] | None = None  # (params, x, y) -> y as the energy would have it
    sample: Callable[..., Any] | None = None
    # (params, key, x, beta, count) -> y [count, ...], exact independent draws of exp(-beta F) / Z
    n_best: Callable[..., Any] | None = None
    # (params, x, y, count) -> y- [count, ...], the answers other than y of lowest energy, distinct, the lowest first
    encode: Callable[..., Any] | None = None
    # (params, x) -> what F makes of x whatever the answer; the other functions take it in place of x
    feasible: Callable[..., Array] | None = None
    # (params, x, y) -> [] bool, whether y is an answer to x at all: else it has no energy; None: every y is
    align: Callable[..., Aligned] | None = None  # (params, x, y) -> where the letters of y lie


def bind(energy: Energy, params: Any) -> Energy:
    """The same energy with its parameters filled in: `model.apply(x, y)`."""

    def bound(function: Callable | None) -> Callable | None:
        return None if function is None else lambda *arguments: function(params, *arguments)

    return Energy(energy.init, *(bound(f) for f in energy[1:]))  # type: ignore[arg-type]


class Box(NamedTuple):
    """The answers of a continuous task: points [dims], every coordinate between the same two walls.

    Model, chains, uniform negatives and evaluation share it: an energy has no finite partition function elsewhere.
    """

    low: float
    high: float
    dims: int = 2

    @property
    def log_volume(self) -> float:
        """nats"""
        return self.dims * math.log(self.high - self.low)


class Labels(NamedTuple):
    """The answers of a finite task: integers below `size`."""

    size: int


class Strings(NamedTuple):
    """The answers of a sequence task: labels below `labels`, padded to `length`.

    fixed: x knows how long its answer is, x.mask [length] says so; else an answer has 1 to `length` labels.
    """

    labels: int
    length: int
    fixed: bool

    @property
    def padding(self) -> int:
        """What stands where no label is."""
        return 0 if self.fixed else -1

    def present(self, x: Any, y: Array) -> Array:
        """[length] bool: which labels of an answer to x are there."""
        return x.mask if self.fixed else y >= 0


Space = Box | Labels | Strings  # of the answers of a task


CONSTANT = "constant"  # the `margin_distance` of margins that do not grow with the distance


class Setting(NamedTuple):
    """What a sampler may know of the run it serves."""

    batch_size: int
    space: Space
    conditional: bool  # whether answers depend on an x: each example then has negatives of its own
    beta: Array  # [] inverse temperature
    reward: Array  # [] margin per wrong label or edit where the margin grows with the distance, else 0

    def shape(self, negatives: int) -> tuple[int, ...]:
        """The leading axes of so many negatives: [K], shared by the batch, or [B, K]."""
        return (self.batch_size, negatives) if self.conditional else (negatives,)

    def total(self, negatives: int) -> int:
        """How many that is."""
        return math.prod(self.shape(negatives))


class Sampler(NamedTuple):
    """A source of negatives."""

    init: Callable[..., Any]  # (key, batch of FIRST examples) -> state
    draw: Callable[..., tuple[Negatives, Any]]  # (key, state, model, batch) -> (negatives, state)
    evaluations: int  # energy evaluations that a step costs: to find the negatives and to score them
    gradients: int  # of these, how many are differentiated in y
    report: Callable[..., dict[str, Array]] = lambda state: {}  # (state) -> measures of the sampler itself


class Task(NamedTuple):
    """A source of examples, with the truth about them."""

    data: Callable[[], dict[str, Any]]  # () -> arrays that go into the program as arguments
    draw: Callable[..., Batch]  # (key, data, size) -> a batch of the training set
    distance: Callable[..., Array]  # (y, y-) -> [] in margins
    targets: Callable[[bool], dict[str, Any]]  # (fine) -> arrays on which the probe evaluates the energy
    probe: Callable[..., dict[str, Array]]  # (model, data, targets) -> arrays, on the device
    measure: Callable[..., dict[str, float | None]]  # (probed, fine, beta, margin) -> measures, on the host
    keep: Callable[..., dict[str, Any]]  # (probed) -> the arrays that a picture needs, from the fine probe
    space: Space
    examples: int | None = None  # in the training set; None where data are drawn afresh
    lesson: Callable[..., Batch] | None = None
    # (key, data, size, done) -> the batch of a training step, where it depends on the share of the steps that is done
