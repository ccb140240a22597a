"""Laws of a loss of energies that follow from what it declares, whatever its formula.

Each looks at a few records of three negatives, or of one, and returns its judgement, or nothing where it does not apply.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ebmcli.checks.evaluation import NotFiniteError, Records, Slopes, Subject
from ebmcli.checks.judgement import Judgement, judged, noticed
from ebmcli.core.errors import UsageError
from ebmcli.core.flat import COUNT, Flat
from ebmcli.core.needs import Need
from ebmcli.core.units import LossUnit
from ebmcli.training.objective import check_loss

K = 3  # negatives of a record
N = 24  # records
SAME = 1e-9  # share of their size by which two values may differ
DIFFERENT = 1e-6  # share by which they differ for certain


class Facts:
    """A loss with the records on which several laws look, and what they say of its kind."""

    def __init__(self, subject: Subject):
        self.subject = subject

    @cached_property
    def plain(self) -> Records:
        """Random energies of three wrong answers at distance 1, beta 1, and no penalty."""
        low, high = self.subject.reach
        energies = np.random.default_rng(0).uniform(low + 0.1, high, (N, 1 + K))
        margin = {"margin": 1.0} if "margin" in self.subject.defaults else {}
        return Records(energies, values=self.subject.bare | margin)

    @cached_property
    def offended(self) -> Records:
        """The same, but that the right answer lies above the lowest wrong one: by so little that no cap is reached.

        Where levels are promised, the wrong answers lie below theirs.
        """
        energies, low = self.plain.energies.copy(), self.subject.reach[0]
        if self.subject.promised.absolute:
            energies[:, 1:] = low + 0.13 * (energies[:, 1:] - low)
        energies[:, 0] = energies[:, 1:].min(axis=1) + 0.02
        return self.plain.at(energies)

    @cached_property
    def varied(self) -> Records:
        """The same with distances of 1 and 2, random log q and log Z, and beta 1 and 2."""
        rng = np.random.default_rng(1)
        beta = rng.choice([1.0, 2.0], N)
        distance, log_q = rng.choice([1.0, 2.0], (N, K)), rng.integers(-8, 9, (N, 1 + K)) / 8
        return self.plain._replace(distance=distance, log_q=log_q, log_z=rng.normal(0, 1, N), beta=beta)

    @cached_property
    def seen(self) -> Slopes:
        """The loss on the varied records."""
        return self.subject(self.varied)

    def changes(self, **fields: Any) -> bool:
        """Whether these fields of the varied records, put in their place, change the loss or a slope."""
        other = self.subject(self.varied._replace(**fields))
        return not (alike(other.loss, self.seen.loss) and alike(other.slopes, self.seen.slopes))

    @cached_property
    def reads_beta(self) -> bool:
        """Whether it depends on beta."""
        return self.changes(beta=2 * self.varied.beta)

    @cached_property
    def reads_q(self) -> bool:
        """Whether it depends on the density of the negatives."""
        return self.contrasts and self.changes(log_q=0.0)

    @property
    def contrasts(self) -> bool:
        """Whether it looks at negatives one by one."""
        return Need.NEGATIVES in self.subject.needs

    @property
    def over_all(self) -> bool:
        """Whether it looks at something of all answers."""
        return bool(self.subject.needs & {Need.PARTITION, Need.MINIMUM})

    @property
    def estimates(self) -> bool:
        """Whether its optimum is the density of the data: as declared or, where nothing is, because it weighs by q."""
        return self.subject.unit.traits.density or (not self.subject.unit.traits.estimates and self.reads_q)

    @property
    def of_pairs(self) -> bool:
        """Whether it sets right answers against wrong ones, without a density of either."""
        return self.contrasts and not self.estimates and self.subject.promised.applies


def alike(one: np.ndarray, other: np.ndarray, share: float = SAME) -> bool:
    """True if two arrays are equal but for rounding."""
    return bool(np.allclose(one, other, rtol=share, atol=share * max(1.0, np.abs(one).max(initial=0))))


# --- values ----------------------------------------------------------------------------------------------------------


def flat_energy(facts: Facts) -> Judgement | None:
    """Where every answer has the same energy the loss has the value that it declares."""
    subject, text = facts.subject, facts.subject.unit.traits.flat
    if not text:
        return None
    try:
        declared = Flat.parse(text)
    except ValueError:
        return noticed("flat energy", f"cannot be read: {text}")
    for values, beta in _settings(subject, declared):
        symbols = subject.defaults | values | {COUNT: K, "|Y|": 1 + K, "beta": beta}
        symbols |= {"m": symbols["margin"]} if "margin" in symbols else {}
        if declared.names - {*symbols, "F"}:
            return noticed("flat energy", f"cannot be read: {text}")
        levels = np.array(declared.levels(subject.reach, symbols))
        log_q, log_z = -np.log(1 + K), np.log(1 + K) - beta * levels
        records = Records(np.repeat(levels[:, None], 1 + K, axis=1), 1.0, log_q, log_z, beta, values)
        loss = subject(records).loss
        expected = np.array([declared.value.value(symbols | {"F": level}) for level in levels])
        off = np.abs(loss - expected)
        if (off > declared.value.rounding + DIFFERENT * np.maximum(1, np.abs(expected))).any():
            worst, names = int(off.argmax()), values | {"beta": beta}
            at = ", ".join(f"{name} = {value:g}" for name, value in names.items())
            return judged(
                "flat energy", text, f"{loss[worst]:.4g}",
                f"where all energies are {levels[worst]:g} it is {loss[worst]:.4g} with {K} negatives ({at}), and declares "
                f"{text}, which is {expected[worst]:.4g}",
            )  # fmt: skip
    return judged("flat energy", text, "the same")


def _settings(subject: Subject, declared: Flat) -> list[tuple[dict[str, float], float]]:
    """Hyperparameters and betas at which a declared value is tried: the defaults, and others where it allows them."""
    given = {name: value for name, value in (declared.given or {}).items() if name in subject.defaults}
    other = {name: other_value(subject.unit, name) for name in subject.defaults} | given
    return [(given, 1.0), (given, 2.0), (other, 1.0)]


def other_value(unit: LossUnit, name: str) -> float:
    """A legal value of a hyperparameter that is not its default; its default, where there is no other near."""
    parameter, default = unit.parameters[name], unit.parameters[name].default
    for value in (1.5 * default, 0.5 * default, default + 1, default - 1):
        try:
            legal = parameter.validate(round(value) if parameter.type is int else value)
        except UsageError:
            continue
        if legal != default:
            return float(legal)
    return float(default)


FAR = (1e1, 1e2, 1e3, 1e4)  # energies beyond all that are looked at


def lower_bound(facts: Facts) -> Judgement | None:
    """However far the energies go, a loss that promises a gap, or has a penalty, does not fall for ever."""
    subject, penalty = facts.subject, facts.subject.unit.traits.penalty
    if not penalty and (not subject.promised.applies or subject.promised.bound is None):
        return None
    low, _ = subject.reach
    steps = np.array(np.meshgrid(*[[0, 1] if low == 0 else [-1, 0, 1]] * (1 + K), indexing="ij")).reshape(1 + K, -1).T
    loss = np.stack([subject(Records(far * steps.astype(float)), anywhere=True).loss for far in FAR])
    falls = -np.diff(loss, axis=0)  # [3, directions]
    endless = (loss[-1] == -np.inf) | ((falls[-1] >= 0.5 * falls[-2]) & (falls[-1] > 1e-9))
    declared = f"by {penalty}" if penalty else "yes"
    if not endless.any():
        return judged("lower bound", declared, "bounded")
    way = steps[int(np.flatnonzero(endless)[0])]
    signs = {-1: "to -infinity", 0: "stays", 1: "to infinity"}
    wrong = (
        f"it falls for ever where F+ goes {signs[way[0]]} and the F- go {', '.join(signs[sign] for sign in way[1:])}"
    ).replace("goes stays", "stays").replace("go stays", "stay")
    remedy = f", for all that {penalty} is its penalty" if penalty else ": an unbounded loss needs a penalty that it declares"
    return judged("lower bound", declared, "none", wrong + remedy)


def continuous(facts: Facts) -> Judgement:
    """Along a line of one energy the loss never jumps by more than its slopes allow."""
    subject, count = facts.subject, 128
    low, high = subject.reach
    line = np.linspace(low + 0.001, high, count)
    for row in facts.plain.energies[:6]:
        for place in range(2):
            energies = np.repeat(row[None], count, axis=0)
            energies[:, place] = line
            seen = subject(Records(energies, [1.0, 2.0, 1.0], values=subject.bare))
            allowed = 2 * (line[1] - line[0]) * np.abs(seen.slopes[:, place]).max() + SAME * np.abs(seen.loss).max()
            jumps = np.abs(np.diff(seen.loss))
            if (jumps > allowed).any():
                at = int(jumps.argmax())
                name = "F+" if place == 0 else "F-1"
                return judged(
                    "continuous", "yes", "no",
                    f"it jumps from {seen.loss[at]:.4g} to {seen.loss[at + 1]:.4g} at {name} = {line[at]:.3g}, as a mean "
                    "over the terms that happen to be positive does",
                )  # fmt: skip
    return judged("continuous", "yes", "yes")


# --- directions ------------------------------------------------------------------------------------------------------


def right_answer(facts: Facts) -> Judgement:
    """The right answer is pulled down somewhere, and never pushed up where a wrong one is lower.

    (One that pins levels may push it up to its own.)
    """
    subject = facts.subject
    slopes = subject(facts.plain).slopes[:, 0]
    tiny, wrong = SAME * np.abs(slopes).max(), ""
    if not (slopes > tiny).any():
        wrong = "it never pulls the right answer down: no slope in F+ is positive"
    elif subject.promised.applies and not subject.promised.absolute:
        slopes = subject(facts.offended).slopes[:, 0]
        if (slopes < -tiny).any():
            wrong = "it pushes the right answer up though a wrong one is lower"
    return judged("right answer", "pulled down", "not so" if wrong else "pulled down", wrong)


def wrong_answers(facts: Facts) -> Judgement | None:
    """The most offending answer is pushed up where it is lower than the right one, and where its level is violated."""
    subject, promised = facts.subject, facts.subject.promised
    if not facts.contrasts or (promised.applies and promised.bound is None):
        return None
    slopes = subject(facts.offended).slopes[:, 1:]
    tiny, wrong = SAME * np.abs(slopes).max(), ""
    worst = slopes[np.arange(N), facts.offended.energies[:, 1:].argmin(axis=1)]
    if not (slopes < -tiny).any():
        wrong = "it pushes no wrong answer up: no slope in F- is negative"
    elif promised.applies and (worst >= 0).any():
        wrong = "of three wrong answers it does not push the most offending one up"
    return judged("wrong answers", "pushed up", "not so" if wrong else "pushed up", wrong)


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
            wrong = "it looks at the distance, and a loss of a density counts a negative that is the right answer as any other"
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
        return judged("y among negatives", "left out", "left out")
    wrong = (
        "a negative at distance 0, the right answer itself, changes it: leave those out as `mean` and `total` of "
        "ebmcli.plugin do, or declare that it knows the density of its negatives (wants='independent')"
    )
    return judged("y among negatives", "left out", "counted", wrong)


def mean_or_sum(facts: Facts) -> Judgement | None:
    """A loss that sums over its negatives declares it: it wants all of them, or its flat value speaks of K."""
    subject, plain = facts.subject, facts.plain
    sampled = Need.MODEL in subject.asks
    if not (facts.of_pairs or sampled) or facts.over_all or Need.ALL in subject.asks or _counts(subject):
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


def _counts(subject: Subject) -> bool:
    try:
        return COUNT in Flat.parse(subject.unit.traits.flat).names
    except ValueError:
        return False


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
    wrong = f"with energies doubled and beta halved it is neither the same nor twice itself{missing}: each energy goes with beta"
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


# --- warnings --------------------------------------------------------------------------------------------------------


def slopes(facts: Facts) -> Judgement:
    """The slopes are those of the value: nothing is hidden from the gradient."""
    subject, records, step = facts.subject, facts.varied, 1e-5
    shifts = step * np.eye(1 + K)
    both = [[subject(records.at(records.energies + sign * shift)).loss for sign in (1, -1)] for shift in shifts]
    numeric = np.stack([(up - down) / (2 * step) for up, down in both], axis=1)
    off = np.abs(numeric - facts.seen.slopes) > 1e-4 * np.abs(numeric).max()
    warning = (
        "its slopes are not those of its value: something is behind jax.lax.stop_gradient, or rounded" if off.any() else ""
    )
    return noticed("slopes", "not of its value" if warning else "of its value", warning)


def far_energies(facts: Facts) -> Judgement:
    """Far from the box value and slopes are finite, and nothing ends there all at once."""
    subject = facts.subject
    low, high = subject.reach
    reach = [0.0, 1e2, 1e4] if low == 0 else [-1e4, -1e2, 0.0, 1e2, 1e4]
    pairs = np.array([[right, wrong] for right in reach for wrong in reach])
    seen = subject(Records(pairs[:, [0, 1, 1, 1]]), anywhere=True)
    bad = ~(np.isfinite(seen.loss) & np.isfinite(seen.slopes).all(axis=1))
    if bad.any():
        right, wrong = pairs[int(np.flatnonzero(bad)[np.abs(pairs[bad]).max(axis=1).argmin()])]
        what = "value" if not np.isfinite(seen.loss[(pairs == [right, wrong]).all(axis=1)]).all() else "slope"
        warning = f"its {what} at F+ = {right:g}, F- = {wrong:g} overflows: write it with softplus, logsumexp or a cap"
        return noticed("far energies", "overflow", warning)
    ends = high * 1.2 ** np.arange(45)
    for name, place in (("F+", 0), ("F-", slice(1, None))):
        for sign in (1, -1) if low < 0 else (1,):
            energies = np.full((len(ends), 1 + K), 0.0 if low < 0 else 0.5)
            energies[:, place] = (sign * ends)[:, None] if place else sign * ends
            size = np.abs(subject(Records(energies, values=facts.plain.values), anywhere=True).slopes[:, :2])
            stops = np.flatnonzero(((size[:-1] > 1e-6) & (size[1:] == 0)).any(axis=1))
            if stops.size:
                where = sign * ends[stops[0] + 1]
                warning = f"a slope ends between {name} = {where / 1.2:.3g} and {where:.3g}, beyond the box: a kink"
                return noticed("far energies", "a kink", warning)
    return noticed("far energies", "finite, no kink")


LAWS: tuple[Callable[[Facts], Judgement | None], ...] = (
    flat_energy, lower_bound, right_answer, wrong_answers, order, itself, mean_or_sum, temperature, constant, reads,
    continuous, slopes, far_energies,
)  # fmt: skip
