"""What every energy must obey: checks that raise AssertionError where one breaks the law."""

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from helpers.energies import BETA, UNITS, Subject
from helpers.paths import energies_of_words, spelled
from helpers.quick import quick
from rapidfuzz.distance import Levenshtein
from scipy import stats
from scipy.special import logsumexp

from ebmcli.core.needs import Answers, Need
from ebmcli.energies import trellis

REWARDS, FEW, DRAWS = (0.0, 1.5, 20.0), 4, 4_000


def near(found, expected, tolerance=3e-5) -> None:
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max()))


def stacked(*trees) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def check_value(s: Subject) -> None:
    """Every answer to every question has the energy of the formula, whatever the parameters and beta."""
    two = [s.params(0), s.params(1)]
    for beta in (BETA, 0.5):
        found = np.asarray(s.scores(np.float32(beta), stacked(*two), s.x, s.y))
        there = replace(s, at=s.at | {"beta": beta})
        expected = np.array([[there.by_hand(params, i) for i in s.asked] for params in two])
        possible = np.isfinite(expected)
        near(found[possible], expected[possible])


def check_sign(s: Subject) -> None:
    """Energies are never negative where that is declared, and negative ones are found where it is not."""
    low = jax.tree.map(lambda leaf: np.full_like(leaf, -3) if leaf.ndim == 1 else 0 * leaf, s.params())  # biases alone
    some = [s.params(2, 0.01), s.params(3, 3.0), low]
    both = [stacked(params, jax.tree.map(np.negative, params)) for params in some]
    lowest = np.min([s.scores(np.float32(BETA), params, s.x, s.y) for params in both])
    assert (lowest >= 0) == (Need.NONNEGATIVE in s.offers), f"the lowest energy found is {lowest}"


def check_init(s: Subject) -> None:
    """Parameters have the shapes of the formula; the key decides them, not the example; each layer has its own."""
    keys = jax.random.split(jax.random.key(0))[np.array([0, 0, 1])]
    x = None if s.x is None else jax.tree.map(lambda leaf: leaf[np.array([0, 1, 0])], s.x)
    init = quick(jax.vmap(s.energy.init, (0, None if x is None else 0, 0)))
    made = jax.tree.map(np.asarray, init(keys, x, s.y[np.array([0, 1, 0])]))
    assert jax.tree.map(lambda leaf: leaf.shape[1:], made) == s.form.shapes(s.question(0), s.at, s.space)
    kernels = []
    for path, leaf in jax.tree.leaves_with_path(made):
        first, again, other = leaf
        assert leaf.dtype == jnp.float32
        assert np.isfinite(leaf).all()
        np.testing.assert_array_equal(first, again)
        if path[-1] == jax.tree_util.DictKey("kernel"):
            assert (first != other).all()
            kernels.append(first)
    assert all((one != two).any() for one, two in combinations(kernels, 2) if one.shape == two.shape)
    assert np.isfinite(s.scores(np.float32(BETA), jax.tree.map(lambda leaf: leaf[1:], made), s.x, s.y)).all()


def check_type(s: Subject) -> None:
    """The energy of an answer is one float32."""
    for i, y in product(s.asked, s.y[:2]):
        found = s.single(np.float32(BETA), s.params(), s.question(i), y)
        assert (found.shape, found.dtype) == ((), jnp.float32)


def check_jit(s: Subject) -> None:
    """A compiled program computes what the same lines do one by one."""
    params, x = jax.tree.map(jnp.asarray, (s.params(), s.question(0)))
    for y in s.y[:2]:
        near(s.energy.apply(params, x, y), s.single(np.float32(BETA), params, x, y), 1e-5)


def check_batch(s: Subject) -> None:
    """Many parameters, encoded questions and answers at a time are scored as one by one, with questions as they are."""
    two = [s.params(0), s.params(1)]
    found = s.scores(np.float32(BETA), stacked(*two), s.x, s.y[:4])
    for (k, params), i, (j, y) in product(enumerate(two), s.asked, enumerate(s.y[:4])):
        near(found[k, i, j], s.single(np.float32(BETA), params, s.question(i), y), 1e-5)


def towards(tree, seed: int) -> list[Any]:
    """A random direction in each leaf, all others at rest."""
    leaves, structure = jax.tree.flatten(jax.tree.map(np.float64, tree))
    rng, zeros = np.random.default_rng(seed), [np.zeros_like(leaf) for leaf in leaves]
    along = [[*zeros[:i], rng.normal(size=leaf.shape), *zeros[i + 1 :]] for i, leaf in enumerate(leaves)]
    return [structure.unflatten(one) for one in along]


def moved(tree, direction, h: float) -> Any:
    return jax.tree.map(lambda leaf, way: np.float64(leaf) + h * way, tree, direction)


def along(slopes, direction) -> np.ndarray:
    """[M]: slopes [M, ...] in a direction."""
    each = jax.tree.map(
        lambda slope, way: (np.float64(slope) * way).reshape(len(slope), -1).sum(axis=1), slopes, direction
    )
    return sum(jax.tree.leaves(each))


H = 1e-6


def check_gradient(s: Subject) -> None:
    """The slopes in each of the parameters are central differences of the formula."""
    params = s.params()
    for i in s.asked:
        y = s.y[np.isfinite(s.by_hand(params, i))][:4]
        (slopes, *_) = s.slopes(np.float32(BETA), params, s.question(i), y)
        for direction in [*towards(params, 1), *towards(params, 2)]:
            ahead, behind = (s.by_hand(moved(params, direction, h), i, y) for h in (H, -H))
            near(along(slopes, direction), (ahead - behind) / (2 * H), 1e-4)


def check_gradient_in_y(s: Subject) -> None:
    """The slopes in each coordinate of a point are central differences of the formula."""
    for i in s.asked:
        _, slopes = s.slopes(np.float32(BETA), s.params(), s.question(i), s.y)
        for coordinate, way in enumerate(np.eye(s.space.dims)):
            ahead, behind = (s.by_hand(s.params(), i, s.y + h * way) for h in (H, -H))
            near(slopes[:, coordinate], (ahead - behind) / (2 * H), 1e-4)


COMPUTED = {need for need in Need if need.source == "computation"} | {Need.RECONSTRUCT}


def check_declared(s: Subject) -> None:
    """It computes what it declares for such answers, and declares what it computes."""
    assert {need for need in COMPUTED if getattr(s.energy, need) is not None} == s.offers & COMPUTED
    assert (s.energy.align is None) == (s.form.table is None)
    some = np.array([s.by_hand(s.params(), i) for i in s.asked])
    assert (s.energy.feasible is None) == np.isfinite(some).all()


def free(s: Subject, params, i: int, beta=BETA) -> float:
    """The free energy of a question, summed over its answers one by one."""
    there = replace(s, at=s.at | {"beta": beta})
    energies = {s.word(i, y): f for y, f in zip(s.y, there.by_hand(params, i), strict=True)}
    return -logsumexp(-beta * np.array(list(energies.values()))) / beta


def check_free(s: Subject) -> None:
    """It is the soft minimum over all answers, with the slopes of that."""
    params, of_each = s.params(), s.program(lambda energy, params, x, beta: energy.free(params, x, beta))
    for beta in (BETA, 0.5):
        found = of_each(np.float32(beta), params, s.x, np.full(len(s.asked), beta, np.float32))
        assert found.dtype == jnp.float32
        near(found, [free(s, params, i, beta) for i in s.asked])
    slopes = s.free_slopes(params, np.float32(BETA), s.question(0))
    for direction in towards(params, 1):
        ahead, behind = (free(s, moved(params, direction, h), 0) for h in (H, -H))
        near(along(jax.tree.map(lambda slope: slope[None], slopes), direction), [(ahead - behind) / (2 * H)], 1e-4)


def lowest(s: Subject, i: int, y=None) -> list[tuple[int, ...]]:
    """All words but y, the lowest energy first."""
    known = s.known[i]
    return sorted(known.keys() - {y}, key=known.get)


def aims(s: Subject) -> tuple[list[list[tuple[int, ...]]], np.ndarray]:
    """Of each question the best answer, the second best and the worst; as words, and as answers [N, 3, T]."""
    words = [[order[0], order[1], order[-1]] for order in (lowest(s, i) for i in s.asked)]
    return words, np.array([[s.answer(i, word) for word in some] for i, some in enumerate(words)])


def exactly(s: Subject, i: int, candidates: int) -> bool:
    """Whether the search of a question is exact: at this setting, or because all of its words are candidates."""
    rule = UNITS[s.name].traits.only.get(Need.MINIMUM, {})
    return all(s.at[name] == value for name, value in rule.items()) or len(s.known[i]) <= candidates


def check_argmin(s: Subject) -> None:
    """The answer of lowest energy."""
    argmin = s.program(lambda energy, params, x, y: energy.argmin(params, x))
    found = np.asarray(argmin(BETA, s.params(), s.x, aims(s)[1]))
    assert found.dtype == s.y.dtype
    for i, y in enumerate(found):
        np.testing.assert_array_equal(y, s.answer(i, s.word(i, y)), "padding")
        if exactly(s, i, 2 + trellis.SEARCHED):
            near(s.known[i][s.word(i, y)], s.known[i][lowest(s, i)[0]])


def distance(s: Subject, one, other) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True)) if s.space.fixed else Levenshtein.distance(one, other)


def check_best_different(s: Subject) -> None:
    """Of all answers but y the lowest F, or the lowest F - reward * distance, be y the best answer or not."""

    def sought(energy, params, x, y):
        def one(y):
            rewarded = jax.vmap(lambda reward: energy.best_different(params, x, y, reward))(jnp.array(REWARDS))
            return energy.best_different(params, x, y, None), rewarded

        return jax.vmap(one)(y)

    words, y = aims(s)
    plain, rewarded = jax.tree.map(np.asarray, s.program(sought)(BETA, s.params(), s.x, y))
    assert plain.dtype == rewarded.dtype == y.dtype
    for i, j in product(s.asked, range(3)):
        others = lowest(s, i, words[i][j])
        for reward, found in zip((None, *REWARDS), [plain[i, j], *rewarded[i, j]], strict=True):
            word = s.word(i, found)
            np.testing.assert_array_equal(found, s.answer(i, word), "padding")
            assert word in others, "y itself, or no answer"
            among = 1 if reward is None else trellis.AUGMENTED
            every = s.space.fixed or not reward or len(others) <= trellis.AUGMENTED
            if every and exactly(s, i, among + 1 + trellis.SEARCHED):
                away = {other: (reward or 0) * distance(s, words[i][j], other) for other in others}
                wanted = {other: s.known[i][other] - away[other] for other in others}
                near(wanted[word], min(wanted.values()))
    assert (rewarded != plain[:, :, None]).any(), "the reward changes no answer: the check shows nothing"


def check_n_best(s: Subject) -> None:
    """As many answers other than y as are asked for, distinct, the lowest first; y where there are no more."""
    few = s.program(lambda energy, params, x, y: jax.vmap(lambda y: energy.n_best(params, x, y, FEW))(y))
    words, y = aims(s)
    found = np.asarray(few(BETA, s.params(), s.x, y))
    assert (found.shape, found.dtype) == ((len(y), 3, FEW, y.shape[-1]), y.dtype)
    for i, j in product(s.asked, range(3)):
        others = lowest(s, i, words[i][j])
        there = min(FEW, len(others))
        spelt = [s.word(i, one) for one in found[i, j]]
        assert spelt[there:] == [words[i][j]] * (FEW - there)
        np.testing.assert_array_equal(found[i, j], [s.answer(i, word) for word in spelt], "padding")
        assert len(set(spelt[:there]) & set(others)) == there
        energies = [s.known[i][word] for word in spelt[:there]]
        near(energies, sorted(energies))
        if exactly(s, i, FEW + 1 + trellis.SEARCHED):
            near(energies, [s.known[i][word] for word in others[:there]])


def check_sample(s: Subject) -> None:
    """Answers come as often as the model says, by chi-square."""

    def draw(energy, params, x, key):
        return energy.sample(params, jax.random.wrap_key_data(key), x, BETA, DRAWS)

    keys = jax.random.key_data(jax.random.split(jax.random.key(0), len(s.asked)))
    drawn = np.asarray(s.program(draw)(BETA, s.params(), s.x, keys))
    assert (drawn.shape[:2], drawn.dtype) == ((len(s.asked), DRAWS), s.y.dtype)
    for i, some in enumerate(drawn):
        found = {}
        for y, count in zip(*np.unique(some, axis=0, return_counts=True), strict=True):
            np.testing.assert_array_equal(y, s.answer(i, s.word(i, y)), "padding")
            found[s.word(i, y)] = count
        assert found.keys() <= s.known[i].keys()
        chance = np.exp(-BETA * (np.array(list(s.known[i].values())) - free(s, s.params(), i)))
        counts = np.array([found.get(word, 0) for word in s.known[i]])
        order = np.argsort(chance)
        together = 1 + np.searchsorted(np.cumsum(DRAWS * chance[order]), 5)  # a chi-square needs as many of a kind
        counts, expected = (
            np.append(of[together:], of[:together].sum()) for of in (counts[order], DRAWS * chance[order])
        )
        assert stats.chisquare(counts, expected).pvalue > 1e-4


def check_reconstruct(s: Subject) -> None:
    """The answer as the energy would have it, from which the energy is a squared distance."""
    again_of = quick(jax.vmap(s.energy.reconstruct, (None, None, 0)))
    for i in s.asked:
        again = again_of(s.params(), s.question(i), s.y)
        assert (again.shape, again.dtype) == (s.y.shape, s.y.dtype)
        near(again, s.form.reconstruct(s.params(), s.question(i), s.y, s.at, s.space))
        near(np.square(s.y - again).sum(axis=1), s.by_hand(s.params(), i))


def check_feasible(s: Subject) -> None:
    """An answer is one to a question where the formula has an energy for it."""
    fits = s.program(lambda energy, params, x, y: jax.vmap(lambda y: energy.feasible(params, x, y))(y))
    found = fits(BETA, s.params(), s.x, np.stack([s.y] * len(s.asked)))
    np.testing.assert_array_equal(found, [np.isfinite(s.by_hand(s.params(), i)) for i in s.asked])


def check_align(s: Subject) -> None:
    """The letters lie along the path of lowest energy, window by window, at the columns of the windows."""
    words, y = aims(s)
    aligned = s.program(lambda energy, params, x, y: jax.vmap(lambda y: energy.align(params, x, y))(y))
    table, state, column = jax.tree.map(np.asarray, aligned(BETA, s.params(), s.x, y))
    for i, j in product(s.asked, range(3)):
        known = s.form.table(s.params(), s.question(i), s.at)
        near(table[i, j, : len(known)], known)
        assert (state[i, j, len(known) :] == -1).all()
        np.testing.assert_array_equal(column[i, j], 9 + 6 * np.arange(len(column[i, j])))
        read = np.array([*words[i][j], -1])[np.minimum(state[i, j, : len(known)] // 2, len(words[i][j]))]
        symbols = np.where(state[i, j, : len(known)] % 2, read, known.shape[1] - 1)
        assert spelled(symbols, known.shape[1], s.at["blank"]) == words[i][j]
        best = energies_of_words(known, s.at["blank"], soft=False)[words[i][j]]
        near(known[np.arange(len(known)), symbols].sum(), best)


# --- which of them an energy must obey --------------------------------------------------------------------------------

CHECKS = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
EVERY = {"value", "sign", "gradient", "gradient_in_y", "declared"}  # at every setting, others at a few that show all
# What a law of single energies asks for: a need that is offered, at the settings at which it is served.
OF = {
    "free": (Need.FREE, Need.PARTITION),
    "argmin": (Need.ARGMIN, None),
    "best_different": (Need.BEST_DIFFERENT, None),
    "n_best": (Need.N_BEST, None),
    "sample": (Need.SAMPLE, Need.SAMPLE),
    "reconstruct": (Need.RECONSTRUCT, None),
}


def applies(check: str, s: Subject) -> bool:
    """Whether there is anything in such an energy for a law to hold."""
    if check == "gradient_in_y":
        return s.kind is Answers.CONTINUOUS
    if check in ("feasible", "align"):
        return s.form.table is not None
    if check not in OF:
        return True
    need, at = OF[check]
    served = UNITS[s.name].traits.only.get(at, {})
    return need in s.offers and all(s.at[name] == value for name, value in served.items())
