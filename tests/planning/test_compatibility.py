"""Which loss goes with which negatives: the table of the field, judged from declarations alone."""

from pathlib import Path

import pytest
from helpers.cells import cell_of, plan_of

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units

POINTS = Path(__file__).parents[1] / "tasks" / "points.csv"
TASKS = [f"{name}:{POINTS}" if unit.traits.file else name for name, unit in units("task").items()]


def judgement(task, loss, sampler, **settings):
    return cell_of(task=task, loss=loss, sampler=sampler, **settings).judgement


# (task, loss, sampler): run, warn or refuse, and a word of the reason.
TABLE = [
    ("moons", "energy", "none", "run", ""),
    ("moons", "energy", "langevin", "warn", "ignored"),
    ("moons", "hinge", "none", "refuse", "negatives one by one"),
    ("moons", "hinge", "uniform", "run", ""),
    ("moons", "hinge", "langevin", "run", ""),
    ("moons", "hinge", "pcd", "run", ""),
    ("moons", "hinge", "quadrature", "run", ""),
    ("moons", "square-square", "pcd", "run", ""),
    ("moons", "log", "uniform", "run", ""),
    ("moons", "nll", "quadrature", "run", ""),
    ("moons", "nll", "langevin", "refuse", "a sum over all answers"),
    ("moons", "nll", "pcd", "refuse", "quadrature"),
    ("moons", "perceptron", "quadrature", "run", ""),
    ("moons", "perceptron", "uniform", "refuse", "the lowest energy"),
    ("moons", "hinge", "most-offending", "run", ""),
    ("moons", "nll", "exhaustive", "refuse", "does not draw points"),
    ("moons", "score-matching", "none", "run", ""),
    ("moons", "score-matching", "pcd", "warn", "ignored"),
    ("moons", "denoising", "none", "run", ""),
    ("moons", "energy-discrepancy", "uniform", "warn", "ignored"),
    ("moons", "mee", "quadrature", "refuse", "a density is not"),
    ("moons", "mee", "uniform", "refuse", "infonce"),
    ("moons", "nll", "uniform", "refuse", "another loss: infonce, or ml"),
    ("moons", "perceptron", "most-offending", "refuse", "quadrature"),
    ("moons", "margin-sum", "quadrature", "warn", "some of them"),
    ("moons", "margin-sum", "uniform", "warn", "some of them"),
    ("moons", "lvq2", "cd", "run", ""),
    ("moons", "mce", "noise", "run", ""),
    ("moons", "min-hinge", "pcd", "run", ""),
    ("moons", "square-exp", "uniform", "run", ""),
    *(("moons", "ml", name, "run", "") for name in ("langevin", "mala", "hmc", "cd", "pcd", "exact", "generator")),
    *(("moons", "ml", name, "warn", "alpha") for name in ("uniform", "gaussian", "noise", "most-offending")),
    ("moons", "hinge", "in-batch", "refuse", "a flat energy is its optimum"),
    *(("moons", loss, name, "run", "") for loss in ("infonce", "pirl") for name in ("uniform", "gaussian")),
    *(
        ("moons", loss, name, "warn", "the density q")
        for loss in ("infonce", "pirl")
        for name in ("pcd", "cd", "noise")
    ),
    ("moons", "infonce", "most-offending", "warn", "log loss"),
    *(("moons", "nce", name, "run", "") for name in ("uniform", "gaussian")),
    *(("moons", "nce", name, "refuse", "known density") for name in ("langevin", "noise", "exact", "quadrature")),
    ("moons", "hinge", "gibbs", "refuse", "does not draw points"),
    *(("classes", "hinge", name, "run", "") for name in ("exhaustive", "most-offending", "loss-augmented", "uniform")),
    *(("classes", "hinge", name, "run", "") for name in ("in-batch", "gibbs", "exact")),
    ("classes", "nll", "exhaustive", "run", ""),
    ("classes", "mee", "exhaustive", "run", ""),
    ("classes", "mee", "uniform", "refuse", "exhaustive"),
    ("classes", "perceptron", "most-offending", "run", ""),
    ("classes", "perceptron", "uniform", "refuse", "most-offending or exhaustive"),
    ("classes", "margin-sum", "exhaustive", "run", ""),
    ("classes", "margin-sum", "most-offending", "warn", "some of them"),
    *(("classes", "ml", name, "run", "") for name in ("gibbs", "exact")),
    ("classes", "ml", "in-batch", "warn", "alpha"),
    ("classes", "infonce", "in-batch", "run", ""),
    ("classes", "infonce", "most-offending", "warn", "log loss"),
    ("classes", "nce", "in-batch", "refuse", "uniform"),
    ("classes", "log", "loss-augmented", "refuse", "has none"),
    ("classes", "score-matching", "none", "refuse", "labels"),
    ("classes", "hinge", "langevin", "refuse", "does not draw labels"),
    ("parabola", "hinge", "in-batch", "run", ""),
    ("parabola", "nll", "quadrature", "run", ""),
    ("parabola", "score-matching", "none", "refuse", "no lower bound"),
    ("checkerboard", "score-matching", "none", "refuse", "those of checkerboard have none"),
    ("line", "sliced-score-matching", "none", "refuse", "no lower bound"),
    ("cos", "denoising-score-matching", "none", "run", ""),
    ("parabola", "denoising-score-matching", "none", "run", ""),
    *(("letters", loss, "loss-augmented", "run", "") for loss in ("min-hinge", "square-hinge")),
    ("letters", "lvq2-ratio", "most-offending", "run", ""),
    ("letters", "nce", "uniform", "run", ""),
    *(("letters", "nce", name, "refuse", "use uniform") for name in ("most-offending", "corrupt", "exact", "in-batch")),
    *(("letters", "hinge", name, "run", "") for name in ("n-best", "corrupt", "uniform", "in-batch", "exact", "gibbs")),
    *(("letters", "ml", name, "run", "") for name in ("exact", "gibbs")),
    *(("letters", "ml", name, "warn", "alpha") for name in ("uniform", "corrupt", "n-best", "in-batch")),
    ("letters", "perceptron", "n-best", "run", ""),
    ("letters", "perceptron", "corrupt", "refuse", "the lowest energy"),
    ("letters", "nll", "n-best", "refuse", "another loss: infonce, or ml"),
    ("letters", "infonce", "uniform", "run", ""),
    *(("letters", "infonce", name, "warn", "the density q") for name in ("n-best", "corrupt", "gibbs", "in-batch")),
    ("letters", "margin-sum", "n-best", "warn", "some of them"),
    ("moons", "hinge", "n-best", "refuse", "does not draw points"),
    ("classes", "hinge", "corrupt", "refuse", "does not draw labels"),
    ("letters", "infonce", "most-offending", "warn", "log loss"),
    ("letters", "margin-sum", "exhaustive", "refuse", "negatives one by one"),
    ("letters", "margin-sum", "loss-augmented", "warn", "some of them"),
    ("letters", "mee", "exhaustive", "run", ""),
    ("letters", "hinge", "loss-augmented", "run", ""),
    ("letters", "hinge", "most-offending", "run", ""),
    ("letters", "hinge", "exhaustive", "refuse", "negatives one by one"),
    ("letters", "hinge", "langevin", "refuse", "label sequences"),
    ("letters", "log", "most-offending", "run", ""),
    ("letters", "log", "loss-augmented", "refuse", "most-offending"),
    ("letters", "nll", "exhaustive", "run", ""),
    ("letters", "nll", "most-offending", "refuse", "exhaustive"),
    ("letters", "perceptron", "exhaustive", "run", ""),
    ("letters", "perceptron", "most-offending", "run", ""),
    ("letters", "perceptron", "loss-augmented", "refuse", "the lowest energy"),
    ("letters", "energy", "none", "run", ""),
    *(("words", "hinge", name, "run", "") for name in ("most-offending", "n-best", "uniform", "in-batch", "corrupt")),
    *(("words", "ml", name, "run", "") for name in ("exact", "gibbs")),
    ("words", "nll", "exhaustive", "run", ""),
    ("words", "nll", "exact", "refuse", "a sum over all answers"),
    ("words", "hinge", "exact", "refuse", "alignment=sum"),
    ("words", "hinge", "loss-augmented", "run", ""),
    ("words", "log", "loss-augmented", "refuse", "has none: use most-offending"),
    ("words", "infonce", "n-best", "warn", "density q"),
    ("handwriting", "mee", "exhaustive", "run", ""),
    ("handwriting", "hinge", "langevin", "refuse", "label sequences"),
]


@pytest.mark.parametrize(("task", "loss", "sampler", "verdict", "word"), TABLE)
def test_the_table(task, loss, sampler, verdict, word):
    found = judgement(task, loss, sampler)
    assert found.verdict == verdict, found
    assert word in found.reason


def test_a_distance_margin_that_the_negatives_do_not_look_at_is_warned_of():
    found = judgement("letters", "hinge", "most-offending", margin_distance="hamming")
    assert (found.verdict, "loss-augmented" in found.reason) == ("warn", True)


def test_an_energy_that_cannot_score_the_answers_is_refused():
    found = cell_of(task="moons", loss="hinge", energy="linear-chain").judgement
    assert (found.verdict, "does not score points" in found.reason) == ("refuse", True)


@pytest.mark.parametrize(
    ("task", "energy", "reason"),
    [
        ("letters", "mlp", "mlp does not score label sequences, the answers of letters"),
        ("letters", "trellis", "trellis scores strips, the questions of letters are words"),
        ("words", "linear-chain", "linear-chain scores words, the questions of words are strips"),
        ("handwriting", "conv-chain", "conv-chain scores words, the questions of handwriting are strips"),
        ("classes", "linear-chain", "linear-chain does not score labels, the answers of classes"),
        ("moons", "two-branch", "two-branch compares an answer with a question x: moons has none"),
    ],
)
def test_an_energy_is_refused_answers_and_questions_that_it_cannot_read(task, energy, reason):
    assert cell_of(task=task, loss="hinge", energy=energy).judgement == ("refuse", reason)


def test_a_fold_that_a_protocol_does_not_have_is_refused():
    assert judgement("letters", "hinge", "loss-augmented", protocol="held-out-words", fold=4).verdict == "run"
    found = judgement("letters", "hinge", "loss-augmented", protocol="held-out-words", fold=5)
    assert (found.verdict, found.reason) == ("refuse", "held-out-words has folds 0 to 4, not 5")


def test_no_pair_of_the_registry_falls_through():
    found = plan_of(task="all", loss="all", sampler="all").cells
    tasks = [unit for unit in units("task").values() if not unit.traits.file]
    assert len(found) == len(tasks) * len(units("loss")) * len(units("sampler"))
    assert all(cell.judgement.reason for cell in found if cell.judgement.verdict != "run")
    assert {cell.judgement.reason for cell in found if cell.judgement.verdict == "run"} == {""}


@pytest.mark.parametrize(("head", "verdict"), [("free", "refuse"), ("softplus", "run"), ("square", "run")])
@pytest.mark.parametrize("loss", ["min-hinge", "square-hinge", "lvq2-ratio"])
def test_losses_of_levels_need_an_energy_that_is_never_negative(loss, head, verdict):
    found = judgement("moons", loss, "uniform", head=head)
    assert found.verdict == verdict
    assert ("--head softplus or --head square" in found.reason) == (verdict == "refuse")


def test_square_exp_on_a_free_head_is_warned_of():
    assert judgement("moons", "square-exp", "uniform", head="free").verdict == "warn"


@pytest.mark.parametrize(("sampler", "verdict"), [("pcd", "run"), ("uniform", "refuse"), ("generator", "refuse")])
def test_without_its_penalty_only_samples_of_the_model_bound_ml(sampler, verdict):
    found = judgement("moons", "ml", sampler, alpha=0.0)
    assert (found.verdict, "unbounded below" in found.reason) == (verdict, verdict == "refuse")


@pytest.mark.parametrize("energy", ["regressor", "two-branch"])
def test_an_energy_that_compares_question_and_answer_needs_a_question(energy):
    verdicts = {task: cell_of(task=task, loss="hinge", energy=energy).judgement.verdict for task in TASKS}
    conditional = {"parabola", "ellipse", "spiral", "classes"}
    assert {task for task, verdict in verdicts.items() if verdict == "run"} == conditional


SCORES = {"score-matching", "sliced-score-matching", "denoising-score-matching", "denoising", "energy-discrepancy"}
# What does not run by default: everything else does.
PLANE = {"mee": "refuse", "margin-sum": "warn"}
ROUGH = PLANE | {"score-matching": "refuse", "sliced-score-matching": "refuse"}
SMOOTH = ("points", "moons", "8gaussians", "25gaussians", "circles", "rings", "swissroll", "pinwheel", "2spirals")
BY_DEFAULT = {
    **dict.fromkeys(SMOOTH, PLANE),
    **dict.fromkeys(("checkerboard", "line", "cos", "parabola", "ellipse", "spiral"), ROUGH),
    "classes": dict.fromkeys(SCORES, "refuse"),
    **dict.fromkeys(("letters", "words", "handwriting"), dict.fromkeys(SCORES, "refuse") | {"margin-sum": "warn"}),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("loss", units("loss"))
def test_what_a_loss_does_on_a_task_by_default(task, loss):
    found = cell_of(task=task, loss=loss).judgement
    assert found.verdict == BY_DEFAULT[task.partition(":")[0]].get(loss, "run")


@pytest.mark.parametrize("task", ["parabola", "classes", "letters", "words"])
def test_a_batch_that_leaves_no_negatives_is_refused_with_what_to_do(task):
    alone = judgement(task, "hinge", "in-batch", batch_size="1")
    assert alone.refusal == ("in-batch draws no negatives: a batch of 1 has no other examples, --batch-size 2 has")
    assert not judgement(task, "hinge", "in-batch", batch_size="2").refusal
    for sampler in ("gibbs", "cd"):
        with pytest.raises(UsageError, match="chain_steps: must be at least 1, found 0"):
            judgement(task, "hinge", sampler, chain_steps="0")
