"""Every registered task: its density, entropy and samples agree; `letters` is the published set, split as published."""

from importlib import resources
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ebmcli import registry
from ebmcli.tasks import letters, plane
from ebmcli.types import Energy

TASKS = registry.units("task")
CELLS = 500  # a side of the grid on which densities are integrated
KEY = jax.random.key(30)


class Density(NamedTuple):
    """What is known of a plane task without running it."""

    entropy: float  # nats, from the literature's definition by an independent quadrature
    centres: np.ndarray  # [M, 2] of even Gaussians
    sd: float


def half_circles():
    """Midpoints of 4,000 arcs: upper about (0, 0), lower about (1, .5), radius 1; times 2, shifted by (-1, -.2)."""
    t = np.pi * (np.arange(2_000) + 0.5) / 2_000
    arcs = [np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)]]
    return 2 * np.concatenate(arcs) + [-1, -0.2]


EIGHT = np.exp(2j * np.pi * np.arange(8) / 8)
DENSITIES = {
    "moons": Density(2.3939, half_circles(), 2 * 0.1),
    "8gaussians": Density(2.8319, 4 * np.c_[EIGHT.real, EIGHT.imag] / 1.414, 0.5 / 1.414),
}
COVERED = {*DENSITIES, "letters", "parabola", "classes"}
LARGEST = 100_000  # draws in search of every word of nine folds


def test_every_registered_task_is_covered_and_every_covered_task_registered():
    assert set(TASKS) == COVERED, f"tasks without facts, or facts without a task: {set(TASKS) ^ COVERED}"
    assert {name for name, unit in TASKS.items() if unit.answers == "continuous" and not unit.conditional} == set(
        DENSITIES
    )


@pytest.fixture
def parts(monkeypatch, request):
    """The sampler and the log-density of which a plane task is made, on its way to becoming a task."""
    monkeypatch.setattr(plane, "plane", lambda draw, log_density: (draw, log_density))
    return TASKS[request.param].function()


def grid(cells=CELLS):
    """Mid-points of the cells of the box [cells^2, 2], first coordinate slowest, and the area of a cell."""
    middle = -5 + 10 * (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2), (10 / cells) ** 2


BOTH = pytest.mark.parametrize(("parts", "name"), [(name, name) for name in DENSITIES], indirect=["parts"])


@BOTH
def test_density_integrates_to_one_with_the_published_entropy(parts, name):
    _, log_density = parts
    y, area = grid()
    log_p = log_density(y)
    assert abs(np.exp(log_p).sum() * area - 1) < 1e-3
    assert abs(-(np.exp(log_p) * log_p).sum() * area - DENSITIES[name].entropy) < 1e-3


@BOTH
def test_density_is_that_of_the_definition(parts, name):
    """Against a plain sum over the definition's centres."""
    _, log_density = parts
    known = DENSITIES[name]
    y = np.random.default_rng(0).uniform(-4, 4, (300, 2))
    squared = np.square(y[:, None] - known.centres).sum(axis=-1)
    p = np.exp(-squared / (2 * known.sd**2)).mean(axis=1) / (2 * np.pi * known.sd**2)
    near = p > 1e-12
    assert near.sum() > 100
    np.testing.assert_allclose(log_density(y)[near], np.log(p[near]), atol=1e-3)


def check_samples(draw, log_density, entropy, size=40_000):
    """A chi-square test on 40 x 40 cells, and the mean log-density of the samples is minus the entropy."""
    y = np.asarray(draw(KEY, size), np.float64)
    fine, area = grid(400)
    mass = np.exp(log_density(fine)).reshape(40, 10, 40, 10).sum(axis=(1, 3)).ravel() * area
    seen = np.histogram2d(*y.T, bins=40, range=[(-5, 5)] * 2)[0].ravel()
    common = size * mass > 8
    expected = size * np.append(mass[common], 1 - mass[common].sum())
    assert stats.chisquare(np.append(seen[common], size - seen[common].sum()), expected).pvalue > 1e-3
    surprise = -log_density(y)
    assert abs(surprise.mean() - entropy) < 4 * surprise.std() / np.sqrt(size)


@BOTH
def test_samples_agree_with_the_density(parts, name):
    check_samples(*parts, DENSITIES[name].entropy)


FAULTS = {
    "shifted": lambda y: y + 0.05,
    "mirrored": lambda y: y * jnp.array([1.0, -1.0]),
    "too wide": lambda y: 1.05 * y,
    "fixed angles": lambda y: jnp.tile(y[:100], (len(y) // 100, 1)),
}


@pytest.mark.parametrize("parts", ["moons"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_samples_are_caught(parts, fault):
    """Planted faults in the sampler of moons break its check."""
    draw, log_density = parts
    with pytest.raises(AssertionError):
        check_samples(lambda key, size: FAULTS[fault](draw(key, size)), log_density, DENSITIES["moons"].entropy)


@pytest.mark.parametrize("name", DENSITIES)
def test_plane_batches(name):
    """Unconditional, in float32, decided by the key alone, inside the box; held-out data are no training data."""
    task = TASKS[name].build({})
    one, again, other = (np.asarray(task.draw(jax.random.key(seed), {}, 5_000).y) for seed in (0, 0, 1))
    assert task.draw(KEY, {}, 3).x is None
    assert one.shape == (5_000, 2)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, again)
    assert not (one == other).all(axis=1).any()
    assert task.space == (-5.0, 5.0, 2)
    assert (np.abs(one) < 5).all()
    held_out = np.asarray(task.targets(True)["data"])
    assert held_out.shape == (5_000, 2)
    assert not set(map(tuple, held_out.tolist())) & set(map(tuple, one.tolist()))


# --- letters --------------------------------------------------------------------------------------------------------

PER_FOLD = [626, 704, 684, 698, 693, 651, 739, 717, 690, 675]
FOLDS = [0, 4, 9]


def raw():
    """The file as it is shipped: pixels [52152, 16], label, offset, fold."""
    with resources.as_file(resources.files("ebmcli.tasks.data") / "letters.npz") as path, np.load(path) as file:
        return {name: file[name] for name in file.files}


def spelled(label, length):
    """The words as strings."""
    return ["".join(chr(97 + c) for c in row[:n]) for row, n in zip(label, length, strict=True)]


def test_letters_is_the_published_set():
    """6,877 words, 55 distinct, all of them in every fold; 52,152 letters; n is the most frequent."""
    data = letters.words()
    present = np.arange(data["label"].shape[1]) < data["length"][:, None]
    assert (len(data["length"]), int(data["length"].sum())) == (6_877, 52_152)
    assert (data["length"].min(), data["length"].max()) == (3, 14)
    assert np.bincount(data["fold"]).tolist() == PER_FOLD
    assert np.diff(data["start"]).tolist() == PER_FOLD
    assert (data["fold"] == np.repeat(np.arange(10), PER_FOLD)).all(), "words are sorted by fold"
    words = np.array(spelled(data["label"], data["length"]))
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


def numbered():
    """The set with each word's number in place of its ink, so that draws can be counted fast."""
    data = letters.words()
    number = np.arange(len(data["length"]))
    return {**data, "pixels": np.stack([number >> 8, number & 255], axis=-1).astype(np.uint8)[:, None]}


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("protocol", ["small", "large"])
def test_draws_are_all_training_words_and_no_test_word(protocol, fold):
    """Small trains on the fold, large on the other nine; evenly; and `tested` is the complement."""
    data = numbered()
    here = data["fold"] == fold
    trained = here if protocol == "small" else ~here
    size = LARGEST if protocol == "large" else LARGEST // 8
    task = TASKS["letters"].build({"protocol": protocol, "fold": fold})

    def draw(fold, data):  # an array in a lane
        return TASKS["letters"].build({"protocol": protocol, "fold": fold}).draw(KEY, data, size)

    batch = jax.jit(draw)(jnp.int32(fold), data)
    drawn = np.packbits(np.asarray(batch.x.letters[:, 0], np.uint8), axis=-1).astype(int) @ [256, 1]
    counts = np.bincount(drawn, minlength=len(here))
    np.testing.assert_array_equal(counts > 0, trained)
    assert stats.chisquare(counts[trained]).pvalue > 1e-3
    np.testing.assert_array_equal(batch.y, data["label"][drawn])
    np.testing.assert_array_equal(letters.tested(protocol, fold), ~trained)
    assert task.examples == trained.sum()


def test_draws_are_decided_by_the_key():
    data = jax.tree.map(jnp.asarray, letters.words())
    task = TASKS["letters"].build({})
    one, again, other = (task.draw(jax.random.key(seed), data, 50) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert (one.y != other.y).any()
    assert one.x.letters.shape == (50, 14, 128)


def test_distance():
    """The number of wrong letters, or one margin for every wrong word."""
    y, other = jnp.array([1, 2, 3, 0]), jnp.array([1, 5, 4, 0])
    assert TASKS["letters"].build({}).distance(y, other) == 2
    assert TASKS["letters"].build({"margin_distance": "constant"}).distance(y, other) == 1


@pytest.mark.parametrize(("protocol", "expected"), [("small", 0.0085), ("large", 0.0041)])
def test_word_list_reference(protocol, expected):
    """What naive Bayes and the list of words reach on fold 0."""
    assert round(letters.word_list_error(protocol, 0), 4) == expected


# --- questions with answers ------------------------------------------------------------------------------------------


def probed(name, function):
    """The measures of an energy that is known, on the fine targets."""
    task = TASKS[name].build({})
    model = Energy(init=lambda *_: None, apply=function)
    found = jax.jit(lambda targets: task.probe(model, {}, targets))(task.targets(True))
    return task.measure(jax.tree.map(np.asarray, found), True, 1.0, 0.5)


def test_parabola_is_y_of_x_squared():
    task = TASKS["parabola"].build({})
    x, y = task.draw(KEY, task.data(), 500)
    np.testing.assert_array_equal(y, np.square(x))
    assert (np.abs(task.data()["x"]) < 1).all()
    assert not set(task.data()["x"][:, 0].tolist()) & set(task.targets(True)["x"][:, 0].tolist()), "held-out questions"


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
