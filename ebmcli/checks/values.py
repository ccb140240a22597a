"""Laws of the values of a loss of energies: the declared one, the lowest, those between and beyond."""

import numpy as np

from ebmcli.checks.evaluation import Records
from ebmcli.checks.facts import DIFFERENT, SAME, Facts, K, declared_flat, other_value, tried
from ebmcli.checks.judgement import Judgement, judged, noticed
from ebmcli.core.flat import COUNT


def flat_energy(facts: Facts) -> Judgement | None:
    """Judge the value of a loss where every answer has the same energy, beside the one that it declares."""
    subject, unit = facts.subject, facts.subject.unit
    if not unit.traits.flat:
        return None
    declared = declared_flat(unit, ("F", "m", "beta", COUNT, "|Y|"))
    if not declared:
        return noticed("flat energy", f"no formula: {unit.traits.flat}")
    for values, beta in tried(unit, subject.defaults, declared):
        symbols = {**declared.given, **subject.defaults, **values, COUNT: K, "|Y|": 1 + K, "beta": beta}
        symbols["m"] = symbols.get("margin", 1.0)
        levels = np.array(declared.levels(subject.reach, symbols))
        log_q, log_z = -np.log(1 + K), np.log(1 + K) - beta * levels
        records = Records(np.repeat(levels[:, None], 1 + K, axis=1), 1.0, log_q, log_z, beta, values)
        loss = subject(records).loss
        expected = np.array([declared.value.value(symbols | {"F": level}) for level in levels])
        off = np.abs(loss - expected)
        if (off > declared.value.rounding + DIFFERENT * np.maximum(1, np.abs(expected))).any():
            worst = int(off.argmax())
            settings = ", ".join(f"{name} = {value:g}" for name, value in {**values, "beta": beta}.items())
            wrong = (
                f"where all energies are {levels[worst]:g}, at {settings} and with {K} negatives, it is "
                f"{loss[worst]:.4g}, and {unit.traits.flat} is {expected[worst]:.4g}"
            )
            return judged("flat energy", unit.traits.flat, f"{loss[worst]:.4g}", wrong)
    return judged("flat energy", unit.traits.flat, "the same")


FAR = (1e1, 1e2, 1e3, 1e4)  # energies beyond all that are looked at


def lower_bound(facts: Facts) -> Judgement | None:
    """However far the energies go, a loss that promises a gap, or has a penalty, does not fall for ever."""
    subject, penalty = facts.subject, facts.subject.unit.traits.penalty
    if not penalty and (not subject.promised.applies or subject.promised.bound is None):
        return None
    low, _ = subject.reach
    steps = np.array(np.meshgrid(*[[0, 1] if low == 0 else [-1, 0, 1]] * (1 + K), indexing="ij")).reshape(1 + K, -1).T
    at_work = {penalty: other_value(subject.unit, penalty)} if not subject.defaults.get(penalty, 1.0) else {}
    values = {} if subject.promised.applies else at_work  # a likelihood of samples may do without
    loss = np.stack([subject(Records(far * steps.astype(float), values=values), anywhere=True).loss for far in FAR])
    with np.errstate(invalid="ignore"):
        falls = -np.diff(loss, axis=0)  # [3, directions]
    endless = (loss[-1] == -np.inf) | ((falls[-1] >= 0.5 * falls[-2]) & (falls[-1] > 1e-9))
    declared = f"by {penalty}" if penalty else "yes"
    if not endless.any():
        return judged("lower bound", declared, "bounded")
    way = steps[int(np.flatnonzero(endless)[0])]
    signs = {-1: "down", 0: "nowhere", 1: "up"}
    where = f"F+ goes {signs[way[0]]} and the F- go {', '.join(signs[sign] for sign in way[1:])}"
    remedy = f"{penalty}, its penalty, does not bound it" if penalty else "it needs a penalty, and to declare it"
    return judged("lower bound", declared, "none", f"it falls for ever where {where}: {remedy}")


def continuous(facts: Facts) -> Judgement:
    """Along a line of one energy the loss never jumps by more than its slopes allow."""
    subject, count = facts.subject, 128
    low, high = subject.reach
    line = np.linspace(low + 0.001, high, count)
    for row in facts.plain.energies[:6]:
        for place, name in enumerate(("F+", "F-1")):
            energies = np.repeat(row[None], count, axis=0)
            energies[:, place] = line
            seen = subject(Records(energies, [1.0, 2.0, 1.0], values=subject.bare))
            allowed = 2 * (line[1] - line[0]) * np.abs(seen.slopes[:, place]).max() + SAME * np.abs(seen.loss).max()
            jumps = np.abs(np.diff(seen.loss))
            at = int(jumps.argmax())
            if jumps[at] > allowed:
                wrong = (
                    f"it jumps from {seen.loss[at]:.4g} to {seen.loss[at + 1]:.4g} at {name} = {line[at]:.3g}, as a "
                    "mean over the terms that happen to be positive does"
                )
                return judged("continuous", "yes", "no", wrong)
    return judged("continuous", "yes", "yes")


def slopes(facts: Facts) -> Judgement:
    """The slopes are those of the value: nothing is hidden from the gradient."""
    subject, records, step = facts.subject, facts.varied, 1e-5
    shifts = step * np.eye(1 + K)
    both = [[subject(records.at(records.energies + sign * shift)).loss for sign in (1, -1)] for shift in shifts]
    numeric = np.stack([(up - down) / (2 * step) for up, down in both], axis=1)
    off = np.abs(numeric - facts.seen.slopes) > 1e-4 * np.abs(numeric).max()
    warning = (
        "its slopes are not those of its value: something is behind jax.lax.stop_gradient, or rounded"
        if off.any()
        else ""
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
