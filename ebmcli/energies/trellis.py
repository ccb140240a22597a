"""Windows of a strip against the letters of a word, whose alignment is latent."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from ebmcli.core.lazy import Array, jax, jnp, nn
from ebmcli.core.registry import energy
from ebmcli.core.types import Aligned, Count, Energy, Space, Strip
from ebmcli.numerics import alignment as dynamic

WINDOW, STRIDE = 18, 6  # pixels: a word of n letters of 18 pixels has 3n - 1 windows or more, and needs 2n
# What no training strip shows should read as a gap: in strips of 2 and 3 letters no blank window lies but at the end,
# and without this nll reads letters into the longer blank ends of longer words (exact match .82 instead of 1.00).
LEAN = 5.0  # how much lower the energy of the separator begins
HEADS = {"free": lambda e: e, "softplus": lambda e: nn.softplus(e), "square": lambda e: jnp.square(e)}
SEARCHED = 4  # best paths' words beyond those asked for, among which the lowest sums are sought
AUGMENTED = 8  # words of lowest energy among which the one that violates a margin most is sought


class Scanned(NamedTuple):
    """What the network makes of a strip."""

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
    nonnegative={"head": "softplus square", "alignment": "best"},
    follows={"alignment": {"partition": "sum", "model": "sum", "independent": "sum", "log_q": "sum"}},
    only={"partition": {"alignment": "sum"}, "sample": {"alignment": "sum"}, "minimum": {"alignment": "best"}},
    reference="LeCun, Bottou, Bengio, Haffner 1998; Graves et al. 2006 for the optional blank",
)
def trellis(
    space: Space,
    beta: Array,
    hidden: Count = 256,
    head: Literal["free", "softplus", "square"] = "free",
    alignment: Literal["best", "sum"] = "best",
    blank: Literal["forced", "optional"] = "forced",
) -> Energy:
    """F(x, y) = min over alignments z of sum over windows i of E_i(y_z(i)), or the soft minimum over them"""
    inner: Any = [layer for _ in range(2) for layer in (nn.Dense(hidden), nn.relu)]
    lean = lambda key, shape, dtype: jnp.zeros(shape, dtype).at[-1].set(-LEAN if head != "square" else 0)  # noqa: E731
    net: Any = nn.Sequential([*inner, nn.Dense(space.labels + 1, bias_init=lean)])  # type: ignore[union-attr]

    def encode(params, x: Strip) -> Scanned:
        table = net.apply(params, patches(x.image))
        return Scanned(HEADS[head](table), (x.width - WINDOW) // STRIDE + 1)

    return _searched(net, encode, beta if alignment == "sum" else None, blank == "optional", space)


def _aligned(x: Scanned, y: Array, optional: bool) -> Aligned:
    column = STRIDE * jnp.arange(len(x.table)) + WINDOW / 2
    return Aligned(x.table, dynamic.best_path(x.table, x.windows, y, optional), column)


def _violating(y: Array, found: Array, energies: Array, reward: Array) -> Array:
    """[T]: of the words found [K, T] the one with the lowest energy [K] - reward * edits; y where there is no other.

    A word that was not found violates the margin more only if it has more edits than its energy lies rewards higher.
    """
    away = jax.vmap(dynamic.edit_distance, (None, 0))(y, found)
    return found[jnp.argmin(jnp.where(away > 0, energies - reward * away, jnp.inf))]


def _searched(net: Any, encode: Callable[..., Scanned], beta: Array | None, optional: bool, space: Any) -> Energy:
    """The energy of the tables that `encode` makes; beta: of the sums over alignments, None for the best alignment."""
    soft, unit = beta is not None, 1.0 if beta is None else beta

    def scanned(function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of a scanned strip as one that also takes the strip itself."""
        return lambda params, x, *rest: function(x if isinstance(x, Scanned) else encode(params, x), *rest)

    def apply(x: Scanned, y):
        return dynamic.word_energy(unit * x.table, x.windows, y, optional, soft) / unit

    def n_best(x: Scanned, y, count):
        found, energies = dynamic.best_words(x.table, x.windows, optional, count + 1 + SEARCHED * soft, len(y))
        if soft:  # there is no exact search: the lowest sums among the words of the best paths
            there = energies < dynamic.FAR / 2
            energies = jnp.where(there, jax.vmap(apply, (None, 0))(x, found), dynamic.FAR)
            found, energies = (leaf[jnp.argsort(energies)] for leaf in (found, energies))
        return dynamic.others(found, energies, y)[:count]

    def best_different(x: Scanned, y, reward):
        if reward is None:
            return n_best(x, y, 1)[0]
        found = n_best(x, y, AUGMENTED)
        return _violating(y, found, jax.vmap(apply, (None, 0))(x, found), reward)

    def sample(x: Scanned, key, beta, count):
        return dynamic.sample(key, beta * x.table, x.windows, optional, count, space.length)

    return Energy(
        init=lambda key, x, y: net.init(key, patches(x.image)),
        apply=scanned(apply),
        free=scanned(lambda x, beta: dynamic.all_words(beta * x.table, x.windows, optional, True) / beta),
        argmin=scanned(lambda x: n_best(x, jnp.full(space.length, -2), 1)[0]),  # -2: other than no word
        best_different=scanned(best_different),
        sample=lambda params, key, x, *rest: scanned(sample)(params, x, key, *rest),
        n_best=scanned(n_best),
        encode=encode,
        feasible=scanned(lambda x, y: dynamic.feasible(x.windows, y, optional)),
        align=scanned(lambda x, y: _aligned(x, y, optional)),
    )
