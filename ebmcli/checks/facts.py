"""Facts of a loss of energies that several laws look at: records to try it on, and the kind that it proves to be."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ebmcli.checks.evaluation import Records, Slopes, Subject
from ebmcli.core.errors import UsageError
from ebmcli.core.flat import Flat
from ebmcli.core.needs import Need
from ebmcli.core.units import LossUnit

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
        """The plain records with the right answer above the lowest wrong one, by so little that no cap is reached.

        Where levels are promised, the wrong answers lie below theirs.
        """
        energies, low = self.plain.energies.copy(), self.subject.reach[0]
        if self.subject.promised.absolute:
            energies[:, 1:] = low + 0.13 * (energies[:, 1:] - low)
        energies[:, 0] = energies[:, 1:].min(axis=1) + 0.02
        return self.plain.at(energies)

    @cached_property
    def varied(self) -> Records:
        """The plain records with distances of 1 and 2, random log q and log Z, and beta 1 and 2."""
        rng = np.random.default_rng(1)
        beta = rng.choice([1.0, 2.0], N)
        distance, log_q = rng.choice([1.0, 2.0], (N, K)), rng.integers(-8, 9, (N, 1 + K)) / 8
        return self.plain._replace(distance=distance, log_q=log_q, log_z=rng.normal(0, 1, N), beta=beta)

    @cached_property
    def seen(self) -> Slopes:
        """The loss on the varied records."""
        return self.subject(self.varied)

    def changes(self, **fields: Any) -> bool:
        """True if the loss or a slope changes where these fields take the place of those of the varied records."""
        other = self.subject(self.varied._replace(**fields))
        return not (alike(other.loss, self.seen.loss) and alike(other.slopes, self.seen.slopes))

    @cached_property
    def reads_beta(self) -> bool:
        """True if the loss depends on beta."""
        return self.changes(beta=2 * self.varied.beta)

    @cached_property
    def reads_q(self) -> bool:
        """True if the loss depends on the density q of its negatives."""
        return self.contrasts and self.changes(log_q=0.0)

    @property
    def contrasts(self) -> bool:
        """True if the loss looks at negatives one by one."""
        return Need.NEGATIVES in self.subject.needs

    @property
    def over_all(self) -> bool:
        """True if the loss needs the free energy or the minimum of all answers."""
        return bool(self.subject.needs & {Need.PARTITION, Need.MINIMUM})

    @property
    def estimates(self) -> bool:
        """True if the optimum of the loss is the density of the data: declared or, failing that, as it weighs by q."""
        return self.subject.unit.traits.density or (not self.subject.unit.traits.estimates and self.reads_q)

    @property
    def of_pairs(self) -> bool:
        """True if the loss sets right answers against wrong ones, without a density of either."""
        return self.contrasts and not self.estimates and self.subject.promised.applies


def alike(one: np.ndarray, other: np.ndarray, share: float = SAME) -> bool:
    """True if two arrays are equal but for rounding."""
    return bool(np.allclose(one, other, rtol=share, atol=share * max(1.0, np.abs(one).max(initial=0))))


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


def declared_flat(unit: LossUnit, known: Iterable[str]) -> Flat | None:
    """Read the value on a flat energy that a loss declares; None for prose, or a formula with unknown names."""
    try:
        declared = Flat.parse(unit.traits.flat)
    except ValueError:
        return None
    return None if declared.names - {*known, *unit.parameters} else declared


def tried(unit: LossUnit, defaults: Mapping[str, float], declared: Flat) -> list[tuple[dict[str, float], float]]:
    """Hyperparameters and betas at which a declared value is tried: the defaults, and others where it allows them."""
    given = {name: value for name, value in declared.given.items() if name in defaults}
    other = {name: other_value(unit, name) for name in defaults} | given
    return [(given, 1.0), (given, 2.0), (other, 1.0)]
