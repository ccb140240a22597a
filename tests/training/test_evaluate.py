"""From snapshots to records: hand-made probes whose measures are known, on the plane and on letters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.core.registry import find
from ebmcli.core.types import Cost, Model
from ebmcli.tasks import _kassel, letters
from ebmcli.training import evaluate
from ebmcli.training.engine import Snapshot
from ebmcli.training.loop import Progress

DATA = _kassel.words()
COARSE = slice(None, None, letters.COARSE)
CHOSEN = letters.test_words("small", 3)[COARSE]
SIZE = len(CHOSEN)
CONFIG = {"task": "letters", "loss": "hinge", "protocol": "small", "fold": 3, "margin_distance": "hamming",
          "margin": 1.0, "beta": 1.0, "steps": 10, "batch_size": 4}  # fmt: skip
TASK = find("task", "letters").build(CONFIG)


def probed(**changes):
    """Every word read right, with a gap of 2 and random answers 5 above the right one."""
    right = np.arange(SIZE, dtype=np.float32)  # a level for each word that must not matter
    base = {"found": DATA["label"][COARSE], "right": right, "offending": right + 2, "random": right + 5}
    base |= {"other": DATA["label"][COARSE] + (np.arange(14) < 2), "sure": np.full(SIZE, 2.0)}
    return base | {"random": right + 5 + np.arange(SIZE) % 2} | changes


def measure(**changes):
    return evaluate.measures(TASK.measure(probed(**changes), False, 1.0, 1.0))


def test_letters_are_measured_on_the_test_words_alone():
    found = np.where(CHOSEN[:, None], DATA["label"][COARSE], 25 - DATA["label"][COARSE])
    assert measure(found=found)["cer"] == 0
    found = np.where(CHOSEN[:, None], 25 - DATA["label"][COARSE], DATA["label"][COARSE])
    assert measure(found=found)["cer"] == 1
    assert measure(found=found)["exact_match"] == 0


def test_gaps_auroc_and_spread_of_letters_are_taken_word_by_word():
    good = measure()
    assert (good["gap_q50"], good["violation_rate"], good["auroc"]) == (2.0, 0.0, 1.0)
    assert good["energy_spread"] == pytest.approx(0.5, abs=1e-3)
    right = probed()["right"]
    assert measure(random=right - 1)["auroc"] == 0.0
    assert measure(random=right)["auroc"] == 0.5
    assert measure(offending=right + 0.5)["violation_rate"] == 1.0


def test_gaps_a_letter_and_what_has_to_be_rejected():
    """The most offending answer has two wrong letters; a tenth of the words is read wrong, the least sure or not."""
    assert measure()["gap_per_letter_q50"] == pytest.approx(1.0)
    assert measure()["reject_at_1pct"] == 0.0
    (rows,) = np.nonzero(CHOSEN)
    wrong = rows[: len(rows) // 10]
    found, sure = DATA["label"][COARSE].copy(), np.full(SIZE, 2.0)
    found[wrong, 0] += 1
    sure[wrong] = 1.0
    assert measure(found=found, sure=sure)["reject_at_1pct"] == pytest.approx(0.09, abs=2e-3)
    assert measure(found=found, sure=-sure)["reject_at_1pct"] == pytest.approx(0.99, abs=2e-3)


def test_an_energy_of_the_image_alone_is_flat_on_letters():
    """F = f(x): it says nothing of y, whatever its levels."""
    right = probed()["right"]
    flat = measure(offending=right, random=right, found=np.zeros_like(DATA["label"][COARSE]))
    line = {"step": 10, "train_loss": 1.0, "active_share": 1.0, **flat}
    start = line | {"energy_spread": 1.3}
    status, metrics = evaluate.conclude(TASK, CONFIG, [start | {"step": 0}, line], line, -1, Cost(10))
    assert (status, metrics["verdict"]) == ("done", "flat")


@jax.jit
def reading(level, labels, targets):
    """What is read by an energy that gives the right answer 0 and every other `level`."""

    def apply(x, y):
        same = jnp.all(jnp.where(x.mask, y, 0)[None] == labels["label"], axis=1).any()
        return jnp.where(same, 0.0, level)

    def other(x, y, reward):
        return jnp.where(x.mask, (y + 1) % 26, y)

    return TASK.probe(Model(apply, best_different=other), labels, targets)["found"]


@pytest.mark.parametrize(("level", "right"), [(1.0, True), (0.0, False), (-1.0, False)])
def test_what_is_read_is_the_lower_answer_and_a_tie_is_read_wrong(level, right):
    targets = {name: value[:40] for name, value in TASK.targets(False).items()}
    read = np.asarray(reading(level, {name: DATA[name] for name in ("label", "pixels", "length")}, targets))
    labels = DATA["label"][targets["index"]]
    present = np.arange(labels.shape[1]) < DATA["length"][targets["index"]][:, None]
    assert np.array_equal(((read == labels) | ~present).all(axis=1), np.full(40, right))


def snapshot(positive, negatives, diverged=-1, fine=False, **changes):
    train = {"positive": np.asarray([positive], np.float32), "negatives": negatives, "y": None, "y_negative": None}
    train["negatives"] = None if negatives is None else np.asarray([negatives], np.float32)
    task = {name: value[None] for name, value in probed(**changes).items()}
    progress = Progress(np.array([0.5]), np.array([0.25]))
    return Snapshot(
        np.array([7]), np.array([diverged]), progress, {"task": task, "train": train, "sampler": {}}, None, 1.0, fine
    )


def test_a_snapshot_becomes_measures():
    found = evaluate.measure(TASK, CONFIG, snapshot([1.0, 2.0], [[2.0, 3.0], [3.0, 4.0]]), 0)
    assert (found["step"], found["train_loss"], found["active_share"]) == (7, 0.5, 0.25)
    assert found["train_gap_q50"] == pytest.approx(1.5)
    assert found["violation_rate"] == 0.0
    assert evaluate.measure(TASK, CONFIG | {"margin": 3.0}, snapshot([1.0], [[2.0]]), 0)["violation_rate"] == 1.0
    without = {name: value for name, value in CONFIG.items() if name != "margin"}
    assert evaluate.threshold(without) == 0.0
    assert "train_gap_q50" not in evaluate.measure(TASK, CONFIG, snapshot([1.0], None), 0)


def test_what_is_not_finite_has_no_measures():
    assert evaluate.measure(TASK, CONFIG, snapshot([np.nan], [[1.0]]), 0) is None
    assert evaluate.measure(TASK, CONFIG, snapshot([1.0], [[np.inf]]), 0) is None
    assert evaluate.measure(TASK, CONFIG, snapshot([1.0], None, diverged=3), 0) is None
    sick = np.full(SIZE, np.nan, np.float32)
    assert evaluate.measure(TASK, CONFIG, snapshot([1.0], None, right=sick), 0) is None


def line(step, gap, **more):
    base = {"train_loss": 1.0, "active_share": 1.0, "energy_spread": 5.0, "energy_level": 0.0, "auroc": 0.9}
    return base | {"step": step, "gap_q50": gap, "gap_q90": 1.0} | more


def test_a_record_has_the_fine_measures_the_growth_of_the_coarse_and_the_cost():
    steps = [0, 100, 200, 300, 400, 500, 600, 700, 800]
    history = [line(step, 1 + 2 * np.log(max(step, 1))) for step in steps]
    config = CONFIG | {"steps": 800}
    status, metrics = evaluate.conclude(TASK, config, history, line(800, 99.0, cer=0.1), -1, Cost(10, 1))
    assert (status, metrics["gap_q50"], metrics["cer"], metrics["verdict"]) == ("done", 99.0, 0.1, "healthy")
    assert metrics["gap_growth"] == pytest.approx(2.0)
    assert (metrics["energy_evaluations"], metrics["energy_gradients"]) == (8000, 800)
    assert metrics["epochs"] == pytest.approx(800 * 4 / (~letters.test_words("small", 3)).sum())
    assert "step" not in metrics


def test_a_run_whose_sampler_declares_no_cost_has_no_count():
    _, metrics = evaluate.conclude(TASK, CONFIG, [line(0, 0.0)], line(9, 0.5), -1, None)
    assert metrics["energy_evaluations"] is metrics["energy_gradients"] is None


def test_measures_of_several_evaluations_and_of_a_task_that_works_out_its_own_are_put_together():
    words, segmented = TASK.measure(probed(), False, 1.0, 1.0)
    together = evaluate.measures((words, segmented))
    assert together == evaluate.measures(words) | evaluate.measures(segmented) == measure()
    assert evaluate.measures({"mine": 1.0}) == {"mine": 1.0}
    assert evaluate.measures((words, {"mine": 1.0})) == evaluate.measures(words) | {"mine": 1.0}
    assert evaluate.measures(()) == {}


def test_a_diverged_record_has_the_last_finite_measures_and_its_step():
    history = [line(0, 0.0), line(1, 1.0), line(2, 2.0)]
    status, metrics = evaluate.conclude(TASK, CONFIG, history, None, 3, Cost(10, 1))
    assert (status, metrics["diverged_step"], metrics["gap_q50"], metrics["verdict"]) == (
        "diverged",
        3,
        2.0,
        "diverged",
    )
    assert metrics["energy_evaluations"] == 40, "four steps were computed, the fourth of them in vain"
    assert metrics["energy_gradients"] == 4
    assert "not finite at step 3" in metrics["verdict_reason"]
    status, metrics = evaluate.conclude(TASK, CONFIG, [], None, -1, Cost(10, 1))
    assert (status, metrics["verdict"]) == ("diverged", "diverged")


def test_the_verdict_sees_the_scales_of_the_run():
    """A spread of 0.05 is flat at beta 1 and margin 1, not at margin 0.1 or at beta 100."""
    last, first = line(9, 0.04, energy_spread=0.05), line(0, 0.0, energy_spread=0.01)
    for changes, verdict in (({}, "flat"), ({"margin": 0.1}, "healthy"), ({"beta": 100.0}, "healthy")):
        _, metrics = evaluate.conclude(TASK, CONFIG | changes, [first, last], last, -1, Cost(1, 1))
        assert metrics["verdict"] == verdict
    last = line(9, -500.0, energy_spread=5e3, gap_q90=1.0)
    for changes, verdict in (({}, "unbounded"), ({"margin": 1e4}, "healthy")):
        _, metrics = evaluate.conclude(TASK, CONFIG | changes, [first, last], last, -1, Cost(1, 1))
        assert metrics["verdict"] == verdict
