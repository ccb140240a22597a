"""Laws of a loss of energies that follow from what it declares, whatever its formula.

Each looks at a few records of three negatives, or of one; it returns its judgement, or nothing where it does not apply.
"""

from collections.abc import Callable

import numpy as np

from ebmcli.checks import values
from ebmcli.checks.evaluation import NotFiniteError
from ebmcli.checks.facts import SAME, Facts, K, N, alike, declared_flat, other_value
from ebmcli.checks.judgement import Judgement, judged, warned
from ebmcli.core.flat import COUNT
from ebmcli.core.needs import Need
from ebmcli.training.objective import check_loss

# --- directions ------------------------------------------------------------------------------------------------------


def right_answer(facts: Facts) -> Judgement:
    """The right answer is pulled down somewhere, and never pushed up where a wrong one is lower.

    A loss that pins levels may push it up to its own: a warning, since it is meant for energies that are not negative.
    """
    law, declared = "right answer", "pulled down"
    subject = facts.subject
    slopes = subject(facts.plain).slopes[:, 0]
    tiny = SAME * np.abs(slopes).max()
    if not (slopes > tiny).any():
        return judged(law, declared, "never", "it never pulls the right answer down: no slope in F+ is positive")
    if not subject.promised.applies or not (subject(facts.offended).slopes[:, 0] < -tiny).any():
        return judged(law, declared, declared)
    wrong = "it pushes the right answer up though a wrong one is lower"
    if not subject.promised.absolute:
        return judged(law, declared, "pushed up", wrong)
    return warned(
        law, declared, "pushed up", f"{wrong}, where F+ is negative: declare that it wants nonnegative energies"
    )


def wrong_answers(facts: Facts) -> Judgement | None:
    """The most offending answer is pushed up where it violates the promise, and none of a pair is ever pulled down."""
    subject, promised = facts.subject, facts.subject.promised
    if not facts.contrasts or (promised.applies and promised.bound is None):
        return None
    law, slopes = "wrong answers", subject(facts.offended).slopes[:, 1:]
    tiny, wrong = SAME * np.abs(slopes).max(), ""
    worst = slopes[np.arange(N), facts.offended.energies[:, 1:].argmin(axis=1)]
    if not (slopes < -tiny).any():
        wrong = "it pushes no wrong answer up: no slope in F- is negative"
    elif promised.applies and (worst >= 0).any():
        wrong = "of three wrong answers it does not push the most offending one up"
    elif facts.of_pairs and (subject(facts.plain).slopes[:, 1:] > tiny).any():
        wrong = "it pulls wrong answers down where they are high enough"
        if promised.absolute:
            return warned(law, "pushed up", "pulled down too", f"{wrong}, to the level that it promises")
    return judged(law, "pushed up", "not so" if wrong else "pushed up", wrong)


# --- several negatives -----------------------------------------------------------------------------------------------


def order(facts: Facts) -> Judgement | None:
    """The order of negatives is irrelevant; their distances and densities go with them."""
    if not facts.contrasts:
        return None
    turn, records = [1, 2, 0], facts.varied
    answers = [0, 2, 3, 1]
    turned = records._replace(
        energies=records.energies[:, answers], distance=records.distance[:, turn], log_q=records.log_q[:, answers]
    )
    seen = facts.subject(turned)
    same = alike(seen.loss, facts.seen.loss) and alike(seen.slopes, facts.seen.slopes[:, answers])
    wrong = "" if same else "another order of the same negatives changes it: it does not look at all in the same way"
    return judged("order of negatives", "irrelevant", "irrelevant" if same else "matters", wrong)


def itself(facts: Facts) -> Judgement | None:
    """A negative at distance 0 is the right answer: a loss of pairs leaves it out, one that knows q counts it."""
    if facts.estimates and facts.contrasts and not facts.over_all:
        if facts.changes(distance=np.where(np.arange(K) == 1, 0.0, facts.varied.distance)):
            wrong = "it looks at the distance, and a loss of a density counts a negative that is y as any other"
            return judged("y among negatives", "counted", "not so", wrong)
        return judged("y among negatives", "counted", "counted")
    if not facts.of_pairs:
        return None
    subject, plain = facts.subject, facts.plain
    try:
        subject(plain.at(np.repeat(plain.energies[:, :1], 1 + K, axis=1))._replace(distance=0.0))
    except NotFiniteError as error:
        wrong = f"with no wrong answer among its negatives {error}"
        return judged("y among negatives", "left out", "not finite", wrong)
    doubled = plain.at(plain.energies[:, [0, 1, 0, 0]])._replace(distance=np.array([1.0, 0.0, 0.0]))
    with_y, without = subject(doubled), subject(plain.at(plain.energies[:, :2]))
    joined = np.stack([with_y.slopes[:, [0, 2, 3]].sum(axis=1), with_y.slopes[:, 1]], axis=1)
    if alike(with_y.loss, without.loss) and (facts.over_all or alike(joined, without.slopes)):
        lower = subject(doubled.at(doubled.energies - [0, 0, 0.1, 0])).loss
        if alike(lower, without.loss):
            return judged("y among negatives", "left out", "left out")
        return warned(
            "y among negatives", "left out", "looked at",
            "it looks at a negative at distance 0, which costs nothing only while its energy is F+ to the last digit",
        )  # fmt: skip
    wrong = (
        "a negative at distance 0, the right answer itself, changes it: leave those out as `mean` and `total` of "
        "ebmcli.plugin do, or declare that it knows the density of its negatives (wants='independent')"
    )
    return judged("y among negatives", "left out", "counted", wrong)


def distances(facts: Facts) -> Judgement | None:
    """A margin grows with the distance of its own answer alone: that of one which keeps it is no matter."""
    subject = facts.subject
    if not isinstance(subject.promised.bound, str):
        return None
    kept = facts.plain.energies.copy()
    kept[:, :2] = subject.reach[0] + 0.3 * (kept[:, :2] - subject.reach[0]) / (subject.reach[1] - subject.reach[0])
    kept[:, 2:] = subject.reach[1]  # two answers so high that they keep a margin of 2
    near, far = (subject(facts.plain.at(kept)._replace(distance=np.array([1.0, *two]))) for two in ((1, 1), (2, 1)))
    same = alike(near.loss, far.loss) and alike(near.slopes, far.slopes)
    wrong = "" if same else "the distance of an answer that keeps its margin changes it"
    return judged("distances", "each its own", "each its own" if same else "mixed", wrong)


def mean_or_sum(facts: Facts) -> Judgement | None:
    """A loss that sums over its negatives declares it: it wants all of them, or its flat value speaks of K."""
    subject, plain = facts.subject, facts.plain
    sampled = Need.MODEL in subject.asks
    if not (facts.of_pairs or sampled) or facts.over_all or Need.ALL in subject.asks or _counts(facts):
        return None
    one = subject(plain.at(plain.energies[:, :2])).loss
    other = subject(plain.at(plain.energies[:, [0, 2]])).loss
    thrice = subject(plain.at(plain.energies[:, [0, 1, 1, 1]])).loss
    other_thrice = subject(plain.at(plain.energies[:, [0, 2, 2, 2]])).loss
    mixed = subject(plain.at(plain.energies[:, [0, 1, 1, 2]])).loss
    added, other_added = (thrice - one) / 2, (other_thrice - other) / 2
    summed = alike(mixed, one + added + other_added) and not alike(thrice, one)
    wrong = (
        "it is a sum over its negatives, which grows with their number: take their mean, or declare that it wants all"
        if summed
        else ""
    )
    return judged("three negatives", "not a sum", "a sum" if summed else "not a sum", wrong)


def _counts(facts: Facts) -> bool:
    """True if the value on a flat energy that a loss declares depends on the number of negatives."""
    declared = declared_flat(facts.subject.unit, ("F", "m", "beta", COUNT, "|Y|"))
    return bool(declared and COUNT in declared.names)


# --- units -----------------------------------------------------------------------------------------------------------


def temperature(facts: Facts) -> Judgement | None:
    """Energies have a unit, and beta is one over it: with both changed the loss is as it was, or an energy itself."""
    subject = facts.subject
    own = set(subject.defaults) - {"margin"}
    of_density = facts.estimates or bool(subject.needs & {Need.PARTITION, Need.PROBABILITY, Need.LOG_Q})
    if not of_density and (own or not facts.reads_beta):
        return None
    if Need.MODEL in subject.asks and not facts.reads_beta:
        return None
    scaled = facts.varied.at(2 * facts.varied.energies)._replace(
        beta=facts.varied.beta / 2,
        values={name: 2 * value for name, value in facts.varied.values.items()},  # of the margin; a penalty is 0
    )
    ratio = subject(scaled).loss, facts.seen.loss
    if alike(*ratio) or alike(ratio[0], 2 * ratio[1]):
        return judged("unit of energies", "1 / beta", "1 / beta")
    missing = "" if facts.reads_beta else "; it never reads beta"
    wrong = f"with energies doubled and beta halved it is neither the same nor its double: each goes with beta{missing}"
    return judged("unit of energies", "1 / beta", "another", wrong)


def constant(facts: Facts) -> Judgement | None:
    """A constant added to all energies of a loss over all answers, or of a density, changes nothing."""
    if not (facts.over_all or (facts.estimates and facts.contrasts and not facts.subject.bare)):
        return None
    if facts.subject.reach[0] == 0 and not facts.estimates:
        return None
    moved = facts.varied.at(facts.varied.energies + 1.0)._replace(log_z=facts.varied.log_z - facts.varied.beta)
    seen = facts.subject(moved)
    same = alike(seen.loss, facts.seen.loss) and alike(seen.slopes, facts.seen.slopes)
    wrong = "" if same else "a constant added to all energies, and taken from log Z, changes it"
    return judged("constant in energies", "irrelevant", "irrelevant" if same else "matters", wrong)


# --- declarations ----------------------------------------------------------------------------------------------------


def reads(facts: Facts) -> Judgement:
    """Whatever a loss needs, and every hyperparameter, changes it."""
    subject, idle = facts.subject, []
    for need in subject.needs & {Need.NEGATIVES, Need.PARTITION, Need.MINIMUM, Need.LOG_Q}:
        if need is Need.LOG_Q and facts.reads_q:
            continue
        try:
            check_loss(subject.unit, subject.needs - {need})
        except Exception:  # a stranger's code, without what it asked for
            continue
        idle.append(need.value)
    for name in subject.defaults:
        if not facts.changes(values={**facts.varied.values, name: other_value(subject.unit, name)}):
            idle.append(name)
    wrong = f"it never reads {', '.join(idle)}, and declares {'it' if len(idle) == 1 else 'them'}" if idle else ""
    return judged("declared is read", "all", f"not {', '.join(idle)}" if idle else "all", wrong)


LAWS: tuple[Callable[[Facts], Judgement | None], ...] = (
    values.flat_energy,
    values.lower_bound,
    right_answer,
    wrong_answers,
    order,
    itself,
    distances,
    mean_or_sum,
    temperature,
    constant,
    reads,
    values.continuous,
    values.slopes,
    values.far_energies,
)
