"""Chains of labels: an energy that is a sum over positions and neighbouring pairs is searched and summed exactly."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Le

from ebmcli.core.decorators import energy
from ebmcli.core.lazy import Array, Key, jax, jnp, nn
from ebmcli.core.types import Count, Energy, Space, Strings, Word
from ebmcli.energies._heads import head_function


def chain_energy(unary: Array, transition: Array, mask: Array, y: Array) -> Array:
    """[]: sum over the positions t that are there of unary[t, y_t] + transition[y_(t-1), y_t].

    unary: [T, C], transition: [C, C], mask: [T] (a prefix), y: [T].
    """
    local = jnp.take_along_axis(unary, y[:, None], axis=1)[:, 0]
    pairs = transition[y[:-1], y[1:]]
    return jnp.sum(jnp.where(mask, local, 0)) + jnp.sum(jnp.where(mask[1:], pairs, 0))


Fold = Callable[[Array], Array]  # [..., C] -> [...]


def ahead(unary: Array, transition: Array, mask: Array, fold: Fold) -> Array:
    """[T, C]: of all ways to go on from label c at position t, the energies of t and what follows, folded: the lowest
    (Viterbi) or the free energy (the backward algorithm)."""

    def step(after: Array, position: tuple[Array, Array]) -> tuple[Array, Array]:
        local, present = position
        here = local + after
        return jnp.where(present, fold(transition + here[None]), after), here

    return jax.lax.scan(step, jnp.zeros_like(unary[0]), (unary, mask), reverse=True)[1]


def _lowest(energies: Array) -> Array:
    return jnp.min(energies, axis=-1)


def _soft(beta: Array) -> Fold:
    return lambda energies: -jax.nn.logsumexp(-beta * energies, axis=-1) / beta


def free_energy(unary: Array, transition: Array, mask: Array, beta: Array) -> Array:
    """[]: -(1/beta) log of the sum over all C^length answers of exp(-beta F)."""
    return _soft(beta)(ahead(unary, transition, mask, _soft(beta))[0])


def sample(key: Key, unary: Array, transition: Array, mask: Array, beta: Array, count: int) -> Array:
    """[count, T]: independent draws of exp(-beta F) / Z, letter by letter given what may follow; 0 where padded."""
    free = ahead(unary, transition, mask, _soft(beta))

    def step(enter: Array, position: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        noise, free, present = position
        label = jnp.where(present, jnp.argmax(noise - beta * (enter + free)), 0)
        return transition[label], label

    def draw(noise: Array) -> Array:
        return jax.lax.scan(step, jnp.zeros_like(unary[0]), (noise, free, mask))[1]

    return jax.vmap(draw)(jax.random.gumbel(key, (count, *unary.shape), unary.dtype)).astype(jnp.int32)


def _completion(transition: Array, mask: Array, best: Array, answer: Array, leaves: Array, other: Array) -> Array:
    """[T]: the best answer that leaves this one at position `leaves`, for the label `other`."""

    def step(enter: Array, position: tuple[Array, ...]) -> tuple[Array, Array]:
        t, best, now, present = position
        label = jnp.where(t == leaves, other, jnp.where((t < leaves) | ~present, now, jnp.argmin(enter + best)))
        return transition[label], label

    along = (jnp.arange(len(answer)), best, answer, mask)
    return jax.lax.scan(step, jnp.zeros_like(best[0]), along)[1].astype(answer.dtype)


def n_best(unary: Array, transition: Array, mask: Array, y: Array, count: int, reward: Array | float = 0.0) -> Array:
    """[count, T]: the answers other than y with the lowest F - reward * hamming(y, answer), distinct, the lowest first.

    y itself stands for those that are missing where there are fewer. Padded as y is. All answers but y fall into sets
    by where they leave y and for which label; the best of a set is known from `ahead`, and once it is taken, what is
    left of its set falls apart in the same way (Lawler 1972; Nilsson & Goldberger 2001).
    """
    place, labels = jnp.arange(unary.shape[0]), jnp.arange(unary.shape[1])[None]
    local = unary - reward * (labels != y[:, None])
    best = ahead(local, transition, mask, _lowest)

    def sets(answer: Array, since: Array | int) -> Array:
        """[T, C]: the lowest energies of those that leave the answer after `since`, there for another label."""
        enter = jnp.concatenate([jnp.zeros_like(unary[:1]), transition[answer[:-1]]])
        paid = jnp.cumsum(jnp.take_along_axis(enter + local, answer[:, None], axis=1)[:, 0])
        energy = jnp.append(0, paid[:-1])[:, None] + enter + best
        left = (place > since) & mask
        return jnp.where(left[:, None] & (labels != answer[:, None]), energy, jnp.inf)

    def take(state: tuple[Array, Array], row: Array) -> tuple[tuple[Array, Array], Array]:
        energies, answers = state  # [count, T, C], [count, T]: of y and of what was taken
        lowest = jnp.argmin(energies)
        parent, leaves, other = jnp.unravel_index(lowest, energies.shape)
        finite = energies.ravel()[lowest] < jnp.inf
        answer = jnp.where(finite, _completion(transition, mask, best, answers[parent], leaves, other), y)
        energies = energies.at[parent, leaves, other].set(jnp.inf)
        energies = energies.at[row].set(jnp.where(finite, sets(answer, leaves), jnp.inf), mode="drop")
        return (energies, answers.at[row].set(answer, mode="drop")), answer

    untaken = jnp.full((count, *unary.shape), jnp.inf, local.dtype).at[0].set(sets(y, -1))
    return jax.lax.scan(take, (untaken, jnp.tile(y, (count, 1))), 1 + jnp.arange(count))[1]


def best_different(unary: Array, transition: Array, mask: Array, y: Array, reward: Array | float | None) -> Array:
    """[T]: the answer other than y with the lowest F - reward * hamming(y, answer); y where padded. None: no reward."""
    return n_best(unary, transition, mask, y, 1, 0.0 if reward is None else reward)[0]


def best(unary: Array, transition: Array, mask: Array) -> Array:
    """[T]: the answer of lowest energy; 0 where padded."""
    zeros = jnp.zeros(unary.shape[0], jnp.int32)
    other = best_different(unary, transition, mask, zeros, None)
    lower = chain_energy(unary, transition, mask, zeros) <= chain_energy(unary, transition, mask, other)
    return jnp.where(lower, zeros, other)


# --- energies of words -----------------------------------------------------------------------------------------------

EXACT = "free best_different argmin sample n_best"  # what a chain computes
NONNEGATIVE = {"head": "softplus"}
Order = Annotated[int, Ge(0), Le(1)]  # letters that a letter looks back at
ChainHead = Literal["free", "softplus"]


class Scanned(NamedTuple):
    """A word as a chain sees it: the energy of each letter at each position."""

    unary: Array  # [T, C]
    mask: Array  # [T] bool


class Scorer(NamedTuple):
    """A network that scores letters."""

    init: Callable[[Key, Array], Any]  # (key, letters [T, 128]) -> params
    apply: Callable[[Any, Array], Array]  # (params, letters [T, 128]) -> [T, C]


def _chain(labels: int, scorer: Scorer, head: ChainHead, order: int) -> Energy:
    """F(x, y) = sum over t of h(-scores(x_t)[y_t]) + h(-A[y_t-1, y_t]), h the head."""
    above = head_function(head)

    def encode(params: Any, x: Word) -> Scanned:
        return Scanned(above(-scorer.apply(params["letter"], x.letters)), x.mask)

    def tables(params: Any, x: Word | Scanned) -> tuple[Array, Array, Array]:
        scanned = x if isinstance(x, Scanned) else encode(params, x)
        free = params["transition"] if order else jnp.zeros((labels, labels))
        return scanned.unary, above(-free), scanned.mask

    def init(key: Key, x: Word, y: Array) -> Any:
        params = {"letter": scorer.init(key, x.letters)}
        return params | ({"transition": jnp.zeros((labels, labels))} if order else {})

    return Energy(
        init=init,
        apply=lambda params, x, y: chain_energy(*tables(params, x), y),
        free=lambda params, x, beta: free_energy(*tables(params, x), beta),
        argmin=lambda params, x: best(*tables(params, x)),
        best_different=lambda params, x, y, reward: best_different(*tables(params, x), y, reward),
        sample=lambda params, key, x, beta, count: sample(key, *tables(params, x), beta, count),
        n_best=lambda params, x, y, count: n_best(*tables(params, x), y, count),
        encode=encode,
    )


@energy(
    sequence=EXACT,
    question="word",
    nonnegative=NONNEGATIVE,
    seconds=(7e-8, 3e-5),
    reference="Lafferty et al. 2001; Taskar et al. 2003",
    also="crf linear hmm",
)
def linear_chain(space: Space, head: ChainHead = "free", order: Order = 1) -> Energy:
    """F(x, y) = - sum_t (W x_t + b)[y_t] - sum_t A[y_t, y_t+1]; softplus of each with that head; A = 0 at order 0"""
    labels = _labels(space)
    readout: Any = nn.Dense(labels)
    return _chain(labels, Scorer(readout.init, readout.apply), head, order)


def _labels(space: Space) -> int:
    assert isinstance(space, Strings)
    return space.labels


def _patches(images: Array) -> Array:
    """[..., H, W, 9 C] of [..., H, W, C]: the 3 by 3 values at and around each place, 0 beyond the edge.

    By slicing: a convolution inside a loop is 70 times slower on a CPU than this and one matrix product.
    """
    height, width = images.shape[-3:-1]
    around = jnp.pad(images, [(0, 0)] * (images.ndim - 3) + [(1, 1), (1, 1), (0, 0)])
    shifts = [(down, right) for down in range(3) for right in range(3)]
    return jnp.concatenate([around[..., d : d + height, r : r + width, :] for d, r in shifts], axis=-1)


def _max_pool(images: Array) -> Array:
    """[..., H/2, W/2, C]: the maximum over squares of 2 by 2."""
    *lead, height, width, channels = images.shape
    return images.reshape(*lead, height // 2, 2, width // 2, 2, channels).max(axis=(-4, -2))


@energy(
    sequence=EXACT,
    question="word",
    nonnegative=NONNEGATIVE,
    defaults={"steps": 6_000, "batch_size": 12, "lr": 4e-3},
    seconds=(7e-8, 6e-4),
    reference="LeCun et al. 1998; Do & Artieres 2010",
    also="cnn convnet lenet conv",
)
def conv_chain(
    space: Space, channels: Count = 16, code: Count = 128, head: ChainHead = "free", order: Order = 1
) -> Energy:
    """F(x, y) = - sum_t G(x_t)[y_t] - sum_t A[y_t, y_t+1], G a convolutional network on the pixels of a letter"""
    labels = _labels(space)
    layers: Any = [nn.Dense(size) for size in (channels, 2 * channels, code, labels)]

    def seen(layer: Callable[[int, Array], Array], letters: Array) -> Array:
        image = 2 * letters.reshape(*letters.shape[:-1], 16, 8, 1) - 1
        for number in (0, 1):
            image = _max_pool(jax.nn.relu(layer(number, _patches(image))))
        return layer(3, jax.nn.relu(layer(2, image.reshape(*letters.shape[:-1], -1))))

    def init(key: Key, letters: Array) -> list[Any]:
        params: list[Any] = []

        def grow(number: int, inputs: Array) -> Array:
            params.append(layers[number].init(jax.random.fold_in(key, number), inputs))
            return layers[number].apply(params[-1], inputs)

        seen(grow, letters)
        return params

    def scores(params: list[Any], letters: Array) -> Array:
        return seen(lambda number, inputs: layers[number].apply(params[number], inputs), letters)

    return _chain(labels, Scorer(init, scores), head, order)
