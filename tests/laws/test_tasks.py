"""Every registered task: its density, entropy and samples agree; `letters` is the published set, split as published."""

from importlib import resources
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.types import Energy
from ebmcli.metrics import answers as conditional
from ebmcli.tasks import _log_densities as densities
from ebmcli.tasks import curve, letters, plane

TASKS = registry.units("task")
CELLS = 500  # a side of the grid on which densities are integrated
KEY = jax.random.key(30)


class Density(NamedTuple):
    """What is known of a plane task without running it."""

    entropy: float  # nats, from the literature's definition by an independent quadrature, good to 5e-4
    centres: np.ndarray | None = None  # [M, 2] of even Gaussians, where it is made of such
    sd: float = 0.0
    width: float = 0.0  # of the square about each centre, over which the Gaussian is spread


def middles(count):
    """The middles of so many equal parts of [0, 1]."""
    return (np.arange(count) + 0.5) / count


def half_circles():
    """Midpoints of 4,000 arcs: upper about (0, 0), lower about (1, .5), radius 1; times 2, shifted by (-1, -.2)."""
    t = np.pi * middles(2_000)
    arcs = [np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)]]
    return 2 * np.concatenate(arcs) + [-1, -0.2]


def turning(*radii):
    """Midpoints of 2,000 arcs of each of these circles."""
    circle = np.exp(2j * np.pi * middles(2_000))
    return as_points(np.concatenate([radius * circle for radius in radii]))


def as_points(z):
    return np.c_[z.real, z.imag]


def roll():
    """sklearn's make_swiss_roll without its middle axis: t = 1.5 pi (1 + 2 u), (t cos t, t sin t), noise 1; over 5."""
    t = 1.5 * np.pi * (1 + 2 * middles(4_000))
    return as_points(t * np.exp(1j * t)) / 5


def spirals():
    """FFJORD's: n = sqrt(u) 540 degrees; (-n cos n, n sin n) + U(0, .5)^2, and its negative; over 3."""
    n = np.sqrt(middles(10_000)) * 540 * 2 * np.pi / 360
    one = n * (-np.cos(n) + 1j * np.sin(n)) + (0.25 + 0.25j)  # the middle of the square
    return as_points(np.concatenate([one, -one])) / 3


EIGHT = np.exp(2j * np.pi * np.arange(8) / 8)
LATTICE = np.arange(-4, 5, 2) + 1j * np.arange(-4, 5, 2)[:, None]
DENSITIES = {
    "moons": Density(2.3939, half_circles(), 2 * 0.1),
    "8gaussians": Density(2.8319, 4 * as_points(EIGHT) / 1.414, 0.5 / 1.414),
    "25gaussians": Density(2.1450, as_points(LATTICE.ravel()) / 1.414, 0.2 / 1.414),
    "circles": Density(3.2681, 3 * turning(1, 0.5), 3 * 0.08),
    "rings": Density(2.6232, 3 * turning(1, 0.75, 0.5, 0.25), 0.08),
    "swissroll": Density(2.6696, roll(), 1 / 5),
    "pinwheel": Density(2.3178),
    "2spirals": Density(2.6454, spirals(), 0.1, 0.5 / 3),
    "checkerboard": Density(np.log(32)),
}
CURVES = {"line": lambda x: x, "cos": lambda x: 2.5 * np.sin(x)}
ON_A_PATH = {  # what their right answers y to x fulfil
    "parabola": lambda x, y: y - x**2,
    "ellipse": lambda x, y: (x / 1.5) ** 2 + y**2 - 1,
    "spiral": lambda x, y: np.sin((7 * np.hypot(x, y) - np.arctan2(y, x)) / 2),
}
ELSEWHERE = {"points", "words", "handwriting"}  # test_points, test_words
COVERED = {*DENSITIES, *CURVES, *ON_A_PATH, *ELSEWHERE, "letters", "classes"}
LARGEST = 100_000  # draws in search of every word of nine folds


def test_every_registered_task_is_covered_and_every_covered_task_registered():
    assert set(TASKS) == COVERED, f"tasks without facts, or facts without a task: {set(TASKS) ^ COVERED}"
    plain = {name for name, unit in TASKS.items() if unit.answers == "continuous" and not unit.conditional} - {"points"}
    assert plain == {*DENSITIES, *CURVES}
    assert {name for name in plain if not TASKS[name].smooth} == {"checkerboard", *CURVES}


@pytest.fixture
def parts(monkeypatch, request):
    """The sampler and the log-density of which a plane task is made, on its way to becoming a task."""
    monkeypatch.setattr(plane, "plane", lambda draw, log_density, *mixture: (draw, log_density))
    return TASKS[request.param].function()


def grid(cells=CELLS):
    """Mid-points of the cells of the box [cells^2, 2], first coordinate slowest, and the area of a cell."""
    middle = -5 + 10 * (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2), (10 / cells) ** 2


def of(names):
    """A test for each of these tasks, with its parts."""
    return pytest.mark.parametrize(("parts", "name"), [(name, name) for name in names], indirect=["parts"])


EACH = of(DENSITIES)


@EACH
def test_density_integrates_to_one_with_the_published_entropy(parts, name):
    """None leaves the box: at most 1e-7 of the pinwheel does."""
    _, log_density = parts
    y, area = grid()
    log_p = log_density(y)
    assert np.isfinite(log_p).all()
    assert abs(np.exp(log_p).sum() * area - 1) < 1e-6
    assert abs(-(np.exp(log_p) * log_p).sum() * area - DENSITIES[name].entropy) < 1e-3


def component(away, sd, width):
    """[M]: the density of a round Gaussian, spread over a square, that far from its centre [M, 2]."""
    if not width:
        return np.exp(-np.square(away).sum(axis=1) / (2 * sd**2)) / (2 * np.pi * sd**2)
    axes = stats.norm.cdf((away + width / 2) / sd) - stats.norm.cdf((away - width / 2) / sd)
    return axes.prod(axis=1) / width**2


@of(name for name, known in DENSITIES.items() if known.sd)
def test_density_is_that_of_the_definition(parts, name):
    """Against a plain sum over the definition's centres."""
    _, log_density = parts
    known = DENSITIES[name]
    y = np.random.default_rng(0).uniform(-4, 4, (300, 2))
    p = np.array([component(point - known.centres, known.sd, known.width).mean() for point in y])
    near = p > 1e-10
    assert near.sum() > 40
    np.testing.assert_allclose(log_density(y)[near], np.log(p[near]), atol=1e-3)


@EACH
def test_a_density_is_the_same_on_a_grid_and_at_single_points(parts, name):
    """On a grid the axes are taken apart."""
    _, log_density = parts
    y = grid(60)[0]
    chosen = np.random.default_rng(0).permutation(len(y))[:200]
    np.testing.assert_allclose(log_density(y)[chosen], log_density(y[chosen]), rtol=1e-9)


def turned(f, arm):
    """The definition of the pinwheel: points [N, 2] of an arm before they are turned, and after."""
    angle = -(2 * np.pi * arm / 5 + 0.25 * np.exp(f[:, 0]))
    return 2 * as_points((f[:, 0] + 1j * f[:, 1]) * np.exp(1j * angle))


@pytest.mark.parametrize("arm", range(5))
def test_arms_of_the_pinwheel_are_turned_gaussians(arm):
    """At the image of a point: its Gaussian density over the area that the map stretches, by central differences."""
    f = np.random.default_rng(arm).normal([1, 0.05], [0.3, 0.1], (2_000, 2))
    normal = stats.norm.logpdf(f, [1, 0], [0.3, 0.1]).sum(axis=1)
    h = 1e-5
    sides = [(turned(f + step, arm) - turned(f - step, arm)) / (2 * h) for step in h * np.eye(2)]
    area = np.abs(sides[0][:, 0] * sides[1][:, 1] - sides[0][:, 1] * sides[1][:, 0])
    found = densities.pinwheel_arms(turned(f, arm))
    np.testing.assert_allclose(found[:, arm], normal - np.log(area), atol=1e-6)
    total = np.logaddexp.reduce(found, axis=1) - np.log(5)
    np.testing.assert_allclose(densities.pinwheel(turned(f, arm)), total, atol=1e-9)


@pytest.mark.parametrize("radius", [0.2, 1.0, 2.0, 3.0, 4.0])
def test_the_pinwheel_turns_no_mass_off_its_circle(radius):
    """However far it turns, a circle keeps the mass that it has in one Gaussian about (2, 0)."""
    circle = turning(radius)
    plain = np.exp(stats.norm.logpdf(circle, [2, 0], [0.6, 0.2]).sum(axis=1)).mean()
    assert np.exp(densities.pinwheel(circle)).mean() == pytest.approx(plain, rel=1e-6)


def test_squares_of_the_checkerboard():
    """x1 = U(-2, 2), x2 = U(0, 1) - {0, 2} + floor(x1) mod 2, times 2: all of it is on, and 32 of 100 cells are."""
    x1, u, down = np.meshgrid(4 * middles(40) - 2, middles(10), [0, 2])
    defined = 2 * np.c_[x1.ravel(), (u - down + np.floor(x1) % 2).ravel()]
    assert (densities.checkerboard(defined) == -np.log(32)).all()
    cells = densities.checkerboard(grid(10)[0])
    assert sorted(set(cells)) == [densities.FLOOR, -np.log(32)]
    assert (cells > densities.FLOOR).sum() == 32


def check_samples(draw, log_density, entropy, size=40_000):
    """A chi-square test on 40 x 40 cells, and the mean log-density of the samples is minus the entropy."""
    y = np.asarray(draw(KEY, size), np.float64)
    fine, area = grid(400)
    mass = np.exp(log_density(fine)).reshape(40, 10, 40, 10).sum(axis=(1, 3)).ravel() * area
    seen = np.histogram2d(*y.T, bins=40, range=[(-5, 5)] * 2)[0].ravel()
    common = size * mass > 8
    expected = size * np.append(mass[common], 1 - mass[common].sum())
    assert stats.chisquare(np.append(seen[common], size - seen[common].sum()), expected).pvalue > 1e-3
    surprise = -log_density(y[:10_000])
    assert abs(surprise.mean() - entropy) < 4 * surprise.std() / 100 + 1e-9


@EACH
def test_samples_agree_with_the_density(parts, name):
    check_samples(*parts, DENSITIES[name].entropy)


FAULTS = {
    "shifted": lambda y: y + 0.05,
    "mirrored": lambda y: y * jnp.array([1.0, -1.0]),
    "too wide": lambda y: 1.05 * y,
    "fixed angles": lambda y: jnp.tile(y[:100], (len(y) // 100, 1)),
}


FAULTY = [*(("moons", fault) for fault in FAULTS), ("25gaussians", "too wide"), ("circles", "shifted"),
          ("rings", "fixed angles"), ("swissroll", "mirrored"), ("pinwheel", "mirrored"), ("2spirals", "mirrored"),
          ("checkerboard", "mirrored"), ("checkerboard", "shifted")]  # fmt: skip


@pytest.mark.parametrize(("parts", "name", "fault"), [(n, n, f) for n, f in FAULTY], indirect=["parts"])
def test_wrong_samples_are_caught(parts, name, fault):
    """Planted faults in a sampler break its check."""
    draw, log_density = parts
    with pytest.raises(AssertionError):
        check_samples(lambda key, size: FAULTS[fault](draw(key, size)), log_density, DENSITIES[name].entropy)


def thin_spirals():
    """Without the square about each point."""
    return densities.mixture(spirals()[::10], 0.1)


def even_roll():
    """As if t were uniform along the curve."""
    t = np.sqrt((1.5 * np.pi) ** 2 + middles(2_000) * ((4.5 * np.pi) ** 2 - (1.5 * np.pi) ** 2))
    return densities.mixture(as_points(t * np.exp(1j * t)) / 5, 0.2)


WRONG = {
    "2spirals": thin_spirals,
    "swissroll": even_roll,
    "rings": lambda: densities.rings((3.0, 2.25, 1.5, 0.75), 0.09),
    "pinwheel": lambda: lambda y: densities.pinwheel(y * [1, -1]),
}


@of(WRONG)
def test_wrong_densities_are_caught(parts, name):
    """Planted faults in a density break its check."""
    draw, _ = parts
    with pytest.raises(AssertionError):
        check_samples(draw, WRONG[name](), DENSITIES[name].entropy)


@pytest.mark.parametrize("name", [*DENSITIES, *CURVES])
def test_plane_batches(name):
    """Unconditional, in float32, decided by the key alone, inside the box; held-out data are no training data."""
    task = TASKS[name].build({})
    one, again, other = (np.asarray(task.draw(jax.random.key(seed), {}, 5_000).y) for seed in (0, 0, 1))
    assert task.draw(jax.random.key(0), {}, 5_000).x is None
    assert one.shape == (5_000, 2)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, again)
    assert not (one == other).all(axis=1).any()
    assert task.space == (-5.0, 5.0, 2)
    assert (np.abs(one) < 5).all()
    held_out = np.asarray(task.targets(True)["data"])
    assert held_out.shape == (5_000, 2)
    common = set(map(tuple, held_out.tolist())) & set(map(tuple, one.tolist()))
    assert len(common) < (10 if name in CURVES else 1), "one float32 makes a point of a curve: 5,000^2 of 2^23 agree"


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_drawn_on_the_curve(name):
    x, y = np.asarray(TASKS[name].build({}).draw(KEY, {}, 20_000).y, np.float64).T
    np.testing.assert_allclose(y, CURVES[name](x), atol=1e-5)
    assert stats.kstest(x, "uniform", (-2.5, 5)).pvalue > 1e-3


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_has_no_density_but_its_canyon_is_measured(name):
    """F = ((y2 - h(y1)) / s)^2/2: Z = 10 s sqrt(2 pi), as long as the canyon lies inside the box, however narrow."""
    height = {"line": lambda x: x, "cos": lambda x: 2.5 * jnp.sin(x)}[name]
    for s, fine in ((0.02, False), (0.001, True)):
        found = probed(name, lambda x, y, s=s: jnp.square((y[1] - height(y[0])) / s) / 2, fine)
        undefined = {"kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density"}
        assert {key for key, value in found.items() if value is None} == undefined
        assert found["nll"] == pytest.approx(np.log(10 * s * np.sqrt(2 * np.pi)), abs=0.01)
        assert found["nll_error"] < 0.03
        assert found["auroc"] > 0.99
    flat = probed(name, lambda x, y: 7 + 0 * y[0], False)
    assert flat["nll"] == pytest.approx(np.log(100), abs=5e-3)
    assert (flat["auroc"], flat["gap_q50"], flat["offending_level"]) == (0.5, 0.0, 7.0)


@pytest.mark.parametrize("name", CURVES)
def test_what_is_near_a_curve_is_not_offending(name):
    """F = the distance from the data: the most offending answer lies just outside what counts as near."""
    x = jnp.linspace(-2.5, 2.5, 1_001)
    line = jnp.stack([x, {"line": x, "cos": 2.5 * jnp.sin(x)}[name]], axis=1)
    found = probed(name, lambda x, y: jnp.sqrt(jnp.min(jnp.sum(jnp.square(y - line), axis=1))), False)
    assert plane.GROWTH - 0.002 < found["gap_q50"] < plane.GROWTH + 0.05


def test_an_exact_model_of_a_mixture_has_all_its_modes():
    """-F = log p: kl and mse are 0, and 3 sd of the nearest centre hold what they hold of a Gaussian."""
    for name, within in (("8gaussians", 0.9901), ("25gaussians", 1 - np.exp(-4.5))):
        known = DENSITIES[name]
        centres = jnp.asarray(known.centres, jnp.float32)

        def energy(x, y, centres=centres, sd=known.sd):
            return -jax.nn.logsumexp(-jnp.sum(jnp.square(y - centres), axis=1) / (2 * sd**2))

        found = probed(name, energy)
        assert found["modes"] == len(centres)
        assert found["high_quality"] == pytest.approx(within, abs=2e-4)
        assert (found["kl"], found["mse_log_density"]) == pytest.approx((0, 0), abs=1e-5)
        assert found["kl_error"] < 1e-4
        assert found["nll"] == pytest.approx(known.entropy, abs=0.06), "held-out data, 5,000 points"


# --- letters --------------------------------------------------------------------------------------------------------

PER_FOLD = [626, 704, 684, 698, 693, 651, 739, 717, 690, 675]
FOLDS = [0, 4, 9]


def raw():
    """The file as it is shipped: pixels [52152, 16], label, offset, fold."""
    with resources.as_file(resources.files("ebmcli.tasks.data") / "letters.npz") as path, np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_letters_is_the_published_set():
    """6,877 words, 55 distinct, all of them in every fold; 52,152 letters; n is the most frequent."""
    data = letters.words()
    present = np.arange(data["label"].shape[1]) < data["length"][:, None]
    assert (len(data["length"]), int(data["length"].sum())) == (6_877, 52_152)
    assert (data["length"].min(), data["length"].max()) == (3, 14)
    assert np.bincount(data["fold"]).tolist() == PER_FOLD
    assert np.diff(letters.split("small")["start"]).tolist() == PER_FOLD
    assert (data["fold"] == np.repeat(np.arange(10), PER_FOLD)).all(), "words are sorted by fold"
    words = np.array(letters.spelled())
    assert len(set(words)) == 55
    assert all(len(set(words[data["fold"] == fold])) == 55 for fold in range(10))
    share = np.bincount(data["label"][present], minlength=26) / 52_152
    assert share.argmax() == ord("n") - ord("a")
    assert round(100 * (1 - share.max()), 2) == 90.37
    assert len({row.tobytes() for row in data["pixels"]}) == 6_877, "no two word images are equal"


def test_words_are_padded_with_zeros():
    data = letters.words()
    past = np.arange(data["label"].shape[1]) >= data["length"][:, None]
    assert not data["label"][past].any()
    assert not data["pixels"][past].any()


@pytest.mark.parametrize("number", [0, 1, 2_000, 4_321, 6_876])
def test_words_are_those_of_the_file(number):
    """Pixels, labels and mask of an example, against the file unpacked."""
    file = raw()
    original = sorted(range(len(file["fold"])), key=lambda i: file["fold"][i])[number]  # a stable sort
    first, end = file["offset"][original : original + 2]
    batch = letters.examples(jax.tree.map(jnp.asarray, letters.words()), jnp.array([number]))
    (pixels,), (mask,), (label,) = batch.x.letters, batch.x.mask, batch.y
    assert pixels.shape == (14, 128)
    assert pixels.dtype == jnp.float32
    assert mask.tolist() == [True] * (end - first) + [False] * (14 - end + first)
    np.testing.assert_array_equal(pixels[: end - first], np.unpackbits(file["pixels"][first:end], axis=1))
    np.testing.assert_array_equal(label[: end - first], file["label"][first:end])
    assert not label[end - first :].any()
    assert not pixels[end - first :].any()


def numbered(protocol):
    """The set with each word's number in place of its ink, so that draws can be counted fast."""
    data = TASKS["letters"].build({"protocol": protocol}).data()
    number = np.arange(len(data["length"]))
    return {**data, "pixels": np.stack([number >> 8, number & 255], axis=-1).astype(np.uint8)[:, None]}


@pytest.mark.parametrize(
    ("protocol", "fold"), [*product(["small", "large"], FOLDS), ("held-out-words", 0), ("held-out-words", 4)]
)
def test_draws_are_all_training_words_and_no_test_word(protocol, fold):
    """Small trains on the fold, large on the other nine, held-out-words on all words that are not of the group; evenly;
    and `tested` is the complement."""
    data = numbered(protocol)
    here = data["fold"] == fold
    if protocol == "held-out-words":
        here = np.isin(letters.spelled(), letters.GROUPS[fold].split())
    trained = here if protocol == "small" else ~here
    size = LARGEST // 8 if protocol == "small" else LARGEST
    task = TASKS["letters"].build({"protocol": protocol, "fold": fold})

    def draw(fold, data):  # an array in a lane
        return TASKS["letters"].build({"protocol": protocol, "fold": fold}).draw(KEY, data, size)

    batch = jax.jit(draw)(jnp.int32(fold), data)
    drawn = np.packbits(np.asarray(batch.x.letters[:, 0], np.uint8), axis=-1).astype(int) @ [256, 1]
    counts = np.bincount(drawn, minlength=len(here))
    np.testing.assert_array_equal(counts > 0, trained)
    assert stats.chisquare(counts[trained]).pvalue > 1e-3
    np.testing.assert_array_equal(batch.y, data["label"][drawn])
    np.testing.assert_array_equal(letters.test_words(protocol, fold), ~trained)
    assert task.examples == trained.sum()


def test_held_out_words_are_five_groups_of_eleven_that_leave_every_letter():
    """They are the 55 words, dealt out in the first random order after which no group takes a letter away."""
    words = sorted(set(letters.spelled()))
    groups = [line.split() for line in letters.GROUPS]
    assert sorted(word for group in groups for word in group) == words

    def leaves_all(group):
        return len({letter for word in words if word not in group for letter in word}) == 26

    for seed in range(letters.GROUP_SEED + 1):
        order = np.random.default_rng(seed).permutation(len(words))
        dealt = [sorted(words[i] for i in order[first::5]) for first in range(5)]
        assert all(map(leaves_all, dealt)) == (seed == letters.GROUP_SEED)
    assert groups == dealt


def test_draws_are_decided_by_the_key():
    task = TASKS["letters"].build({})
    data = jax.tree.map(jnp.asarray, task.data())
    one, again, other = (task.draw(jax.random.key(seed), data, 50) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert (one.y != other.y).any()
    assert one.x.letters.shape == (50, 14, 128)


def test_distance():
    """The number of wrong letters, or one margin for every wrong word."""
    y, other = jnp.array([1, 2, 3, 0]), jnp.array([1, 5, 4, 0])
    assert TASKS["letters"].build({}).distance(y, other) == 2
    assert TASKS["letters"].build({"margin_distance": "constant"}).distance(y, other) == 1


@pytest.mark.parametrize(("protocol", "expected"), [("small", 0.0085), ("large", 0.0041), ("held-out-words", 0.6186)])
def test_word_list_reference(protocol, expected):
    """What naive Bayes and the list of words reach on fold 0; the list has none of the held-out words."""
    assert round(letters.word_list_error(protocol, 0), 4) == expected


# --- questions with answers ------------------------------------------------------------------------------------------


def probed(name, function, fine=True):
    """The measures of an energy that is known, on the fine targets or on the coarse ones."""
    task = TASKS[name].build({})
    model = Energy(init=lambda *_: None, apply=function)
    found = jax.jit(lambda targets: task.probe(model, {}, targets))(task.targets(fine))
    return task.measure(jax.tree.map(np.asarray, found), fine, 1.0, 0.5)


@pytest.mark.parametrize("name", ON_A_PATH)
def test_answers_lie_on_the_curve_and_all_of_them_are_known(name):
    task = TASKS[name].build({})
    x, y = np.asarray(task.draw(KEY, task.data(), 500), np.float64)[..., 0]
    np.testing.assert_allclose(ON_A_PATH[name](x, y), 0, atol=1e-5)
    targets = task.targets(True)
    asked, right = (np.float64(targets[part][:, 0]) for part in ("asked", "right"))
    np.testing.assert_allclose(ON_A_PATH[name](asked, right), 0, atol=1e-5)
    assert not set(task.data()["x"][:, 0].tolist()) & set(asked.tolist()), "held-out questions"
    assert (np.abs(np.concatenate([y, right])) < max(map(abs, task.space[:2]))).all(), "inside the box"
    # Every point of the curve that is near a question is near one of its answers: none is missing.
    close = np.abs(x[:, None] - asked) < 0.0051
    nearest = np.where(close, np.abs(y[:, None] - right), np.inf).min(axis=1)
    steep = {"parabola": 0.011, "ellipse": 0.06, "spiral": 0.06}[name]
    assert np.isfinite(nearest).mean() > 0.3
    assert (nearest[np.isfinite(nearest)] < steep).mean() > 0.9
    counts = np.unique(asked, return_counts=True)[1]
    assert (counts.min(), counts.max()) == {"parabola": (1, 1), "ellipse": (2, 2), "spiral": (1, 4)}[name]


def test_inference_of_energies_that_are_known_on_the_ellipse():
    """All right answers, their mean, one of the two, and three answers of which one is wrong."""

    def bowls(*answers):
        return lambda x, y: jnp.min(jnp.square(y[0] - jnp.stack([answer(x[0]) for answer in answers])))

    def upper(x):
        return jnp.sqrt(1 - jnp.square(x / 1.5))

    def lower(x):
        return -upper(x)

    def found(*answers):
        measures = probed("ellipse", bowls(*answers))
        return [measures[name] for name in ("branches_found", "false_answers", "answer_error")]

    np.testing.assert_allclose(found(upper, lower), [1, 0, 0], atol=0.005)
    mean = found(lambda x: 0 * x)
    assert (mean[0], mean[1], mean[2]) == pytest.approx((0, 1, np.pi / 4), abs=0.02)
    np.testing.assert_allclose(found(upper), [0.5, 0, 0], atol=0.005)
    wrong = found(upper, lower, lambda x: 1.7 + 0 * x)
    np.testing.assert_allclose(wrong[:2], [1, 1 / 3], atol=0.01)
    flat = probed("ellipse", lambda x, y: 7 * x[0] + 0 * y[0])
    assert (flat["branches_found"], flat["false_answers"]) == (0, 1)


def test_inferred_answers_are_the_low_local_minima():
    energy = np.array([[5, 1, 5, 2, 6, 4.5, 6, 6, 6], [3, 3, 3, 3, 3, 3, 3, 3, 3], [9, 8, 7, 6, 5, 4, 3, 2, 1]], float)
    given = [np.flatnonzero(row).tolist() for row in conditional.inferred_answers(energy)]
    assert given == [[1, 3], [0], [8]]  # 4.5 lies above the middle of 1 and the median 5


def test_measures_of_energies_that_are_known_on_the_parabola():
    """F = s (y - x^2)^2: the gap is s e^2 at the edge of what counts as wrong, Z is that of a Gaussian."""
    good = probed("parabola", lambda x, y: 200 * jnp.sum(jnp.square(y - jnp.square(x))))
    assert good["answer_error"] < 0.005  # the cells of y
    assert good["gap_q50"] == pytest.approx(200 * 0.1**2, rel=0.05)
    assert good["nll"] == pytest.approx(0.5 * np.log(2 * np.pi / 400), abs=1e-3)
    assert (good["auroc"], good["violation_rate"]) == (1.0, 0.0)
    bad = probed("parabola", lambda x, y: -200 * jnp.sum(jnp.square(y - jnp.square(x))))
    assert (bad["auroc"], bad["violation_rate"]) == (0.0, 1.0)
    flat = probed("parabola", lambda x, y: 7 * x[0] + 0 * y[0])
    assert flat["auroc"] == 0.5
    assert flat["energy_spread"] == pytest.approx(0, abs=1e-6)
    assert flat["nll"] == pytest.approx(np.log(3), abs=1e-5)


def pinwheel_arm(x):
    """The arm that a point lies nearest to, by turning it back: an independent reading of the definition."""
    x = np.asarray(x) / 2
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    turn = -(angle + 0.25 * np.exp(radius)) * 5 / (2 * np.pi)  # arms are at whole turns
    return np.round(turn).astype(int) % 5


def test_classes_are_the_arms_of_the_pinwheel():
    x, y = TASKS["classes"].build({}).draw(KEY, {}, 20_000)
    assert np.bincount(y, minlength=5) == pytest.approx(4_000, abs=5 * np.sqrt(3_200))
    assert np.mean(pinwheel_arm(x) == np.asarray(y)) > 0.98
    radius = np.hypot(*np.asarray(x).T) / 2
    assert radius.mean() == pytest.approx(1.0, abs=0.02)
    assert radius.std() == pytest.approx(0.3, abs=0.02)


def test_the_bayes_error_of_classes_is_that_of_the_true_posterior():
    """Stated beside every figure; the energy -log p(x | arm) reaches it, and other draws agree within their noise."""
    x, y = TASKS["classes"].build({}).draw(KEY, {}, 50_000)
    wrong = np.mean(densities.pinwheel_arms(np.asarray(x, np.float64)).argmax(axis=1) != np.asarray(y))
    assert curve.bayes_error(True) == pytest.approx(wrong, abs=4 * np.sqrt(wrong / 5_000))
    assert probed("classes", lambda x, y: jnp.sum(x))["bayes_error"] == curve.bayes_error(True)
    assert 0 < wrong < np.mean(pinwheel_arm(x) != np.asarray(y)), "no reading of the arms beats it"


def test_measures_of_energies_that_are_known_on_classes():
    def arm_energy(x, y):
        angle = jnp.arctan2(x[1], x[0]) + 0.25 * jnp.exp(jnp.hypot(*x) / 2) + 2 * jnp.pi * y / 5
        return 3 * (1 - jnp.cos(angle))

    good = probed("classes", arm_energy)
    assert good["error"] < 0.02
    assert good["gap_q50"] == pytest.approx(3 * (1 - np.cos(2 * np.pi / 5)), abs=0.3)
    flat = probed("classes", lambda x, y: jnp.sum(x))
    assert (flat["error"], flat["auroc"]) == (1.0, 0.5), "a tie is read wrong"
    assert flat["nll"] == pytest.approx(np.log(5), abs=1e-6)
    inverted = probed("classes", lambda x, y: -arm_energy(x, y))
    assert inverted["error"] > 0.98
    assert inverted["auroc"] < 0.2


def test_a_task_without_arguments_is_built_once():
    """Its held-out points and what it knows of its density are drawn and computed for all runs of a process."""
    assert TASKS["moons"].build({"seed": 1}) is TASKS["moons"].build({"seed": 2})
    words = TASKS["words"]
    assert words.build({"jitter": 1}) is not words.build({"jitter": 2})
