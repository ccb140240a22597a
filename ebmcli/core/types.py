"""The nouns of the laboratory: tasks, energies, samplers and what passes between them.

Axes: B examples of a batch, K negatives, T positions of a sequence, L windows of a strip, C labels, D coordinates.
`x` is None for unconditional energies.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Le

from ebmcli.core.lazy import Array, Key

# The range of a hyperparameter is read from its annotation. Floats travel as arrays, so that a new value compiles
# nothing; integers and names shape the program, unless they are marked Traced.
Traced = "traced"
Repeat = "repeat"  # runs that differ in nothing else are replicates, like those of several seeds
TimesBeta = "times beta"  # the default is that at beta = 1, and grows as beta does
Positive = Annotated[float, Ge(1e-12), Le(1e12)]  # far inside what float32 can hold
NonNegative = Annotated[float, Ge(0), Le(1e12)]
Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(1), Le(1_000_000)]
Steps = Annotated[int, Ge(0), Le(1_000_000)]

CONSTANT = "constant"  # the `margin_distance` of margins that do not grow with the distance of the answers


# --- examples --------------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Examples. x and y are pytrees with a leading axis B; x is None where the task is unconditional."""

    x: Any
    y: Any


class Word(NamedTuple):
    """The x of a segmented word: its handwritten letters, padded to T."""

    letters: Array  # [T, 128] pixels of each letter, 0 or 1
    mask: Array  # [T] bool, true where there is a letter


class Strip(NamedTuple):
    """The x of a word that is not segmented: its ink column by column, and how many columns the strip has."""

    image: Array  # [W, H] 0 or 1
    width: Array  # [] int32, at most W; columns past it do not count


class Alignment(NamedTuple):
    """The places where an energy finds the letters of an answer on a strip."""

    table: Array  # [L, C + 1] the energy of each symbol in each window; the last symbol separates letters
    state: Array  # [L] 2k + 1 in a window that reads letter k, 2k after k letters, -1 past the end of the strip
    column: Array  # [L] the middle of each window, in pixels


# --- what a loss sees ------------------------------------------------------------------------------------------------


class Energies(NamedTuple):
    """The energies of ONE example: all that a loss may look at. A field that no loss of the program needs is None."""

    positive: Array  # []  F(x, y)
    negatives: Array  # [K] F(x, y-_k)
    distance: Array  # [K] margin distance of y-_k from y, in margins: 1, or the number of wrong labels; 0 where it is y
    log_q: Array  # [K] log density of y-_k under the distribution that draws the negatives; 0 where none is known
    log_q_positive: Array  # []  the log density of y under the same distribution
    free: Array  # []  -(1/beta) log sum over all answers of exp(-beta F)
    minimum: Array  # []  the lowest energy over all answers (it does not matter whether y is among them)
    log_z: Array  # []  learned estimate of log sum over all answers of exp(-beta F)
    beta: Array  # []  inverse temperature of the run


class View(NamedTuple):
    """The model seen from ONE example: what a loss that needs no negatives looks at instead of Energies."""

    energy: Callable[[Array], Array]  # (y [D]) -> [] F(x, y), twice differentiable
    reconstruct: Callable[[Array], Array] | None  # (y [D]) -> [D], of an energy that has one
    y: Array  # [D] the right answer
    key: Key  # random numbers of this example and step
    beta: Array  # []  inverse temperature of the run


class Negatives(NamedTuple):
    """Contrastive answers: y is [K, ...], shared by the batch, or [B, K, ...]."""

    y: Any
    log_weight: Array | None = None  # [K] log volume that a node stands for, where the nodes cover all answers
    log_q: Callable[[Any, Any], Array] | None = None  # (x, y) -> [] log density of what drew them, if it is known


# --- energies --------------------------------------------------------------------------------------------------------


class Energy(NamedTuple):
    """An energy F(x, y), low where y is compatible with x. All functions are of one example."""

    init: Callable[[Key, Any, Any], Any]  # (key, x, y) -> params
    apply: Callable[[Any, Any, Any], Array]  # (params, x, y) -> [] F(x, y)
    free: Callable[[Any, Any, Array], Array] | None = None  # (params, x, beta) -> [], exact
    argmin: Callable[[Any, Any], Any] | None = None  # (params, x) -> the y of lowest energy
    # (params, x, y, reward) -> the y- other than y with the lowest F(x, y-) - reward * distance(y, y-); None: no reward
    best_different: Callable[[Any, Any, Any, Array | None], Any] | None = None
    reconstruct: Callable[[Any, Any, Any], Any] | None = None  # (params, x, y) -> y as the energy would have it
    # (params, key, x, beta, count) -> y [count, ...], exact independent draws of exp(-beta F) / Z
    sample: Callable[[Any, Key, Any, Array, int], Any] | None = None
    # (params, x, y, count) -> y- [count, ...], the answers other than y of lowest energy, distinct, the lowest first
    n_best: Callable[[Any, Any, Any, int], Any] | None = None
    # (params, x) -> what F makes of x whatever the answer; the other functions take it in place of x
    encode: Callable[[Any, Any], Any] | None = None
    # (params, x, y) -> [] bool, whether y is an answer to x at all: else it has no energy. None: every y is
    feasible: Callable[[Any, Any, Any], Array] | None = None
    align: Callable[[Any, Any, Any], Alignment] | None = None  # (params, x, y) -> where the letters of y lie


class Model(NamedTuple):
    """An energy with its parameters filled in: the functions of `Energy` without their first argument."""

    apply: Callable[[Any, Any], Array]
    free: Callable[[Any, Array], Array] | None = None
    argmin: Callable[[Any], Any] | None = None
    best_different: Callable[[Any, Any, Array | None], Any] | None = None
    reconstruct: Callable[[Any, Any], Any] | None = None
    sample: Callable[[Key, Any, Array, int], Any] | None = None
    n_best: Callable[[Any, Any, int], Any] | None = None
    encode: Callable[[Any], Any] | None = None
    feasible: Callable[[Any, Any], Array] | None = None
    align: Callable[[Any, Any], Alignment] | None = None


def bind(energy: Energy, params: Any) -> Model:
    """Fill in the parameters of an energy."""

    def bound(function: Callable[..., Any] | None) -> Any:
        return None if function is None else lambda *arguments: function(params, *arguments)

    return Model(*map(bound, energy[1:]))


# --- answers ---------------------------------------------------------------------------------------------------------


class Box(NamedTuple):
    """The answers of a continuous task: points [dims], every coordinate between the same two walls.

    Model, chains, uniform negatives and evaluation share it: an energy has no finite partition function elsewhere.
    """

    low: float
    high: float
    dims: int = 2

    @property
    def log_volume(self) -> float:
        """The log of the volume, nats."""
        return self.dims * math.log(self.high - self.low)


class Units(NamedTuple):
    """The units in which a user knows points that a task has moved and scaled into its box, coordinate by coordinate:
    `low` lies at -reach there, `high` at reach."""

    names: tuple[str, ...]  # of the coordinates; empty where they have none
    low: Any  # [D] float64
    high: Any  # [D] float64
    reach: float

    def into_box(self, points: Any) -> Any:
        """Points of the box, [..., D]."""
        return self.reach * (2 * ((points - self.low) / (self.high - self.low)) - 1)

    def out_of_box(self, points: Any) -> Any:
        """The points of the box in the user's units, [..., D] float64."""
        share = (points.astype("float64") / self.reach + 1) / 2
        return self.low + (self.high - self.low) * share

    @property
    def log_volume(self) -> float:
        """The log of the volume that a unit volume of the box has in the user's units, nats."""
        return sum(math.log((high - low) / (2 * self.reach)) for low, high in zip(self.low, self.high, strict=True))


class Labels(NamedTuple):
    """The answers of a finite task: integers below `size`."""

    size: int


class Strings(NamedTuple):
    """The answers of a sequence task: labels below `labels`, padded to `length`.

    fixed: x knows how long its answer is, by x.mask [length]; otherwise an answer has 1 to `length` labels.
    """

    labels: int
    length: int
    fixed: bool

    @property
    def padding(self) -> int:
        """The value of a position without a label."""
        return 0 if self.fixed else -1

    def present(self, x: Any, y: Array) -> Array:
        """[length] bool: the positions of an answer to x that have a label."""
        return x.mask if self.fixed else y >= 0


Space = Box | Labels | Strings  # of the answers of a task


# --- negatives -------------------------------------------------------------------------------------------------------


class BatchShape(NamedTuple):
    """The static half of what a sampler knows of its run: enough to count what a training step costs."""

    batch_size: int
    space: Space
    conditional: bool  # whether answers depend on an x: each example then has negatives of its own

    def negatives(self, count: int) -> tuple[int, ...]:
        """The leading axes of that many negatives: [K], shared by the batch, or [B, K]."""
        return (self.batch_size, count) if self.conditional else (count,)

    def total(self, count: int) -> int:
        """The number of answers that those axes hold."""
        return math.prod(self.negatives(count))


class SamplerContext(NamedTuple):
    """The facts that a sampler knows of the run that it serves."""

    shape: BatchShape
    beta: Array  # [] inverse temperature
    reward: Array  # [] margin per wrong label or edit where the margin grows with the distance, else 0

    @property
    def space(self) -> Space:
        """The answers of the task."""
        return self.shape.space


class Cost(NamedTuple):
    """The evaluations of the energy in a training step of a sampler, those that score the negatives included."""

    evaluations: int
    gradients: int = 0  # of these evaluations, the number that is differentiated in y


class Sampler(NamedTuple):
    """A source of negatives."""

    init: Callable[[Key, Batch], Any]  # (key, a batch of examples) -> state
    draw: Callable[[Key, Any, Model, Batch], tuple[Negatives, Any]]  # (key, state, model, batch) -> (negatives, state)
    report: Callable[[Any], Mapping[str, Array]] = lambda state: {}  # (state) -> measures of the sampler itself
    # (key, state, model, batch) -> measures of how another draw went; computed at chunk ends alone
    watch: Callable[[Key, Any, Model, Batch], Mapping[str, Array]] = lambda key, state, model, batch: {}


# --- tasks -----------------------------------------------------------------------------------------------------------


class Task(NamedTuple):
    """A source of examples, with the truth about them."""

    data: Callable[[], dict[str, Any]]  # () -> arrays that go into the program as arguments
    draw: Callable[[Key, Any, int], Batch]  # (key, data, size) -> a batch of the training set
    distance: Callable[[Any, Any], Array]  # (y, y-) -> [] in margins
    targets: Callable[[bool], dict[str, Any]]  # (fine) -> arrays on which the probe evaluates the energy
    probe: Callable[[Model, Any, Any], dict[str, Any]]  # (model, data, targets) -> arrays, on the device
    # (probed, fine, beta, threshold) -> what the measures look at (see registry.measure), or the measures by name
    measure: Callable[[dict[str, Any], bool, float, float], Any]
    keep: Callable[[dict[str, Any]], dict[str, Any]]  # (the fine probe) -> the arrays that a picture needs
    space: Space
    examples: int | None = None  # in the training set; None where data are drawn afresh
    units: Units | None = None  # of its answers, where these are not those of its box
    remarks: tuple[str, ...] = ()  # on its data, each a sentence that users and records are told
    test_seed: int | None = None  # from which its test data are drawn (see core.streams); None where none are
    # (key, data, size, share of the training that is done) -> a training batch; None where batches do not change
    curriculum: Callable[[Key, Any, int, Any], Batch] | None = None
    film: Callable[[dict[str, Any]], dict[str, Any]] = lambda probed: {}  # (the coarse probe) -> what a frame shows
    # (points [N, 2]) -> the true log-density of these answers [N], or of each label given these questions [N, C]; None
    # where there is none, or it is not known
    truth: Callable[[Any], Any] | None = None
