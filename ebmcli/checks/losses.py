"""Judge losses: hold what each declares against what its function does, without knowing its formula."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ebmcli.checks import margins, views
from ebmcli.checks.evaluation import Subject
from ebmcli.checks.judgement import Finding, Judgement, judged
from ebmcli.checks.laws import LAWS, Facts
from ebmcli.checks.optimum import optimum
from ebmcli.core.needs import Need
from ebmcli.core.units import LossUnit


def judge(unit: LossUnit) -> Finding:
    """Judge a loss from its declaration and its function alone."""
    head, view = Finding(unit.name, unit.traits.promised.text()), Need.VIEW in unit.traits.needs
    if view and unit.traits.promised.applies:
        fault = judged("margin", head.promised, "-", "a loss of a View sees no energies of answers: declare -")
        return replace(head, judgements=[fault])
    return _of_view(unit, head) if view else _of_energies(unit, head)


def _of_view(unit: LossUnit, head: Finding) -> Finding:
    try:
        judgements = views.laws(unit)
    except Exception as error:  # a stranger's code
        judgements = [_failed(error)]
    return replace(head, reason="sees no pair of answers", judgements=judgements)


def _of_energies(unit: LossUnit, head: Finding) -> Finding:
    subject, judgements = Subject(unit), list[Judgement]()
    try:
        if subject.promised.applies:
            found = margins.survey(subject)
            value, levels = margins.lowest_flat(found.flat)
            words = margins.described(found.margins)
            head = replace(head, **dict[str, Any](words), flat=value, flat_at=levels, box=subject.reach)
            judgements += margins.judgements(subject, found)
        else:
            sampled = Need.MODEL in subject.wants
            head = replace(head, reason="its F- is a sample of the model" if sampled else "declares that it has none")
        judgements += _laws(Facts(subject))
    except Exception as error:  # a stranger's code
        judgements.append(_failed(error))
    return replace(head, judgements=judgements)


def _laws(facts: Facts) -> Iterator[Judgement]:
    for law in (*LAWS, optimum):
        judgement = law(facts)
        if judgement:
            yield judgement


def _failed(error: Exception) -> Judgement:
    lines = str(error).strip().splitlines() or ["no message"]
    return judged("runs", "yes", "no", f"it fails on energies of its own: {type(error).__name__}: {lines[0]}")
