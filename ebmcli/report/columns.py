"""What measures are called in a table, which way is better, and what they mean."""

from collections.abc import Iterable

from ebmcli.core.registry import known

HEADINGS = {
    "gap_q50": "gap",
    "kl_beta_star": "kl at β*",
    "nll_beta_star": "nll at β*",
    "spurious_mass": "spurious mass",
    "high_quality": "high quality",
    "answer_error": "error of the answer",
    "bayes_error": "bayes error",
    "word_list_cer": "cer of the word list",
    "mse_log_density": "mse of log-density",
    "exact_match": "exact match",
    "energy_evaluations": "energy evaluations",
    "branches_found": "answers found",
    "reject_at_1pct": "rejected at 1 %",
    "alignment_error": "error of the alignment",
}
LOWER, HIGHER = "↓", "↑"
# The measures of accuracy, and which way is better; a figure that belongs to the task, not to the model, has none.
BETTER = {
    "kl": LOWER,
    "kl_beta_star": LOWER,
    "nll": LOWER,
    "nll_beta_star": LOWER,
    "tv": LOWER,
    "spurious_mass": LOWER,
    "mse_log_density": LOWER,
    "auroc": HIGHER,
    "modes": HIGHER,
    "high_quality": HIGHER,
    "cer": LOWER,
    "wer": LOWER,
    "exact_match": HIGHER,
    "reject_at_1pct": LOWER,
    "decoder_gap": LOWER,
    "alignment_error": LOWER,
    "word_list_cer": "",
    "error": LOWER,
    "bayes_error": "",
    "answer_error": LOWER,
    "branches_found": HIGHER,
}
WORSE = {"violation_rate": LOWER}  # of the margin: what a comparison may call worse beside the measures of accuracy
NOTES = {
    "promised": "promised: the margin of the formula (m is its value; absolute: a level of F-, not a difference).",
    "gap": "gap: median of F(most offending answer) - F(right answer) on held-out examples; most offending: the lowest "
    "energy outside the data region on the plane, the best different answer on sequences.",
    "gap ≥ m": "gap ≥ m: share of held-out examples whose gap reaches the margin (of one letter, where it grows with "
    "the letters), or 0 where the loss has none.",
    "gap 10 %": "gap 1 %, 10 %, 50 %, 90 %: quantiles of the gap over held-out examples.",
    "violated ↓": "violated: share of held-out examples whose gap is below the margin, or 0 where the loss has none.",
    "own negatives": "own negatives: the median gap to the negatives that the loss was shown, which is another thing "
    "than the gap to the most offending answer.",
    "active": "active: share of the last training examples whose loss has a slope.",
    "growth": "growth: slope of the median gap on the logarithm of the step over the last half of training.",
    "kl": "kl: KL(true || model), nats, at the β of training; at β*: at the inverse temperature best for new data.",
    "tv": "tv: half the integral of |true - model density|.",
    "mse_log_density": "mse of log-density: mean square of log model - log true density at held-out data, nats².",
    "spurious_mass": "spurious mass: the model's mass outside the region that holds 99.9 % of the true mass.",
    "nll": "nll: of held-out data, nats an example, at the β of training; at β*: at the inverse temperature best for "
    "new data.",
    "auroc": "auroc: probability that a right answer has a lower energy than another one; chance is 0.5.",
    "modes": "modes: centres of the mixture with at least a tenth of their even share of the model's mass within 3 sd.",
    "high_quality": "high quality: the model's mass within 3 sd of a centre; a perfect model has 0.99.",
    "bayes_error": "bayes error: that of the true posterior on the same points, which is what can be reached.",
    "cer": "cer, wer: share of letters and of words that are read wrong.",
    "reject_at_1pct": "rejected at 1 %: share of the words that must be rejected, those of smallest gap first, so that "
    "the wrong answers left are 1 % of all words.",
    "decoder_gap": "decoder gap: by how much more words the greedy decoder reads wrong than the exact one.",
    "alignment_error": "error of the alignment: distance in pixels from the columns of a letter to where they are.",
    "branches_found": "answers found: share of the right answers to a question that are inferred.",
    "word_list_cer": "cer of the word list: what naive Bayes letters and the list of the training words reach; "
    "every figure on this task contains that much of the list. On held-out words it has no right answer to read.",
}  # by heading of a column or name of a measure


def heading(name: str, arrow: bool = False) -> str:
    """What a measure is called, with an arrow to where it is better."""
    called = HEADINGS.get(name, name.replace("_", " "))
    towards = (BETTER | WORSE).get(name, "") if arrow else ""
    return f"{called} {towards}" if towards else called


def main(task: str) -> str:
    """The main measure of a task: the first but auroc, which all healthy energies share."""
    unit = known("task", task)
    measures = unit.measures if unit else ()
    return next((name for name in measures if name != "auroc"), "auroc")


def accuracy(task: str, present: Iterable[str]) -> list[str]:
    """The measures of accuracy that these runs have, the main one first, then the others that the task names."""
    there = set(present)
    unit = known("task", task)
    names = dict.fromkeys([main(task), *(unit.measures if unit else ()), *BETTER])
    return [name for name in names if name in there]


def notes(headings: Iterable[str]) -> list[str]:
    """What is to be said about tables with these columns or measures."""
    shown = set(headings)
    names = {
        name for name in NOTES if name in shown or HEADINGS.get(name, name) in {one.rstrip(" ↓↑") for one in shown}
    }
    return [text for name, text in NOTES.items() if name in names]
