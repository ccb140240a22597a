"""The energy `trellis` against its formula: brute force over alignments and words, its samplers, what cannot be."""

from functools import cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from test_alignment import paths

from ebmcli.core import registry
from ebmcli.core.types import Batch, Setting, Strings, Strip, bind
from ebmcli.energies import trellis
from ebmcli.planning import config, plan
from ebmcli.planning.compatibility import judge
from ebmcli.training import engine, loop, objective
from ebmcli.training.objective import Weights

UNIT = registry.find("energy", "trellis")
SPACE = Strings(3, 6, fixed=False)  # three letters
HEIGHT = 4
SETTINGS = [
    pytest.param({"alignment": alignment, "blank": blank, "head": head}, id=f"{alignment}-{blank}-{head}")
    for alignment, blank, head in product(("best", "sum"), ("forced", "optional"), ("free", "softplus"))
]


def strip(width=42, longest=48, seed=0):
    """Random ink; past the width there is rubbish, which must not count."""
    image = np.random.default_rng(seed).integers(0, 2, (longest, HEIGHT))
    return Strip(jnp.asarray(image, jnp.float32), jnp.int32(width))


@cache
def parts(beta=1.0, **settings):
    model = UNIT.build({"hidden": 5, "beta": beta, **settings}, SPACE)
    shapes = jax.eval_shape(model.init, jax.random.key(0), strip(), None)
    rng = np.random.default_rng(1)
    return model, jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.7, leaf.shape), jnp.float32), shapes)


def table(params, image, head):
    """[L, 4] by hand: a perceptron with two hidden layers on every window of 18 columns, 6 apart."""
    rows = np.stack([np.asarray(image)[6 * i : 6 * i + 18].ravel() for i in range((len(image) - 18) // 6 + 1)])
    layers = [params["params"][f"layers_{i}"] for i in (0, 2, 4)]
    for number, layer in enumerate(layers):
        rows = rows @ np.float64(layer["kernel"]) + np.float64(layer["bias"])
        rows = np.maximum(rows, 0) if number < 2 else rows
    return np.log1p(np.exp(rows)) if head == "softplus" else rows


def brute(settings, beta=1.0, width=42):
    """{word: F} of all words that fit, from the formula."""
    _, params = parts(beta, **settings)
    local = table(params, strip().image, settings["head"])
    windows = (width - 18) // 6 + 1
    found = {}
    for word, some in paths(windows, 4, settings["blank"] == "optional").items():
        of_paths = sum(local[i, some[:, i]] for i in range(windows))
        found[word] = -logsumexp(-beta * of_paths) / beta if settings["alignment"] == "sum" else of_paths.min()
    return found


def padded(word):
    return jnp.array([*word, *[-1] * (6 - len(word))], jnp.int32)


def word(y):
    return tuple(int(c) for c in y if c >= 0)


def near(value, expected):
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-4)


@pytest.mark.parametrize("settings", SETTINGS)
def test_energies_are_those_of_the_formula(settings):
    """Of every word of the strip, encoded or not; nonnegative with that head and the best path."""
    for beta in (1.0, 2.0):
        model, params = parts(beta, **settings)
        known = brute(settings, beta)
        some = list(known)[:: max(1, len(known) // 12)]
        seen = model.encode(params, strip())
        values = jax.jit(jax.vmap(partial(model.apply, params), (None, 0)))
        near(values(strip(), jnp.stack([padded(w) for w in some])), [known[w] for w in some])
        near(values(seen, jnp.stack([padded(w) for w in some])), [known[w] for w in some])
    if settings["head"] == "softplus" and settings["alignment"] == "best":
        assert min(known.values()) >= 0


@pytest.mark.parametrize("settings", SETTINGS)
def test_searches_are_exact_with_the_best_path_and_nearly_so_with_sums(settings):
    """n-best without duplicates, best different, argmin; with sums: words of the best paths, by their sums."""
    model, params = parts(**settings)
    known = brute(settings)
    order = sorted(known, key=known.get)
    search = jax.jit(partial(model.n_best, params), static_argnums=2)
    for y in (order[0], order[3], order[-1]):
        found = [word(other) for other in search(strip(), padded(y), 4)]
        expected = [w for w in order if w != y][:4]
        assert len(set(found)) == 4
        assert y not in found
        if settings["alignment"] == "best":
            near([known[w] for w in found], [known[w] for w in expected])
            assert word(model.best_different(params, strip(), padded(y), None)) == found[0]
        else:
            assert [known[w] for w in found] == sorted(known[w] for w in found), "the lowest sum first"
            assert known[found[0]] < np.quantile(list(known.values()), 0.1)
    if settings["alignment"] == "best":
        near(known[word(model.argmin(params, strip()))], known[order[0]])


def edits(one, other):
    """The fewest insertions, deletions and replacements, by definition."""
    if not one or not other:
        return len(one) + len(other)
    swapped = edits(one[1:], other[1:]) + (one[0] != other[0])
    return min(edits(one[1:], other) + 1, edits(one, other[1:]) + 1, swapped)


@pytest.mark.parametrize("blank", ["forced", "optional"])
@pytest.mark.parametrize("alignment", ["best", "sum"])
def test_what_violates_a_margin_most_is_sought_among_the_best_words(alignment, blank):
    """The lowest F - reward * edits: of all words where they are few, and else of the 8 best."""
    settings = {"alignment": alignment, "blank": blank, "head": "free"}
    model, params = parts(**settings)
    known = brute(settings)
    order = sorted(known, key=known.get)
    seek = jax.jit(partial(model.best_different, params))
    changed = 0
    for y in (order[0], order[2], order[-1]):
        pool = [other for other in order if other != y][: trellis.AUGMENTED]
        if alignment == "sum":  # the lowest sums are sought among the words of the best paths
            pool = [word(other) for other in model.n_best(params, strip(), padded(y), trellis.AUGMENTED)]
        for reward in (0.0, 0.5, 2.0, 20.0):
            wanted = {other: known[other] - reward * edits(y, other) for other in pool}
            found = word(seek(strip(), padded(y), jnp.float32(reward)))
            near(wanted[found], min(wanted.values()))
            changed += found != pool[0]
    assert changed, "the reward changes no answer: the test shows nothing"


def test_edit_margins_reach_the_loss():
    """loss-augmented hands the reward on; the distance that the loss sees is that of the task."""
    model, params = parts(alignment="best", blank="forced", head="free")
    y = jnp.stack([padded((0, 1)), padded((2, 1))])
    batch = Batch(jax.tree.map(lambda *leaves: jnp.stack(leaves), strip(42), strip(48, seed=2)), y)
    bound = bind(model, params)
    sought = registry.find("sampler", "loss-augmented").build({}, Setting(2, SPACE, True, 1.0, jnp.float32(20.0)))
    found, _ = sought.draw(jax.random.key(1), (), bound, objective.encoded(bound, batch))
    far = [edits(word(one), word(other)) for one, other in zip(y, found.y[:, 0], strict=True)]
    plain, _ = (
        registry.find("sampler", "most-offending")
        .build({}, Setting(2, SPACE, True, 1.0, 20.0))
        .draw(jax.random.key(1), (), bound, objective.encoded(bound, batch))
    )
    near_ones = [edits(word(one), word(other)) for one, other in zip(y, plain.y[:, 0], strict=True)]
    assert sum(far) > sum(near_ones) > 0
    task = registry.find("task", "words").build({"margin_distance": "edit"})
    assert [float(task.distance(one, other)) for one, other in zip(y, found.y[:, 0], strict=True)] == far
    constant = registry.find("task", "words").build({})
    assert [float(constant.distance(one, other)) for one, other in zip(y, found.y[:, 0], strict=True)] == [1, 1]


@pytest.mark.parametrize("blank", ["forced", "optional"])
def test_free_energy_sums_over_all_words(blank):
    settings = {"alignment": "sum", "blank": blank, "head": "free"}
    for beta in (0.5, 2.0):
        model, params = parts(beta, **settings)
        expected = -logsumexp([-beta * f for f in brute(settings, beta).values()]) / beta
        near(model.free(params, strip(), beta), expected)


def test_answers_that_do_not_fit_are_not_feasible():
    """Four windows hold two letters; with the optional blank four, fewer where neighbours are equal."""
    for blank in ("forced", "optional"):
        model, params = parts(alignment="best", blank=blank, head="free")
        known = brute({"alignment": "best", "blank": blank, "head": "free"}, width=36)
        for y in [(0,), (0, 0), (0, 1, 2), (1, 1, 1), (0, 1, 0, 1), (0, 1, 0, 1, 0)]:
            assert bool(model.feasible(params, strip(36), padded(y))) == (y in known)


def seen_by_losses(negatives, width=36):
    """The Energies of y = ab beside these negatives, with a log density of -3 each."""
    model, params = parts(alignment="best", blank="forced", head="free")
    batch = Batch(jax.tree.map(lambda leaf: leaf[None], strip(width)), padded((0, 1))[None])
    task = registry.find("task", "words").build({})
    needs = frozenset({"negatives", "log_q"})
    given = objective.Negatives(jnp.stack([padded(w) for w in negatives])[None], log_q=lambda x, y: jnp.float32(-3))

    def energies(params):
        weights = Weights(params, jnp.zeros(()))
        return objective.energies_of(needs, model, weights, task, batch, given, jnp.float32(1))

    return energies, params


def test_what_does_not_fit_is_masked_and_never_scored():
    """Four windows hold two letters: a longer word counts as y does, at distance 0, and has no share in a softmax."""
    energies, params = seen_by_losses([(2,), (0, 1, 2), (0, 1)], width=48)
    found = energies(params)
    assert found.distance[0].tolist() == [1, 1, 0], "six windows hold three letters"
    energies, params = seen_by_losses([(2,), (2, 1, 0), (0, 1, 0, 1)])
    found = energies(params)
    assert found.distance[0].tolist() == [1, 0, 0]
    assert found.negatives[0, 1:].tolist() == [float(found.positive[0])] * 2
    assert found.log_q[0].tolist() == [-3, float(np.float32(objective.IMPOSSIBLE)), float(np.float32(1e30))]
    one = seen_by_losses([(2,)])[0](params)
    for name in ("hinge", "log", "infonce", "nce", "pirl", "ml", "square-square", "mce"):
        function = registry.find("loss", name).function
        seen, pull = jax.vjp(energies, params)
        value, slopes = jax.value_and_grad(lambda e, function=function: jax.vmap(function)(e).mean())(seen)
        (slope,) = pull(slopes)
        assert np.isfinite(value)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
        if name in ("infonce", "hinge", "log"):  # as if they were not there
            np.testing.assert_allclose(value, jax.vmap(function)(one).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["exact", "gibbs", "n-best", "corrupt", "uniform", "in-batch", "most-offending"])
def test_samplers_draw_words(name):
    """Letters first, then padding; what draws from the model or searches it gives words that fit, those that search
    never y."""
    model, params = parts(alignment="sum" if name in ("exact", "gibbs") else "best", blank="forced", head="free")
    batch = Batch(jax.tree.map(lambda *leaves: jnp.stack(leaves), strip(36), strip(48, seed=2)),
                  jnp.stack([padded((0, 1)), padded((2, 2, 1))]))  # fmt: skip
    at = Setting(2, SPACE, True, jnp.float32(1.0), jnp.float32(0.0))
    sampler = registry.find("sampler", name).build({"negatives": 40 if name != "n-best" else 5}, at)
    bound = bind(model, params)
    seen = objective.encoded(bound, batch)
    negatives, _ = sampler.draw(jax.random.key(1), sampler.init(jax.random.key(0), batch), bound, seen)
    y = negatives.y
    assert y.shape[::2] == (2, 6)
    there = np.asarray(y) >= 0
    assert (there[..., :1] & (np.diff(there.astype(int), axis=-1) <= 0)).all()
    fits = jax.vmap(jax.vmap(bound.feasible, (None, 0)))(seen.x, y)
    different = (y != batch.y[:, None]).any(axis=-1)
    if name in ("exact", "gibbs", "n-best", "most-offending"):
        assert fits.all()
    if name in ("n-best", "most-offending", "corrupt"):
        assert name == "corrupt" or different.all()
        assert different.any()


# --- settings that follow the loss -----------------------------------------------------------------------------------


def cell(loss, **settings):
    (found,), _ = config.cells(config.grid({"task": "words", "loss": loss}, settings))
    return found


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
        found = cell(loss)
        assert (found["alignment"], found["head"]) == (alignment, head), loss
        assert judge(found).verdict != "refuse", loss


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
    found = judge(cell(loss, **settings))
    assert (found.verdict, word in found.reason) == (verdict, True), found


def test_the_windows_of_a_strip_are_as_many_as_its_answers_have_places():
    """No word that fits a training strip is longer than an answer, whatever the blank."""
    for name in ("words", "handwriting"):
        for longest in (2, 5):
            task = registry.find("task", name).build({"longest": longest})
            batch = jax.jit(task.draw, static_argnums=2)(jax.random.key(0), task.data(), 50)
            windows = len(trellis.patches(batch.x.image[0]))
            assert windows <= task.space.length == batch.y.shape[1]
            letters = (batch.y >= 0).sum(axis=1)
            assert (((batch.x.width - 18) // 6 + 1) >= 2 * letters).all(), "every word has room"
            assert (batch.x.width <= batch.x.image.shape[1]).all()


def test_the_net_has_200_000_weights_by_default():
    task = registry.find("task", "words").build({})
    x = jax.tree.map(lambda leaf: leaf[0], task.draw(jax.random.key(0), jax.tree.map(jnp.asarray, task.data()), 1).x)
    shapes = jax.eval_shape(UNIT.build({"beta": 1.0}, task.space).init, jax.random.key(0), x, None)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) >= 200_000


def test_lessons_begin_with_single_letters():
    for name in ("words", "handwriting"):
        task = registry.find("task", name).build({"single_letters": 0.5})
        data = jax.tree.map(jnp.asarray, task.data())
        lesson = jax.jit(task.lesson, static_argnums=2)
        counts = {done: (lesson(jax.random.key(0), data, 64, done).y >= 0).sum(axis=1) for done in (0.0, 0.49, 0.5)}
        assert set(counts[0.0].tolist()) == set(counts[0.49].tolist()) == {1}
        assert counts[0.5].min() == 2
        lane = {"values": {"steps": jnp.int32(100)}}
        state = loop.State(None, None, None, jnp.int32(49), None)
        first = loop._lesson(task, lane, state)(jax.random.key(0), data, 8)
        later = loop._lesson(task, lane, state._replace(step=jnp.int32(50)))(jax.random.key(0), data, 8)
        assert (first.y[:, 1] == -1).all()
        assert (later.y[:, 1] >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["words", "handwriting"])
def test_every_loss_that_makes_sense_takes_finite_steps(task):
    """Each with its default negatives, `ml` with Gibbs chains too: three steps of a small net."""
    small = {"hidden": 8, "batch_size": 4, "negatives": 2, "steps": 3}
    grid = {"task": task, "loss": list(registry.units("loss"))}
    cells, _ = config.cells(config.grid(grid, small))
    cells += config.cells(config.grid({"task": task, "loss": "ml", "sampler": "gibbs"}, small))[0]
    refused = {cell["loss"] for cell in cells if judge(cell).verdict == "refuse"}
    assert refused == {
        "score-matching", "sliced-score-matching", "denoising-score-matching", "denoising", "energy-discrepancy"
    }  # fmt: skip
    planned = [plan.Cell(str(i), cell, judge(cell)) for i, cell in enumerate(cells) if cell["loss"] not in refused]
    for program, members in plan.programs(planned):
        machine = engine.Engine(program)
        step = jax.jit(partial(loop.step, program))
        data = jax.tree.map(np.asarray, machine.task.data())
        for member in members:
            lane = machine._lane(member.config)
            first = jax.jit(partial(loop.init, program))(lane, data)
            state = first
            for _ in range(3):
                state, progress = step(lane, data, state)
                assert np.isfinite(progress.loss), member.config["loss"]
            assert int(state.diverged) == -1, member.config["loss"]
