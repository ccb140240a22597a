"""The nouns of the laboratory: tasks, energies, samplers and what passes between them.

Axes: B examples of a batch, K negatives, T positions of a sequence, C labels. `x` is None for unconditional energies.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Le

from ebmcli.lazy import Array

# The range of a hyperparameter, read from its annotation. Floats travel as arrays (a new value compiles nothing);
# integers and names are compiled in, unless marked Traced.
Traced = "traced"
Positive = Annotated[float, Ge(1e-12), Le(1e12)]  # far inside what float32 can hold
NonNegative = Annotated[float, Ge(0), Le(1e12)]
Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(1), Le(1_000_000)]


class Batch(NamedTuple):
    """Examples: x, y are pytrees with a leading axis B (x is None where the task is unconditional)."""

    x: Any
    y: Any


class Word(NamedTuple):
    """The x of a sequence task: one handwritten word, padded to T letters."""

    letters: Array  # [T, 128] pixels of each letter, 0 or 1
    mask: Array  # [T] bool, true for the letters that are there


class Energies(NamedTuple):
    """The energies of ONE example: all that a loss may look at. A field that no loss of the program needs is None."""

    positive: Array  # []  F(x, y)
    negatives: Array  # [K] F(x, y-_k)
    distance: Array  # [K] margin distance of y-_k from y, in margins: 1, or the number of wrong labels
    free: Array  # []  -(1/beta) log sum over all answers of exp(-beta F)
    minimum: Array  # []  the lowest energy over all answers (it does not matter whether y is among them)
    beta: Array  # []  inverse temperature of the run


class Negatives(NamedTuple):
    """Contrastive answers: y is [K, ...] shared by the batch (unconditional tasks) or [B, K, ...]."""

    y: Any
    log_weight: Array | None = None  # [K] log volume that a node stands for, where the nodes cover all answers


class Energy(NamedTuple):
    """An energy F(x, y), low where y is compatible with x. `model` below is one with its parameters bound."""

    init: Callable[..., Any]  # (key, x, y) of one example -> params
    apply: Callable[..., Array]  # (params, x, y) -> []
    free: Callable[..., Array] | None = None  # (params, x, beta) -> [], exact
    argmin: Callable[..., Any] | None = None  # (params, x) -> y of the lowest energy
    best_different: Callable[..., Any] | None = None
    # (params, x, y, reward) -> the y- other than y with the lowest F(x, y-) - reward * hamming(y, y-)


def bind(energy: Energy, params: Any) -> Energy:
    """The same energy with its parameters filled in: `model.apply(x, y)`."""

    def bound(function: Callable | None) -> Callable | None:
        return None if function is None else lambda *arguments: function(params, *arguments)

    return Energy(energy.init, *(bound(f) for f in energy[1:]))  # type: ignore[arg-type]


class Setting(NamedTuple):
    """What a sampler may know of the run it serves."""

    batch_size: int
    box: tuple[float, float] | None  # the walls of a continuous task, the same on every axis
    beta: Array  # [] inverse temperature
    reward: Array  # [] margin per wrong label where the margin grows with the distance, else 0


class Sampler(NamedTuple):
    """A source of negatives."""

    init: Callable[..., Any]  # (key) -> state
    draw: Callable[..., tuple[Negatives, Any]]  # (key, state, model, batch) -> (negatives, state)
    evaluations: int  # energy evaluations that a step costs: to find the negatives and to score them
    gradients: int  # of these, how many are differentiated in y


class Task(NamedTuple):
    """A source of examples, with the truth about them."""

    data: Callable[[], dict[str, Any]]  # () -> arrays that go into the program as arguments
    draw: Callable[..., Batch]  # (key, data, size) -> a batch of the training set
    distance: Callable[..., Array]  # (y, y-) -> [] in margins
    targets: Callable[[bool], dict[str, Any]]  # (fine) -> arrays on which the probe evaluates the energy
    probe: Callable[..., dict[str, Array]]  # (model, data, targets) -> arrays, on the device
    measure: Callable[..., dict[str, float | None]]  # (probed, fine, beta, margin) -> measures, on the host
    keep: Callable[..., dict[str, Any]]  # (probed) -> the arrays that a picture needs, from the fine probe
    box: tuple[float, float] | None = None  # of a continuous task
    examples: int | None = None  # in the training set; None where data are drawn afresh
