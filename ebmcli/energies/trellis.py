"""Windows of a strip against the letters of a word, whose alignment is latent."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from ebmcli.core.decorators import energy
from ebmcli.core.lazy import Array, Key, jax, jnp, nn
from ebmcli.core.types import Alignment, Count, Energy, Space, Strings, Strip
from ebmcli.energies._heads import Head, head_function
from ebmcli.numerics import alignment as paths
from ebmcli.numerics.alignment import Topology

WINDOW, STRIDE = 18, 6  # pixels: a word of n letters of 18 pixels has 3n - 1 windows or more, and needs 2n
# Energy by which windows lean towards the separator before training. Strips of 2 and 3 letters have blank windows only
# at their end; without this nll reads letters into the longer blank ends of longer words (exact match .82, not 1.00).
SEPARATOR_BIAS = 5.0
SEARCHED = 4  # best paths' words beyond those asked for, among which the lowest sums are sought
AUGMENTED = 8  # words of lowest energy among which the one that violates a margin most is sought


class Scanned(NamedTuple):
    """A strip as the network sees it."""

    table: Array  # [L, C + 1] the energy of each symbol in each window; the last stands between letters
    windows: Array  # [] int32, how many of the L windows lie on the strip


def patches(image: Array) -> Array:
    """[L, WINDOW * H]: the windows of a strip [W, H]. Slices and a matrix product: a convolution, and far faster."""
    steps = len(image) // STRIDE
    blocks = image[: steps * STRIDE].reshape(steps, -1)
    overlap = WINDOW // STRIDE
    return jnp.concatenate([blocks[i : steps - overlap + 1 + i] for i in range(overlap)], axis=1)


@energy(
    sequence="free best_different argmin sample n_best",
    question="strip",
    nonnegative={"head": "softplus square", "alignment": "best"},
    follows={"alignment": {"partition": "sum", "model": "sum", "independent": "sum", "log_q": "sum"}},
    only={"partition": {"alignment": "sum"}, "sample": {"alignment": "sum"}, "minimum": {"alignment": "best"}},
    seconds=(2e-6, 2.5e-4),
    reference="LeCun, Bottou, Bengio, Haffner 1998; Graves et al. 2006 for the optional blank",
    also="ctc gtn alignment",
)
def trellis(
    space: Space,
    beta: Array,
    hidden: Count = 256,
    head: Head = "free",
    alignment: Literal["best", "sum"] = "best",
    blank: Literal["forced", "optional"] = "forced",
) -> Energy:
    """F(x, y) = min over alignments z of sum over windows i of E_i(y_z(i)), or the soft minimum over them"""
    assert isinstance(space, Strings)
    bias = SEPARATOR_BIAS if head != "square" else 0
    above, topology = head_function(head), Topology(blank)

    def leaning(key: Key, shape: Any, dtype: Any) -> Array:
        return jnp.zeros(shape, dtype).at[-1].set(-bias)

    inner: Any = [layer for _ in range(2) for layer in (nn.Dense(hidden), nn.relu)]
    net: Any = nn.Sequential([*inner, nn.Dense(space.labels + 1, bias_init=leaning)])

    def encode(params: Any, x: Strip) -> Scanned:
        table = net.apply(params, patches(x.image))
        return Scanned(above(table), (x.width - WINDOW) // STRIDE + 1)

    search = _sums_over_paths(topology, beta) if alignment == "sum" else _best_paths(topology)
    return _energy(net, encode, topology, search, space.length)


# --- the energy of a word from those of its paths --------------------------------------------------------------------


class Search(NamedTuple):
    """The energy of a word on a scanned strip, and the words of lowest energy."""

    energy: Callable[[Scanned, Array], Array]  # (x, y) -> []
    n_best: Callable[[Scanned, Array, int], Array]  # (x, y, count) -> [count, T], the lowest first, none of them y


def _best_paths(topology: Topology) -> Search:
    """The energy of a word is that of its best path: the n best words are found exactly."""

    def energy(x: Scanned, y: Array) -> Array:
        return paths.word_energy(x.table, x.windows, y, topology, soft=False)

    def n_best(x: Scanned, y: Array, count: int) -> Array:
        words, energies = paths.best_words(x.table, x.windows, topology, count + 1, len(y))
        return paths.others(words, energies, y)[:count]

    return Search(energy, n_best)


def _sums_over_paths(topology: Topology, beta: Array) -> Search:
    """The energy of a word is the soft minimum over its paths: the n best words are sought among those of the best
    paths, since no exact search is known."""

    def energy(x: Scanned, y: Array) -> Array:
        return paths.word_energy(beta * x.table, x.windows, y, topology, soft=True) / beta

    def n_best(x: Scanned, y: Array, count: int) -> Array:
        words, energies = paths.best_words(x.table, x.windows, topology, count + 1 + SEARCHED, len(y))
        reached = energies < paths.FAR / 2
        energies = jnp.where(reached, jax.vmap(energy, (None, 0))(x, words), paths.FAR)
        words, energies = (leaf[jnp.argsort(energies)] for leaf in (words, energies))
        return paths.others(words, energies, y)[:count]

    return Search(energy, n_best)


def _violating(y: Array, words: Array, energies: Array, reward: Array) -> Array:
    """[T]: of these words [K, T] the one with the lowest energy [K] - reward * edits; y where there is no other.

    A word that is not among them violates the margin more only if it has more edits than its energy lies rewards
    higher.
    """
    edits = jax.vmap(paths.edit_distance, (None, 0))(y, words)
    return words[jnp.argmin(jnp.where(edits > 0, energies - reward * edits, jnp.inf))]


def _energy(
    net: Any, encode: Callable[[Any, Strip], Scanned], topology: Topology, search: Search, length: int
) -> Energy:
    """The Energy of a search on the strips that `encode` scans. length: of the padded answers."""

    def scanned(params: Any, x: Strip | Scanned) -> Scanned:
        return x if isinstance(x, Scanned) else encode(params, x)

    def free(params: Any, x: Any, beta: Array) -> Array:
        strip = scanned(params, x)
        return paths.all_words(beta * strip.table, strip.windows, topology, soft=True) / beta

    def best_different(params: Any, x: Any, y: Array, reward: Array | None) -> Array:
        strip = scanned(params, x)
        if reward is None:
            return search.n_best(strip, y, 1)[0]
        words = search.n_best(strip, y, AUGMENTED)
        return _violating(y, words, jax.vmap(search.energy, (None, 0))(strip, words), reward)

    def sample(params: Any, key: Key, x: Any, beta: Array, count: int) -> Array:
        strip = scanned(params, x)
        return paths.sample(key, beta * strip.table, strip.windows, topology, count, length)

    def align(params: Any, x: Any, y: Array) -> Alignment:
        strip = scanned(params, x)
        column = STRIDE * jnp.arange(len(strip.table)) + WINDOW / 2
        return Alignment(strip.table, paths.best_path(strip.table, strip.windows, y, topology), column)

    no_word = jnp.full(length, -2)  # of which every word is different

    return Energy(
        init=lambda key, x, y: net.init(key, patches(x.image)),
        apply=lambda params, x, y: search.energy(scanned(params, x), y),
        free=free,
        argmin=lambda params, x: search.n_best(scanned(params, x), no_word, 1)[0],
        best_different=best_different,
        sample=sample,
        n_best=lambda params, x, y, count: search.n_best(scanned(params, x), y, count),
        encode=encode,
        feasible=lambda params, x, y: paths.feasible(scanned(params, x).windows, y, topology),
        align=align,
    )
