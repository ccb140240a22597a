"""`ebm check`: what losses declare, held against what their functions do."""

from collections.abc import Sequence
from typing import Any

from ebmcli.checks.evaluation import TOP
from ebmcli.checks.judgement import Finding
from ebmcli.checks.losses import judge
from ebmcli.cli.console import console, print_table
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.core.registry import find, units
from ebmcli.report.blocks import Table
from ebmcli.storage.atomic import dumps

HEADING = f"margins, on energies in [-{TOP:g}, {TOP:g}], or [0, {TOP:g}] where F >= 0"
COLUMNS = {
    "loss": "loss",
    "promised": "promised",
    "found": "found",
    "gradient_test": "gradient",
    "push_up": "push-up",
    "flat": "flat",
}


def check(names: Sequence[str], as_json: bool) -> ExitCode:
    """Judge the named losses, or all; print every judgement of those that are named, and a sentence for each fault."""
    chosen = [find("loss", name) for name in dict.fromkeys(names)] or list(units("loss").values())
    findings = [judge(unit) for unit in chosen]
    broken = [finding for finding in findings if not finding.agrees]
    if as_json:
        print(dumps([finding.to_json() for finding in findings]))
    else:
        out = console()
        for table in map(judgements, findings) if names else tables(findings):
            print_table(table, out)
    for finding in findings:
        for line in sentences(finding):
            console(stderr=True).print(line, markup=False, soft_wrap=True)
    if not as_json:
        out.print(verdict(findings), markup=False, soft_wrap=True)
    return ExitCode.UNFINISHED if broken else ExitCode.OK


def judgements(finding: Finding) -> Table:
    """All judgements of a loss, one a line, under what its margin was read from."""
    measured = {"condition 3": finding.condition_3, "push-up": finding.push_up, "lowest flat": finding.flat}
    rows: list[list[Any]] = [[what, "-", _cell(value), ""] for what, value in measured.items() if value is not None]
    rows += [[one.law, one.declared, one.measured, str(one.outcome)] for one in finding.judgements]
    return Table(finding.loss, ["judged", "declared", "measured", ""], rows)


def tables(findings: Sequence[Finding]) -> list[Table]:
    """The losses with a margin, and those to which margins do not apply."""
    judged = [
        [*(_cell(getattr(finding, name)) for name in COLUMNS), _count(finding)]
        for finding in findings
        if finding.found is not None
    ]
    others = [
        [finding.loss, finding.promised, finding.reason or "", _count(finding)]
        for finding in findings
        if finding.found is None
    ]
    candidates = [
        Table(HEADING, [*COLUMNS.values(), "agree"], judged),
        Table("no margin to judge", ["loss", "promised", "reason", "agree"], others),
    ]
    return [table for table in candidates if table.rows]


def sentences(finding: Finding) -> list[str]:
    """Each fault of a loss, then each warning."""
    faults = [
        f"ebm: {finding.loss} promises the margin {one.declared}, found is {one.measured}: {one.sentence}"
        if one.law == "margin"
        else f"ebm: {finding.loss}, {one.law}: {one.sentence}"
        for one in finding.faults
    ]
    return faults + [f"warning: {finding.loss}, {one.law}: {one.sentence}" for one in finding.warnings]


def verdict(findings: Sequence[Finding]) -> str:
    """The last sentence: which losses are as they declare."""
    broken = [finding.loss for finding in findings if not finding.agrees]
    warnings = sum(len(finding.warnings) for finding in findings)
    counted = f"{warnings} warning{'s' if warnings > 1 else ''}" if warnings else "no warning"
    if broken:
        rest = len(findings) - len(broken)
        others = ["", " The other is.", f" The other {rest} are."][min(rest, 2)]
        return f"Not as declared: {', '.join(broken)}.{others}"
    who = f"{findings[0].loss} is" if len(findings) == 1 else f"All {len(findings)} losses are"
    number = sum(len(finding.judgements) for finding in findings)
    return f"{who} as declared, by {number} judgements with {counted}."


def _count(finding: Finding) -> str:
    agreeing = len(finding.judgements) - len(finding.faults) - len(finding.warnings)
    return f"{agreeing} of {len(finding.judgements)}"


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value + 0:.3g}" if isinstance(value, float) else str(value)
