"""The energy `trellis`: what it searches among, its samplers, what does not fit, its settings. That it is its formula,
and exact on a small space, is among the laws of energies."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.cells import cell_of, cells_of
from helpers.energy_forms import FORMS
from helpers.negatives import context, drawn, sampler
from helpers.paths import padded, paths, read
from helpers.quick import mapped, quick
from helpers.tasks import build
from rapidfuzz.distance import Levenshtein

from ebmcli.core import registry
from ebmcli.core.batching import encode_batch
from ebmcli.core.types import Batch, Strings, Strip, bind
from ebmcli.energies import trellis
from ebmcli.planning.programs import programs
from ebmcli.training import engine, loop, objective
from ebmcli.training.objective import Weights

UNIT, FORM = registry.find("energy", "trellis"), FORMS["trellis"]
LENGTH, HEIGHT = 6, 4
SPACE = Strings(3, LENGTH, fixed=False)  # three letters


def strip(width=42, longest=48, seed=0):
    """Random ink; past the width there is rubbish, which must not count."""
    image = np.random.default_rng(seed).integers(0, 2, (longest, HEIGHT))
    return Strip(np.float32(image), np.int32(width))


def stacked(*trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@cache
def parts(**at):
    """The energy at these settings, its random parameters, and {word: F} of the words that fit, from the formula."""
    at = {"beta": 1.0, "hidden": 5, "head": "free"} | at
    shapes, rng = FORM.shapes(strip(), at, SPACE), np.random.default_rng(1)
    params = jax.tree.map(
        lambda shape: np.float32(rng.normal(0, 0.7, shape)), shapes, is_leaf=lambda leaf: isinstance(leaf, tuple)
    )
    words = paths(5, SPACE.labels + 1, at["blank"]).words
    energies = FORM.energy(params, strip(), [padded(one, LENGTH) for one in words], at, SPACE)
    return UNIT.build(at, SPACE), params, dict(zip(words, energies.tolist(), strict=True))


BEST = {"alignment": "best", "blank": "forced"}
SUM = {"alignment": "sum", "blank": "forced"}


def answers(*words):
    return np.stack([padded(word, LENGTH) for word in words])


def near(value, expected):
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize(
    ("alignment", "blank", "head"),
    [
        ("best", "forced", "softplus"),
        ("best", "optional", "free"),
        ("sum", "forced", "free"),
        ("sum", "optional", "softplus"),
    ],
)
def test_searches_are_exact_with_the_best_path_and_nearly_so_with_sums(alignment, blank, head):
    """n-best without duplicates, best different, argmin; with sums: words of the best paths, by their sums."""
    model, params, known = parts(alignment=alignment, blank=blank, head=head)
    order = sorted(known, key=known.get)

    @quick
    def search(x, y):
        others = jax.vmap(lambda y: (model.n_best(params, x, y, 4), model.best_different(params, x, y, None)))(y)
        return *others, model.argmin(params, x)

    asked = order[0], order[3], order[-1]
    others, best, lowest = search(strip(), answers(*asked))
    for y, some, other in zip(asked, np.asarray(others), np.asarray(best), strict=True):
        found, expected = [read(one) for one in some], [w for w in order if w != y][:4]
        assert len(set(found)) == 4
        assert y not in found
        if alignment == "best":
            near([known[w] for w in found], [known[w] for w in expected])
            assert read(other) == found[0]
        else:
            assert [known[w] for w in found] == sorted(known[w] for w in found), "the lowest sum first"
            assert known[found[0]] < np.quantile(list(known.values()), 0.1)
    if alignment == "best":
        near(known[read(np.asarray(lowest))], known[order[0]])


@pytest.mark.parametrize("blank", ["forced", "optional"])
@pytest.mark.parametrize("alignment", ["best", "sum"])
def test_what_violates_a_margin_most_is_sought_among_the_best_words(alignment, blank):
    """The lowest F - reward * edits: of all words where they are few, and else of the 8 best."""
    model, params, known = parts(alignment=alignment, blank=blank)
    order, rewards = sorted(known, key=known.get), (0.0, 0.5, 2.0, 20.0)

    @quick
    def seek(x, y):
        sought = jax.vmap(partial(model.best_different, params), (None, None, 0))
        rewarded = jax.vmap(lambda y: sought(x, y, jnp.array(rewards)))(y)
        if alignment == "best":
            return rewarded, None
        return rewarded, jax.vmap(lambda y: model.n_best(params, x, y, trellis.AUGMENTED))(y)

    changed, asked = 0, (order[0], order[2], order[-1])
    rewarded_of_each, lowest = jax.tree.map(np.asarray, seek(strip(), answers(*asked)))
    for i, (y, rewarded) in enumerate(zip(asked, rewarded_of_each, strict=True)):
        pool = [other for other in order if other != y][: trellis.AUGMENTED]
        if alignment == "sum":  # the lowest sums are sought among the words of the best paths
            pool = [read(other) for other in lowest[i]]
        for reward, found in zip(rewards, rewarded, strict=True):
            wanted = {other: known[other] - reward * Levenshtein.distance(y, other) for other in pool}
            near(wanted[read(found)], min(wanted.values()))
            changed += read(found) != pool[0]
    assert changed, "the reward changes no answer: the test shows nothing"


def test_edit_margins_reach_the_loss():
    """loss-augmented hands the reward on; the distance that the loss sees is that of the task."""
    model, params, _ = parts(**BEST)
    batch = Batch(stacked(strip(42), strip(48, seed=2)), answers((0, 1), (2, 1)))

    @quick
    def seek(params, batch):
        bound = bind(model, params)
        at, seen = context(SPACE, reward=20.0, size=2, conditional=True), encode_batch(bound, batch)
        return [
            drawn(sampler(name, at), jax.random.key(1), (), bound, seen)[0]
            for name in ("loss-augmented", "most-offending")
        ]

    augmented, plain = (np.asarray(y[:, 0]) for y in seek(params, batch))
    far, close = (
        [Levenshtein.distance(read(one), read(other)) for one, other in zip(batch.y, found, strict=True)]
        for found in (augmented, plain)
    )
    assert sum(far) > sum(close) > 0
    edit = mapped(build("words", margin_distance="edit").distance, (0, 0))
    assert edit(batch.y, augmented).tolist() == far
    assert mapped(build("words").distance, (0, 0))(batch.y, augmented).tolist() == [1, 1]


# --- what does not fit ------------------------------------------------------------------------------------------------


@cache
def seen_by_losses(*names):
    """A program: the Energies of the first answer beside the others, with a log density of -3 each; and the value of
    each loss on them, and its slopes in the parameters."""
    model, task, needs = parts(**BEST)[0], build("words"), frozenset({"negatives", "log_q"})

    def seen(params, x, y):
        batch = Batch(jax.tree.map(lambda leaf: leaf[None], x), y[:1])
        given = objective.Negatives(y[None, 1:], log_q=lambda x, y: jnp.float32(-3))

        def energies(params):
            weights = Weights(params, jnp.zeros(()))
            return objective.energies_of(needs, model, weights, task, batch, given, jnp.float32(1))

        found, pull = jax.vjp(energies, params)
        both = [jax.value_and_grad(lambda e, name=name: jax.vmap(loss(name))(e).mean())(found) for name in names]
        return found, [value for value, _ in both], jax.vmap(pull)(stacked(*(slopes for _, slopes in both)))

    return quick(seen)


def loss(name):
    return registry.find("loss", name).function


def test_what_does_not_fit_is_masked_and_never_scored():
    """Four windows hold two letters: a longer word counts as y does, at distance 0, and has no share in a softmax."""
    _, params, _ = parts(**BEST)
    alone = "infonce", "hinge", "log"
    see = seen_by_losses(*alone, "nce", "pirl", "ml", "square-square", "mce")
    found, _, _ = see(params, strip(48), answers((0, 1), (2,), (0, 1, 2), (0, 1)))
    assert found.distance[0].tolist() == [1, 1, 0], "six windows hold three letters"
    found, values, slopes = see(params, strip(36), answers((0, 1), (2,), (2, 1, 0), (0, 1, 0, 1)))
    assert found.distance[0].tolist() == [1, 0, 0]
    assert found.negatives[0, 1:].tolist() == [float(found.positive[0])] * 2
    assert found.log_q[0].tolist() == [-3, float(np.float32(objective.IMPOSSIBLE)), float(np.float32(1e30))]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((values, slopes)))
    _, values_of_one, _ = seen_by_losses(*alone)(params, strip(36), answers((0, 1), (2,)))
    np.testing.assert_allclose(values[: len(alone)], values_of_one, rtol=1e-5)  # as if they were not there


@pytest.mark.parametrize("name", ["exact", "gibbs", "n-best", "corrupt", "uniform", "in-batch", "most-offending"])
def test_samplers_draw_words(name):
    """Letters first, then padding; what draws from the model or searches it gives words that fit, those that search
    never y."""
    model, params, _ = parts(**(SUM if name in ("exact", "gibbs") else BEST))
    batch = Batch(stacked(strip(36), strip(48, seed=2)), answers((0, 1), (2, 2, 1)))
    drawer = sampler(name, context(SPACE, size=2, conditional=True), negatives=40 if name != "n-best" else 5)

    @quick
    def draw(params, batch):
        bound = bind(model, params)
        seen = encode_batch(bound, batch)
        y, _ = drawn(drawer, jax.random.key(1), drawer.init(jax.random.key(0), batch), bound, seen)
        return y, jax.vmap(jax.vmap(bound.feasible, (None, 0)))(seen.x, y)

    y, fits = map(np.asarray, draw(params, batch))
    assert y.shape[::2] == (2, LENGTH)
    there = y >= 0
    assert (there[..., :1] & (np.diff(there.astype(int), axis=-1) <= 0)).all()
    different = (y != batch.y[:, None]).any(axis=-1)
    if name in ("exact", "gibbs", "n-best", "most-offending"):
        assert fits.all()
    if name in ("n-best", "most-offending", "corrupt"):
        assert name == "corrupt" or different.all()
        assert different.any()


# --- settings that follow the loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "alignment", "head"),
    [
        (["energy", "perceptron", "hinge", "log", "lvq2", "mce", "simple", "square-square"], "best", "free"),
        (["margin-sum"], "best", "free"),
        (["nll", "mee", "ml", "infonce", "pirl", "nce"], "sum", "free"),
        (["min-hinge", "square-hinge", "square-exp", "lvq2-ratio"], "best", "softplus"),
    ],
)  # fmt: skip
def test_alignment_and_head_follow_the_loss(losses, alignment, head):
    """Margins on the best path, likelihoods on sums, levels on a head that is never negative."""
    for loss in losses:
        found = cell_of(task="words", loss=loss)
        assert (found.config["alignment"], found.config["head"]) == (alignment, head), loss
        assert found.judgement.verdict != "refuse", loss


@pytest.mark.parametrize(
    ("loss", "settings", "verdict", "word"),
    [
        ("nll", {"alignment": "best"}, "refuse", "a sum over all answers, trellis has it with --set alignment=sum"),
        ("perceptron", {"alignment": "sum"}, "refuse", "alignment=best"),
        ("min-hinge", {"alignment": "sum"}, "refuse", "never negative"),
        ("min-hinge", {"head": "free"}, "refuse", "--head softplus"),
        ("hinge", {"alignment": "sum"}, "warn", "alignment=best"),
        ("ml", {"alignment": "best"}, "refuse", "exact samples"),
        ("hinge", {"blank": "optional"}, "run", ""),
        ("score-matching", {}, "refuse", "label sequences"),
    ],
)
def test_what_an_alignment_does_not_serve_is_refused(loss, settings, verdict, word):
    found = cell_of(task="words", loss=loss, **settings).judgement
    assert (found.verdict, word in found.reason) == (verdict, True), found


# --- with the tasks of strips -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [2, 5])
@pytest.mark.parametrize("name", ["words", "handwriting"])
def test_the_windows_of_a_strip_are_as_many_as_its_answers_have_places(name, longest):
    """No word that fits a training strip is longer than an answer, whatever the blank."""
    task = build(name, longest=longest)
    batch = quick(lambda key, data: task.draw(key, data, 50))(jax.random.key(0), task.data())
    windows = jax.eval_shape(trellis.patches, batch.x.image[0]).shape[0]
    assert windows <= task.space.length == batch.y.shape[1]
    width, letters = np.asarray(batch.x.width), (np.asarray(batch.y) >= 0).sum(axis=1)
    assert ((width - 18) // 6 + 1 >= 2 * letters).all(), "every word has room"
    assert (width <= batch.x.image.shape[1]).all()


def test_the_net_has_200_000_weights_by_default():
    task = build("words")
    x = jax.eval_shape(lambda key, data: task.draw(key, data, 1).x, jax.random.key(0), task.data())
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), x)
    shapes = jax.eval_shape(UNIT.build({"beta": 1.0}, task.space).init, jax.random.key(0), one, None)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) >= 200_000


@pytest.mark.parametrize("name", ["words", "handwriting"])
def test_lessons_begin_with_single_letters(name):
    task = build(name, single_letters=0.5)
    key, data = jax.random.key(0), task.data()
    lesson = quick(lambda data, done: (task.curriculum(key, data, 64, done).y >= 0).sum(axis=1))
    counts = {done: np.asarray(lesson(data, np.float32(done))) for done in (0.0, 0.49, 0.5)}
    assert set(counts[0.0].tolist()) == set(counts[0.49].tolist()) == {1}
    assert counts[0.5].min() == 2

    @quick
    def at_step(data, step):
        lane, state = {"values": {"steps": jnp.int32(100)}}, loop.State(None, None, None, step, None)
        return loop._drawing(task, lane, state)(key, data, 8).y

    assert (np.asarray(at_step(data, 49))[:, 1] == -1).all()
    assert (np.asarray(at_step(data, 50))[:, 1] >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["words", "handwriting"])
def test_every_loss_that_makes_sense_takes_finite_steps(task):
    """Each with its default negatives, `ml` with Gibbs chains too: three steps of a small net."""
    small = {"task": task, "hidden": 8, "batch_size": 4, "negatives": 2, "steps": 3}
    cells = cells_of(loss=list(registry.units("loss")), **small) + cells_of(loss="ml", sampler="gibbs", **small)
    assert {cell.config["loss"] for cell in cells if cell.judgement.verdict == "refuse"} == {
        "score-matching", "sliced-score-matching", "denoising-score-matching", "denoising", "energy-discrepancy"
    }  # fmt: skip
    for program, members in programs([cell for cell in cells if cell.judgement.verdict != "refuse"]):
        machine = engine.Engine(program)
        init, step = quick(partial(loop.init, program)), quick(partial(loop.step, program))
        data = jax.tree.map(np.asarray, machine.task.data())
        for member in members:
            lane = machine._lane(member.config)
            state = init(lane, data)
            for _ in range(3):
                state, progress = step(lane, data, state)
                assert np.isfinite(progress.loss), member.config["loss"]
            assert int(state.diverged) == -1, member.config["loss"]
